"""Pooled adjacent violators are the projection, and with them SLOPE is what Bogdan et al. say."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_optax import losses, minimize
from nag_optax import prox as operators

prox: Any = operators  # what these know is not None

pytestmark = pytest.mark.usefixtures("float64", "strict_ranks")

RNG = np.random.default_rng(0)
SEQUENCES = {
    "random": RNG.standard_normal(60),
    "rising": np.arange(7.0),
    "falling": -np.arange(7.0),
    "one late fall": np.append(np.arange(40.0), -100),
    "a valley": np.abs(np.arange(-20.0, 25)),
    "ties": RNG.integers(0, 4, 50).astype(float),
    "a pair": np.array([2.0, 1.0]),
    "one": np.array([3.0]),
}


def projection(y):
    """The largest of the smallest means, of all that begin before and end after each entry."""
    sums = np.append(0, np.cumsum(y))
    start, end = np.ogrid[: len(y), 1 : len(y) + 1]
    means = np.where(end > start, (sums[end] - sums[start]) / np.maximum(end - start, 1), np.inf)
    return np.array([means[: i + 1, i:].min(axis=1).max() for i in range(len(y))])


def slope_of(v, s, step=1.0):
    order = np.argsort(-np.abs(v), kind="stable")
    x = np.zeros_like(v)
    x[order] = np.maximum(-projection(step * s - np.abs(v)[order]), 0)
    return np.sign(v) * x


@pytest.mark.parametrize("name", SEQUENCES)
def test_the_projection_is_that_of_all_means(name):
    y = SEQUENCES[name]
    np.testing.assert_allclose(jax.jit(prox.isotonic().apply)(jnp.asarray(y), 1.0), projection(y), atol=1e-12)


def test_rows_are_sequences_and_may_be_mapped_over():
    y = RNG.standard_normal((3, 4, 8))
    expected = np.apply_along_axis(projection, -1, y)
    operator = prox.isotonic()
    np.testing.assert_allclose(operator(jnp.asarray(y)), expected, atol=1e-12)
    np.testing.assert_allclose(jax.vmap(jax.vmap(operator))(jnp.asarray(y)), expected, atol=1e-12)
    assert operator(jnp.ones((2, 0))).shape == (2, 0)


def test_a_block_has_one_derivative_and_equal_neighbours_are_no_block():
    y = jnp.array([1.0, 1.0, 3.0, 2.0, 5.0])
    expected = np.eye(5)
    expected[2:4, 2:4] = 0.5
    for jacobian in (jax.jacfwd, jax.jacrev):
        np.testing.assert_array_equal(jacobian(lambda y: prox.isotonic()(y))(y), expected)


def test_in_float32_a_long_sequence_is_as_accurate_as_its_dtype():
    y = (RNG.standard_normal(3000) + np.linspace(0, 2, 3000)).astype(np.float32)
    exact = prox.isotonic()(jnp.asarray(y, jnp.float64))
    with jax.enable_x64(False) if hasattr(jax, "enable_x64") else jax.experimental.disable_x64():
        out = jax.jit(prox.isotonic().apply)(jnp.asarray(y), 1.0)
    assert out.dtype == jnp.float32
    np.testing.assert_allclose(out, exact, atol=3e-6)


STRENGTHS = {
    "falling": np.linspace(1.5, 0.1, 30),
    "equal": np.full(30, 0.4),
    "one that is large": np.append(8.0, np.full(29, 0.1)),
    "some that are 0": np.append(np.full(5, 0.7), np.zeros(25)),
    "all 0": np.zeros(30),
}
POINTS = {"random": 2 * RNG.standard_normal(30), "ties": RNG.integers(-3, 4, 30).astype(float), "zero": np.zeros(30)}


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("name", STRENGTHS)
def test_slope_is_the_argmin(name, point):
    v, s, step = POINTS[point], STRENGTHS[name], 0.7
    x = np.asarray(jax.jit(lambda s: prox.slope(s)(jnp.asarray(v), step))(s))
    np.testing.assert_allclose(x, slope_of(v, s, step), atol=1e-12)
    assert not np.signbit(x[x == 0]).any()
    u = (v - x) / step  # a subgradient: in the dual ball, and tight at x
    assert np.all(np.cumsum(np.sort(np.abs(u))[::-1]) <= np.cumsum(s) + 1e-10)
    np.testing.assert_allclose(u @ x, prox.slope(s).value(jnp.asarray(x)), atol=1e-10)


def test_the_gauge_is_the_largest_ratio_of_sums():
    v, s = POINTS["random"], STRENGTHS["falling"]
    largest = np.sort(np.abs(v))[::-1]
    expected = max(largest[:k].sum() / s[:k].sum() for k in range(1, 31))
    np.testing.assert_allclose(prox.slope(s).conjugate.gauge(jnp.asarray(v)), expected)
    assert prox.slope(STRENGTHS["all 0"]).conjugate.gauge(jnp.asarray(v)) == np.inf


def test_derivatives_of_slope():
    v, s, h = POINTS["random"], STRENGTHS["falling"], 1e-6
    dv, ds = RNG.standard_normal((2, 30))

    def solve(v, s, step):
        return prox.slope(s)(v, step)

    _, tangent = jax.jvp(solve, (v, s, 0.7), (dv, ds, 0.3))
    difference = (slope_of(v + h * dv, s + h * ds, 0.7 + h * 0.3) - slope_of(v - h * dv, s - h * ds, 0.7 - h * 0.3)) / 2
    np.testing.assert_allclose(tangent, difference / h, atol=1e-7)
    weights = jnp.asarray(RNG.standard_normal(30))
    pulled = jax.grad(lambda *a: weights @ solve(*a), (0, 1, 2))(jnp.asarray(v), jnp.asarray(s), 0.7)
    np.testing.assert_allclose(pulled[0] @ dv + pulled[1] @ ds + pulled[2] * 0.3, weights @ tangent, atol=1e-10)


@pytest.mark.parametrize(("v", "s"), [([2.0, -2.0, 2.0], [0.5, 0.5, 0.5]), ([0.0, 3.0, 0.0], [0.0, 0.0, 0.0])])
def test_entries_of_one_size_under_equal_strengths_move_apart(v, s):
    np.testing.assert_array_equal(jax.jacfwd(prox.slope(jnp.array(s)))(jnp.array(v)), np.eye(3))


def test_strengths_for_each_leaf_mapped_and_scaled():
    v = {"a": jnp.asarray(POINTS["random"]), "b": jnp.array([[3.0, -1.0], [1.0, 1.0]])}
    each = {"a": STRENGTHS["falling"], "b": np.array([1.0, 0.5])}
    x = prox.slope(each)(v)
    np.testing.assert_allclose(x["a"], slope_of(POINTS["random"], each["a"]), atol=1e-12)
    np.testing.assert_allclose(x["b"], [slope_of(row, each["b"]) for row in np.asarray(v["b"])], atol=1e-12)
    factors = jnp.array([0.0, 0.5, 2.0])
    batch = jax.jit(jax.vmap(lambda f: prox.slope(f * each["a"])(v["a"], 1.0)))(factors)
    expected = [slope_of(POINTS["random"], float(f) * each["a"]) for f in factors]
    np.testing.assert_allclose(batch, expected, atol=1e-12)


def test_a_regression_is_certified_and_clusters():
    a = RNG.standard_normal((40, 10))
    a[:, 1] = a[:, 0] + 0.01 * RNG.standard_normal(40)
    y = a[:, 0] + a[:, 1] - 2 * a[:, 5]
    strengths = np.linspace(6, 2, 10)
    found = minimize(
        losses.squared(y), jnp.zeros(10), linear=jnp.asarray(a), prox=prox.slope(strengths), stop="gap", tol=1e-9
    )
    assert found.gap <= 1e-9 * found.value
    assert found.params[0] == found.params[1] != 0


def test_errors_in_words():
    with pytest.raises(ValueError, match="strengths must be non-increasing along the last axis, got"):
        prox.slope(np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="strengths must be finite, at least 0 in every entry"):
        prox.slope(np.array([1.0, -2.0]))
    with pytest.raises(ValueError, match=r"strengths must be arrays \[n\], got a scalar, 1.0: that is prox.l1"):
        prox.slope(1.0)
    with pytest.raises(ValueError, match=r"must be of one n, got \(2,\) for \(3,\)"):
        prox.slope(np.ones(2))(jnp.ones(3))
    with pytest.raises(ValueError, match=r"must be of one n, got \(1,\) for \(\)"):
        prox.slope(np.ones(1))(jnp.ones(()))
    with pytest.raises(ValueError, match="isotonic needs sequences, got a scalar"):
        prox.isotonic()(jnp.ones(()))
    for name, operator in (("slope", prox.slope(np.ones(2))), ("isotonic", prox.isotonic())):
        with pytest.raises(TypeError, match=f"{name} is for real params, got complex128"):
            operator(jnp.ones(2, complex))
