"""The log barrier and the Kullback-Leibler divergence: the positive root, in any units and at the edges."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special

from nag_optax import prox as operators

prox: Any = operators  # what these know is not None

pytestmark = pytest.mark.usefixtures("float64", "strict_ranks")

V = np.array([-4.0, -0.3, 0.0, 0.5, 7.0])
STEP = 0.6


def argmin(g, v):
    """The minimum of g(x) + (x - v)^2 / (2 STEP) over x = exp(a), in a."""
    found = optimize.minimize_scalar(
        lambda a: g(np.exp(a)) + (np.exp(a) - v) ** 2 / (2 * STEP),
        bounds=(-20, 5),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return np.exp(found.x)


def root(b, c):
    """Of x^2 = b x + c, in extended precision."""
    b, c = np.longdouble(b), np.longdouble(c)
    length = np.sqrt(b * b + 4 * c)
    return (b + length) / 2 if b >= 0 else 2 * c / (length - b)


def test_they_are_the_argmin():
    targets = np.array([0.4, 3.0, 1e-3, 20.0, 0.1])
    barrier = prox.log_barrier(0.8)(jnp.asarray(V), STEP)
    divergence = prox.kullback_leibler(targets, 0.8)(jnp.asarray(V), STEP)
    for i, (v, t) in enumerate(zip(V, targets, strict=True)):
        np.testing.assert_allclose(barrier[i], argmin(lambda x: -0.8 * np.log(x), v), rtol=1e-6)
        near = argmin(lambda x, t=t: 0.8 * special.kl_div(t, x), v)  # t log(t / x) - t + x
        np.testing.assert_allclose(divergence[i], near, rtol=1e-6)
        np.testing.assert_allclose(barrier[i], float(root(v, STEP * 0.8)), rtol=1e-14)
        np.testing.assert_allclose(divergence[i], float(root(v - STEP * 0.8, STEP * 0.8 * t)), rtol=1e-14)


def test_the_value_is_the_divergence_but_for_a_constant():
    t, x = np.array([0.0, 2.0, 5.0]), jnp.array([1.5, 1.0, 6.0])
    constant = np.sum(special.xlogy(t, t) - t)
    value = prox.kullback_leibler(t, 2.0).value(x)
    np.testing.assert_allclose(value, 2 * (np.sum(special.kl_div(t, x)) - constant))
    np.testing.assert_allclose(prox.log_barrier(2.0).value(x), -2 * np.sum(np.log(x)))


@pytest.mark.parametrize("exponent", [-30, -12, 0, 12, 30])
@pytest.mark.parametrize("v", [-3.0, 3.0])
def test_in_any_units_float32_is_accurate(exponent, v):
    v, s = np.float32(v * 10.0**exponent), 10.0 ** min(exponent, 0)
    out = prox.log_barrier(s)(jnp.asarray([v], jnp.float32), np.float32(1.0))
    assert out.dtype == jnp.float32
    np.testing.assert_allclose(out, [float(root(v, np.float32(s)))], rtol=1e-6)
    assert out[0] > 0


def test_where_strength_or_target_is_0():
    v = jnp.asarray(V)
    for operator in (prox.log_barrier(0.0), prox.kullback_leibler(2.0, 0.0)):
        np.testing.assert_array_equal(operator(v, STEP), np.maximum(V, 0))
        assert operator.value(jnp.array([0.0, 1.0])) == 0
        np.testing.assert_array_equal(jax.jacfwd(operator)(v), np.diag((V >= 0).astype(float)))
        assert operator.conjugate.gauge(-jnp.abs(v)) == 0
        assert operator.conjugate.gauge(v) == np.inf
    none = prox.kullback_leibler(0.0, 0.8)
    np.testing.assert_allclose(none(v, STEP), np.maximum(V - 0.48, 0), atol=1e-15)
    assert none.value(jnp.array([0.0, 1.0])) == 0.8
    assert np.isfinite(jax.grad(lambda v: none(v, STEP).sum())(v)).all()


def test_derivatives_also_of_targets_and_strengths():
    t, s, h = np.array([0.4, 3.0, 1e-3, 20.0, 0.1]), np.linspace(0.5, 1, 5), 1e-6
    direction = np.random.default_rng(0).standard_normal((3, 5)) * np.array([1, 1e-3, 1])[:, None]

    def solve(v, t, s):
        return prox.kullback_leibler(t, s)(v, STEP) + prox.log_barrier(s)(v, STEP)

    points = tuple(map(jnp.asarray, (V, t, s)))
    _, tangent = jax.jvp(solve, points, tuple(map(jnp.asarray, direction)))
    ahead, behind = (solve(*(p + sign * h * d for p, d in zip(points, direction, strict=True))) for sign in (1, -1))
    np.testing.assert_allclose(tangent, (ahead - behind) / (2 * h), atol=1e-7)
    pulled = jax.vjp(solve, *points)[1](jnp.ones(5))
    np.testing.assert_allclose(sum(jnp.sum(g * d) for g, d in zip(pulled, direction, strict=True)), tangent.sum())


def test_strengths_may_be_traced_and_mapped():
    strengths = jnp.array([0.0, 0.1, 2.0])
    for make in (prox.log_barrier, lambda s: prox.kullback_leibler(s, 0.5)):
        batch = jax.jit(jax.vmap(lambda s, make=make: make(s)(jnp.asarray(V), STEP)))(strengths)
        np.testing.assert_allclose(batch, [make(float(s))(jnp.asarray(V), STEP) for s in strengths], atol=1e-14)


def test_the_conjugate_is_infinite_where_the_supremum_is():
    barrier, divergence = prox.log_barrier(0.8).conjugate, prox.kullback_leibler(2.0, 0.8).conjugate
    assert barrier.gauge(jnp.array([-1.0, 0.0])) == np.inf == barrier.value(jnp.array([-1.0, 0.0]))
    assert barrier.gauge(jnp.array([-1.0, -9.0])) == 0
    assert divergence.gauge(jnp.array([-1.0, 1.6])) == 2
    assert divergence.value(jnp.array([0.8])) == np.inf
    x = np.linspace(1e-3, 50, 400_001)
    for v in (-2.0, -0.1):
        np.testing.assert_allclose(barrier.value(jnp.array([v])), np.max(v * x + 0.8 * np.log(x)), rtol=1e-6)
        highest = np.max(v * x - 0.8 * (x - 2 * np.log(x)))
        np.testing.assert_allclose(divergence.value(jnp.array([v])), highest, rtol=1e-6)


def test_errors_in_words():
    with pytest.raises(ValueError, match="target must be finite, at least 0 in every entry"):
        prox.kullback_leibler(np.array([1.0, -1.0]))
    with pytest.raises(ValueError, match="strength must be finite, at least 0 in every entry"):
        prox.log_barrier(-1.0)
    with pytest.raises(ValueError, match="target and strength must broadcast against params"):
        prox.kullback_leibler(np.ones(3))(jnp.ones(2))
    for name, operator in (
        ("log_barrier", prox.log_barrier()),
        ("kullback_leibler", prox.kullback_leibler(np.ones(2))),
    ):
        with pytest.raises(TypeError, match=f"{name} is for real params, got complex128"):
            operator(jnp.ones(2, complex))
