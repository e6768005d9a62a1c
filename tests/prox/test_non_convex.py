"""Hard thresholding finds the best of all supports and ranks, and minimize a stationary point."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_optax import Status, losses, minimize
from nag_optax import prox as operators

prox: Any = operators  # what these know is not None

pytestmark = pytest.mark.usefixtures("float64", "strict_ranks")

RNG = np.random.default_rng(0)
KINDS = pytest.mark.parametrize("kind", ["real", "complex"])


def normal(kind, *shape):
    return RNG.standard_normal(shape) + (1j * RNG.standard_normal(shape) if kind == "complex" else 0)


@KINDS
@pytest.mark.parametrize("strength", [0.0, 0.05, 0.7, 30.0])
def test_l0_is_the_best_of_all_supports(kind, strength):
    v, step = normal(kind, 6), 0.8
    candidates = [v * np.array(keep) for keep in itertools.product([0, 1], repeat=6)]
    costs = [strength * np.count_nonzero(x) + np.sum(np.abs(x - v) ** 2) / (2 * step) for x in candidates]
    x = jax.jit(prox.l0(strength).apply)(jnp.asarray(v), step)
    np.testing.assert_array_equal(x, candidates[int(np.argmin(costs))])
    np.testing.assert_allclose(prox.l0(strength).value(x), strength * np.count_nonzero(x))


@KINDS
@pytest.mark.parametrize("strength", [0.0, 0.5, 2.0, 100.0])
@pytest.mark.parametrize("shape", [(4, 6), (6, 4)])
def test_rank_is_the_best_of_all_ranks(kind, strength, shape):
    v, step = normal(kind, *shape), 0.8
    u, s, wh = np.linalg.svd(v, full_matrices=False)
    costs = [strength * k + np.sum(s[k:] ** 2) / (2 * step) for k in range(5)]  # Eckart and Young
    best = int(np.argmin(costs))
    x = jax.jit(prox.rank(strength).apply)(jnp.asarray(v), step)
    np.testing.assert_allclose(x, (u[:, :best] * s[:best]) @ wh[:best], atol=1e-12)
    np.testing.assert_allclose(prox.rank(strength).value(x), strength * best)


def test_of_two_minimisers_it_is_the_one_with_more_zeros():
    assert prox.l0(2.0)(jnp.array([2.0, 2.1]), 1.0).tolist() == [0.0, 2.1]


def test_at_strength_0_nothing_vanishes_nor_does_the_derivative():
    v = jnp.array([0.0, 1.0])
    np.testing.assert_array_equal(jax.jacfwd(prox.l0(0.0))(v), np.eye(2))
    matrix, move = jnp.diag(jnp.array([2.0, 0.0, 0.0])), jnp.asarray(normal("real", 3, 3))
    for make in (prox.rank, prox.nuclear_norm):
        np.testing.assert_allclose(jax.jvp(make(0.0), (matrix,), (move,))[1], move, atol=1e-12)


@KINDS
def test_derivatives_hold_the_rank_and_the_support(kind):
    v, d, h = jnp.asarray(normal(kind, 5, 4)), jnp.asarray(normal(kind, 5, 4)), 1e-6
    for make, s in ((prox.l0, 0.5), (prox.rank, 3.0)):
        x, tangent = jax.jvp(lambda v, s, make=make: make(s)(v, 0.8), (v, s), (d, 1.0))
        assert 0 < make(1.0).value(x) < min(v.shape) or make is prox.l0
        ends = [make(s + sign * h)(v + sign * h * d, 0.8) for sign in (1, -1)]
        np.testing.assert_allclose(tangent, (ends[0] - ends[1]) / (2 * h), atol=1e-6)
        pulled = jax.vjp(lambda v, s, make=make: make(s)(v, 0.8), v, s)[1](x)
        assert np.isfinite(pulled[0]).all() and pulled[1] == 0


def test_dtypes_batches_and_strengths_for_each_leaf():
    matrix = jnp.asarray(normal("real", 8, 2) @ normal("real", 2, 8))
    for dtype in (jnp.bfloat16, jnp.float32):
        operator, x = prox.rank(1.0), matrix.astype(dtype)
        out = operator(x, 1e-3)
        assert out.dtype == dtype
        assert operator.value(operator(x, 0.1)) == 2  # rounding makes no rank
    leaves = {"a": jnp.array([1.0, 3.0]), "b": jnp.array([1.0, 3.0])}
    out = prox.l0({"a": np.array([0.1, 0.1]), "b": 1.0})(leaves)
    assert out["a"].tolist() == [1, 3] and out["b"].tolist() == [0, 3]
    stack, strengths = jnp.asarray(normal("real", 3, 4, 5)), jnp.array([0.0, 1.0, 9.0])
    for make in (prox.l0, prox.rank):
        batch = jax.jit(jax.vmap(lambda v, s, make=make: make(s)(v, 1.0)))(stack, strengths)
        for row, v, s in zip(batch, stack, strengths, strict=True):
            np.testing.assert_allclose(row, make(float(s))(v, 1.0), atol=1e-12)
    np.testing.assert_allclose(prox.rank(strengths)(stack), batch, atol=1e-12)


def test_what_has_converged_is_a_fixed_point_but_need_not_be_the_minimum():
    a = RNG.standard_normal((30, 8))
    y = a @ np.array([2.0, 0, 0, -1.5, 0, 0, 0, 1.0]) + 0.1 * RNG.standard_normal(30)

    def f(x):
        return jnp.sum((jnp.asarray(a) @ x - y) ** 2) / 2

    operator = prox.l0(1.0)
    found = minimize(f, jnp.zeros(8), prox=operator, tol=1e-9)
    assert found.status == Status.CONVERGED and np.isnan(found.gap)
    step = 1 / np.linalg.norm(a, 2) ** 2
    moved = operator(found.params - step * jax.grad(f)(found.params), step)
    np.testing.assert_allclose(moved, found.params, atol=1e-7)
    costs = []
    for keep in itertools.product([False, True], repeat=8):
        x = np.zeros(8)
        x[list(keep)] = np.linalg.lstsq(a[:, list(keep)], y)[0]
        costs.append(float(f(jnp.asarray(x))) + sum(keep))
    assert found.value >= min(costs) - 1e-9
    with pytest.raises(ValueError, match="prox does not know its conjugate"):
        minimize(losses.squared(y), jnp.zeros(8), linear=jnp.asarray(a), prox=operator, stop="gap")


def test_errors_in_words():
    assert prox.l0().conjugate is prox.rank().conjugate is None
    with pytest.raises(ValueError, match=r"rank needs matrices, got shape \(3,\): mask the leaf out"):
        prox.rank()(jnp.ones(3))
    with pytest.raises(ValueError, match="strength must be finite, at least 0"):
        prox.l0(-1.0)
