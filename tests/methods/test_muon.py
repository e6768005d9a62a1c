"""Muon against its author's recursion, and against the faults of another implementation, one by one."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import ema_nesterov, eval_params, gpa, muon, orthogonalize, scale_by_nag, velocity
from oracles.published import maps as published
from tests.support.matrices import NETWORK, axes, normal, run

RNG = np.random.default_rng(0)
CODE = {"scale": "spectral", "dtype": jnp.float32, "fallback": optax.sgd(0.1)}
"""As Jordan's code has it, in float32."""


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("shape", [(6, 10), (10, 6), (7, 7)])
def test_a_hundred_steps_are_those_of_the_code(shape, nesterov):
    start, gradients = RNG.standard_normal(shape), RNG.standard_normal((100, *shape)) + 0.3
    twin = published.muon(lambda W, k: gradients[k].T, start.T, 1.0, 0.02, 0.95, 0.1, nesterov)
    expected = [W.T for W, _, _ in itertools.islice(twin, 100)]
    tx = muon(0.02, 0.95, lookahead=float(nesterov), weight_decay=0.1, **CODE)
    points, _ = run(tx, jnp.asarray(start, jnp.float32), jnp.asarray(gradients, jnp.float32))
    np.testing.assert_allclose(points, expected, atol=2e-5)


def test_the_twin_knows_which_momentum_looks_ahead():
    """The comparison sees an index that is one off, as soon as the momentum changes; so do the means of gradients."""
    gradients = normal(40, 6, 10) + 0.3
    warm_up = optax.linear_schedule(0.85, 0.95, 20)
    start = jnp.zeros((6, 10))
    mean, later, total = (
        run(muon(0.02, mu, velocity=v, **CODE), start, gradients)[0][-1]
        for mu, v in ((warm_up, "mean"), (lambda k: warm_up(k + 1), "mean"), (warm_up, "gradient"))
    )
    m, expected = np.zeros((6, 10)), np.zeros((6, 10))
    for k, g in enumerate(np.asarray(gradients, float)):
        mu, mu_next = float(warm_up(k)), float(warm_up(k + 1))
        m = mu * m + (1 - mu) * g
        expected = expected - 0.02 * published.newton_schulz(mu_next * m + (1 - mu) * g) * (10 / 6) ** 0.5
    np.testing.assert_allclose(mean, expected, atol=2e-5)
    assert abs(later - expected).max() > 2e-4 and abs(total - expected).max() > 2e-4


def test_normuon_is_the_papers():
    start, gradients = RNG.standard_normal((6, 10)), RNG.standard_normal((50, 6, 10)) + 0.3
    twin = published.normuon(lambda W, k: gradients[k].T, start.T, 1.0, 0.02, 0.95, 0.9)
    expected = [W.T for W, _, _ in itertools.islice(twin, 50)]
    tx = muon(0.02, 0.95, neurons=0.9, scale=None, dtype=jnp.float32, fallback=optax.sgd(0.1))
    points, _ = run(tx, jnp.asarray(start, jnp.float32), jnp.asarray(gradients, jnp.float32))
    np.testing.assert_allclose(points, expected, atol=2e-5)


def test_without_fallback_other_scales_are_refused_where_something_falls_back():
    params = {"kernel": normal(4, 6), "bias": normal(6)}
    for scale in ("spectral", None):
        with pytest.raises(ValueError, match=r"fallback must be given for \['bias'\]"):
            muon(0.1, scale=scale).init(params)
        muon(0.1, scale=scale).init({"kernel": params["kernel"]})


@pytest.mark.parametrize("dtype", [jnp.int8, "float8_e4m3fn"])
def test_one_byte_is_refused_in_words_and_taken_by_the_link(dtype):
    with pytest.raises(ValueError, match=r"accumulator_dtype must have at least 16 bits for muon.*orthogonalize"):
        muon(0.1, accumulator_dtype=dtype)
    tx = optax.chain(scale_by_nag(0.95, accumulator_dtype=dtype), orthogonalize(), optax.scale_by_learning_rate(0.1))
    x = normal(16, 32)
    chex.assert_tree_all_finite(run(tx, x, [x])[0])


def test_rounding_of_the_velocity_is_lifted_by_the_map():
    """Why one byte is refused: the cosine of directions to that of float32, spectrum from 1 to 1e-3, noise of .02."""
    u, _, vh = np.linalg.svd(RNG.standard_normal((64, 64)))
    signal = (u * np.geomspace(1, 1e-3, 64)) @ vh
    gradients = [jnp.asarray(signal + 0.02 * RNG.standard_normal((64, 64)) / 8, jnp.float32) for _ in range(60)]
    directions = {}
    for dtype in (None, jnp.bfloat16, jnp.int8):
        tx = optax.chain(scale_by_nag(0.95, accumulator_dtype=dtype), orthogonalize(dtype=jnp.float32))
        state = tx.init(gradients[0])
        for g in gradients:
            directions[dtype], state = tx.update(g, state)
    cosines = {
        dtype: float(jnp.sum(x * directions[None]) / jnp.linalg.norm(x) / jnp.linalg.norm(directions[None]))
        for dtype, x in directions.items()
    }
    assert cosines[jnp.bfloat16] > 0.98 and 0.7 < cosines[jnp.int8] < 0.95


@pytest.mark.parametrize("neurons", [None, 0.9])
def test_it_can_be_differentiated_where_a_gradient_is_zero_too(neurons):
    W = normal(4, 6)
    tx = muon(0.1, dtype=jnp.float32, neurons=neurons)

    def after(gradient):
        updates, _ = tx.update(gradient, tx.init(W), W)
        return jnp.sum(W * updates)

    for gradient in (normal(4, 6), jnp.zeros((4, 6)), normal(4, 6).at[:, 2].set(0)):
        assert jnp.isfinite(jax.grad(after)(gradient)).all()

    def moved(rate):
        return jnp.sum(W * muon(rate, dtype=jnp.float32, neurons=neurons).update(W, tx.init(W), W)[0])

    np.testing.assert_allclose(jax.grad(moved)(0.1), moved(1.0), rtol=1e-5)  # it is linear in the rate


class TestPoints:
    def test_there_is_none_behind_the_map(self):
        points, state = run(muon(0.1, axes=axes), NETWORK, [NETWORK])
        with pytest.raises(ValueError, match=r"no base iterate behind a nonlinear map.*ema_nesterov"):
            eval_params(state, points[-1])
        assert velocity(state, points[-1])["dense"]["kernel"].any()

    @pytest.mark.parametrize("beta", [0.6, -0.2])
    def test_it_is_exact_around_it(self, beta):
        for params, step, base in self.around(lambda inner: ema_nesterov(inner, beta, 0.9)):
            chex.assert_trees_all_close(base, optax.apply_updates(params, step), atol=1e-5)

    def test_an_average_around_it_is_one_of_its_iterates(self):
        x = z = NETWORK
        for _, step, base in self.around(lambda inner: gpa(inner, 0.9, 0.7)):
            z = optax.apply_updates(z, step)
            x = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, x, z)
            chex.assert_trees_all_close(base, x, atol=1e-5)

    def around(self, make):
        """Params before each update, the step that Muon takes there in a run of its own, and the base iterate after."""
        inner, tx = muon(0.05, axes=axes), make(muon(0.05, axes=axes))
        params, of_inner, state = NETWORK, inner.init(NETWORK), tx.init(NETWORK)
        for k in range(4):
            gradient = jax.tree.map(lambda p, k=k: jnp.cos(p + k), params)
            step, of_inner = inner.update(gradient, of_inner, params)
            updates, state = tx.update(gradient, state, params)
            before, params = params, optax.apply_updates(params, updates)
            yield before, step, eval_params(state, params)
