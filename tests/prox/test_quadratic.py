"""The operator of a quadratic function solves NumPy's linear system."""

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
FACTOR = RNG.standard_normal((6, 4))
MATRICES = {
    "definite": FACTOR @ FACTOR.T + np.eye(6),
    "singular": FACTOR @ FACTOR.T,
    "zero": np.zeros((6, 6)),
    "diagonal": np.array([0.0, 1.0, 0.5, 2.0, 1e-3, 4.0]),
}
Q, V = RNG.standard_normal((2, 6))


def solved(p, q, v, step):
    p = np.diag(p) if p.ndim == 1 else p
    return np.linalg.solve(np.eye(6) + step * p, v - step * q)


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("q", [None, Q])
@pytest.mark.parametrize("step", [0.1, 50.0])
def test_it_is_the_argmin(name, q, step):
    p = MATRICES[name]
    x = jax.jit(prox.quadratic(p, q).apply)(jnp.asarray(V), step)
    np.testing.assert_allclose(x, solved(p, 0 if q is None else q, V, step), atol=1e-11)
    whole = np.diag(p) if p.ndim == 1 else p
    value = x @ whole @ x / 2 + (0 if q is None else q @ x)
    np.testing.assert_allclose(prox.quadratic(p, q).value(x), value, atol=1e-11)


@pytest.mark.parametrize("name", MATRICES)
def test_derivatives_also_of_what_it_is_made_of(name):
    p, h = MATRICES[name], 1e-6
    d = RNG.standard_normal(p.shape)
    d = d + d.T
    dq, dv = RNG.standard_normal((2, 6))

    def solve(p, q, v, step):
        return prox.quadratic(p, q)(v, step)

    _, tangent = jax.jvp(solve, (p, Q, V, 0.7), (d, dq, dv, 0.3))
    ends = [solved(p + sign * h * d, Q + sign * h * dq, V + sign * h * dv, 0.7 + sign * h * 0.3) for sign in (1, -1)]
    np.testing.assert_allclose(tangent, (ends[0] - ends[1]) / (2 * h), atol=1e-7)
    pulled = jax.vjp(lambda *a: solve(*a, 0.7), *map(jnp.asarray, (p, Q, V)))[1](jnp.ones(6))
    assert all(np.isfinite(g).all() for g in pulled)


def test_dtypes_leaves_and_batches():
    v = {"w": jnp.asarray(V, jnp.bfloat16)}
    out = prox.quadratic(MATRICES["definite"])(v)
    assert out["w"].dtype == jnp.bfloat16
    exact = solved(MATRICES["definite"], 0, np.asarray(v["w"], float), 1.0)
    np.testing.assert_allclose(np.asarray(out["w"], float), exact, atol=1e-2)
    scales = jnp.array([0.0, 1.0, 3.0])
    batch = jax.jit(jax.vmap(lambda s: prox.quadratic(s * MATRICES["singular"], Q)(jnp.asarray(V), 0.7)))(scales)
    np.testing.assert_allclose(batch, [solved(float(s) * MATRICES["singular"], Q, V, 0.7) for s in scales], atol=1e-12)


def test_a_gram_matrix_in_float32_passes():
    a = RNG.standard_normal((5, 300)).astype(np.float32)
    prox.quadratic(jnp.asarray(a.T @ a))
    prox.quadratic(a.T @ a)


def test_tikhonov():
    a, y = RNG.standard_normal((9, 6)), RNG.standard_normal(9)
    found = minimize(
        losses.squared(y), jnp.zeros(6), linear=jnp.asarray(a), prox=prox.quadratic(MATRICES["singular"]), tol=1e-10
    )
    np.testing.assert_allclose(found.params, np.linalg.solve(a.T @ a + MATRICES["singular"], a.T @ y), atol=1e-8)


@pytest.mark.parametrize(
    ("p", "q", "error", "words"),
    [
        (1.0, None, TypeError, r"P must be an array \[n, n\], or \[n\] for a diagonal matrix, got float"),
        (np.ones((2, 3)), None, ValueError, r"P must be an array .* got shape \(2, 3\)"),
        (np.ones((1, 1, 1)), None, ValueError, r"P must be an array .* got shape \(1, 1, 1\)"),
        (np.eye(2, dtype=complex), None, TypeError, "P must be a number, an array"),
        (np.array([[1.0, 0.5], [0.0, 1.0]]), None, ValueError, "P must be symmetric, got entries that differ by 0.5"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), None, ValueError, "P must be positive semidefinite, got an eigenvalue of"),
        (np.array([1.0, -1.0]), None, ValueError, "P must be finite, at least 0 in every entry"),
        (np.array([[np.nan]]), None, ValueError, "P must be finite"),
        (np.eye(2), 1.0, TypeError, r"q must be an array \[n\], or None, got float"),
        (np.eye(2), np.ones(3), ValueError, r"q must be \[2\] as P is \[2, 2\], got shape \(3,\)"),
    ],
)
def test_errors_in_words(p, q, error, words):
    with pytest.raises(error, match=words):
        prox.quadratic(p, q)


def test_leaves_of_the_wrong_kind_are_named():
    operator = prox.quadratic(np.eye(2))
    for params in (jnp.ones(3), jnp.ones((2, 2)), {"a": jnp.ones(2), "b": jnp.ones(2)}):
        for function in (operator, operator.value):
            with pytest.raises(ValueError, match=r"P needs params of a single leaf \[2\], got"):
                function(params)
    with pytest.raises(TypeError, match="quadratic is for real params, got complex128"):
        operator(jnp.ones(2, complex))
