"""The polar factor by products, against the singular value decomposition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_optax.maps import POLAR_EXPRESS, QUINTIC, polar_factor
from oracles.published.maps import best_odd_quintic, newton_schulz

RNG = np.random.default_rng(0)


def matrix(rows, columns, spectrum=None, dtype=float):
    """A random matrix with a given spectrum."""
    G = RNG.standard_normal((rows, columns)) + (1j * RNG.standard_normal((rows, columns)) if dtype is complex else 0)
    u, s, vh = np.linalg.svd(G, full_matrices=False)
    return (u * (s if spectrum is None else spectrum)) @ vh


def exact(G):
    u, _, vh = np.linalg.svd(G, full_matrices=False)
    return u @ vh


SHAPES = [(8, 8), (6, 20), (20, 6), (1, 5), (5, 1)]


@pytest.mark.usefixtures("float64")
class TestAgainstTheDecomposition:
    @pytest.mark.parametrize("dtype", [float, complex])
    @pytest.mark.parametrize("shape", SHAPES)
    def test_polar_express_is_the_polar_factor(self, shape, dtype):
        G = matrix(*shape, np.geomspace(1, 3e-2, min(shape)), dtype)
        np.testing.assert_allclose(polar_factor(jnp.asarray(G), "polar_express", jnp.float64), exact(G), atol=2e-6)

    @pytest.mark.parametrize("dtype", [float, complex])
    @pytest.mark.parametrize("shape", SHAPES)
    def test_the_quintic_is_that_of_the_code(self, shape, dtype):
        G = matrix(*shape, dtype=dtype)
        np.testing.assert_allclose(polar_factor(jnp.asarray(G), dtype=jnp.float64), newton_schulz(G), atol=1e-6)

    def test_the_quintic_keeps_singular_vectors_and_brings_values_near_1(self):
        G = matrix(30, 50, np.geomspace(1, 3e-2, 30))
        u, _, vh = np.linalg.svd(G, full_matrices=False)
        core = u.T @ np.asarray(polar_factor(jnp.asarray(G), dtype=jnp.float64)) @ vh.T
        assert abs(core - np.diag(np.diag(core))).max() < 1e-8
        assert 0.65 < np.diag(core).min() and np.diag(core).max() < 1.25

    def test_rows_may_be_given(self):
        G = jnp.asarray(matrix(4, 6))
        given = [[1.5, -0.5, 0.0]] * 40  # Newton and Schulz' own, which converges
        np.testing.assert_allclose(polar_factor(G, given, jnp.float64), exact(np.asarray(G)), atol=1e-10)

    def test_a_stack_is_its_matrices(self):
        stack = jnp.asarray(RNG.standard_normal((2, 3, 4, 6)))
        one_by_one = jnp.stack([jnp.stack([polar_factor(x) for x in row]) for row in stack])
        np.testing.assert_allclose(polar_factor(stack), one_by_one, atol=1e-6)


def test_the_table_of_polar_express_is_greedily_best():
    """Each row is best for what the rows before it leave of [1e-3, 1]; as in the authors' code, on a range of no more
    than a factor of 1 / 0.024, and then centred around 1 on the whole.
    """
    lower, upper = 1e-3, 1.0
    for row in POLAR_EXPRESS[:-1]:
        best = np.array(best_odd_quintic(max(lower, 0.02407327424182761 * upper), upper))
        ends = [np.array([x, x**3, x**5]) @ best for x in (lower, upper)]
        best *= 2 / sum(ends)
        np.testing.assert_allclose(np.array(row) * 1.01 ** np.array([1, 3, 5]), best, rtol=1e-5)
        lower = np.array([lower, lower**3, lower**5]) @ best
        upper = 2 - lower
    np.testing.assert_allclose(POLAR_EXPRESS[-1], best_odd_quintic(1 - 1e-3, 1 + 1e-3), rtol=1e-4)


@pytest.mark.parametrize("rows", [QUINTIC, POLAR_EXPRESS], ids=["quintic", "polar express"])
@pytest.mark.parametrize("shape", [(30, 60), (60, 240), (240, 30)])
def test_rows_that_go_together_round_as_little(shape, rows):
    """Of wide matrices, against one row after another in float64, down to singular values that vanish."""
    G = matrix(*shape, np.geomspace(1, 1e-7, min(shape)))
    X = G.T if shape[0] > shape[1] else G
    X = X / np.linalg.norm(X)
    for a, b, c in rows:
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    ours = polar_factor(jnp.asarray(G, jnp.float32), rows, jnp.float32)
    assert abs(np.asarray(ours) - (X.T if shape[0] > shape[1] else X)).max() < 1e-4


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("size", [1e-36, 1e-30, 1e-15, 1.0, 1e15, 1e36])
def test_scale_does_not_matter(size, dtype):
    G = jnp.asarray(matrix(8, 12), jnp.float32)
    np.testing.assert_allclose(polar_factor(size * G, dtype=dtype), polar_factor(G, dtype=dtype), atol=0.1)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "complex64"])
def test_the_dtype_of_the_matrix_stays(dtype):
    factor = polar_factor(jnp.asarray(matrix(4, 5), dtype))
    assert factor.dtype == dtype
    singular = np.linalg.svd(np.asarray(factor, complex if dtype == "complex64" else float), compute_uv=False)
    assert singular.min() > 0.6 and singular.max() < 1.3


def test_zeros_stay_zeros():
    assert not polar_factor(jnp.zeros((3, 4, 5))).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_makes_its_matrix_nan_and_no_other(bad):
    stack = jnp.ones((2, 3, 4)).at[0, 1, 2].set(bad)
    finite = np.isfinite(polar_factor(stack))
    assert not finite[0].any() and finite[1].all()


def test_under_strict_promotion():
    with jax.numpy_dtype_promotion("strict"):
        for dtype in (jnp.bfloat16, jnp.float32):
            assert jnp.isfinite(polar_factor(jnp.ones((3, 4), dtype), dtype=jnp.bfloat16)).all()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("cubic",), ValueError, "polynomial must be one of 'quintic', 'polar_express'"),
        (((),), ValueError, "rows of three finite numbers"),
        ((((1.0, 2.0),),), ValueError, "rows of three finite numbers"),
        ((((1.0, 2.0, np.nan),),), ValueError, "rows of three finite numbers"),
        ((None,), (TypeError, ValueError), "rows of three finite numbers"),
        (("quintic", jnp.int8), TypeError, "dtype must be a floating dtype"),
        (("quintic", None), TypeError, "dtype must be a floating dtype"),
    ],
)
def test_what_does_not_fit_is_named(arguments, error, words):
    with pytest.raises(error, match=words):
        polar_factor(jnp.eye(2), *arguments)


def test_five_rows_of_polar_express_are_nearer_than_the_quintic():
    spectrum = np.geomspace(1, 1e-2, 40)
    G = jnp.asarray(matrix(40, 60, spectrum), jnp.float32)
    errors = [
        np.linalg.norm(np.asarray(polar_factor(G, rows, jnp.float32)) - exact(np.asarray(G, float)))
        for rows in (QUINTIC, POLAR_EXPRESS[:5], POLAR_EXPRESS)
    ]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_the_largest_numbers_are_as_good_as_any():
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]], np.float32)
    for size in (1e38, 3e38, 1e-37):
        np.testing.assert_allclose(
            polar_factor(size * jnp.asarray(turn), "polar_express", jnp.float32), turn, atol=1e-5
        )


@pytest.mark.parametrize("x", [jnp.array([[3, 0], [0, 1]]), jnp.ones(3), [1.0]])
def test_what_is_no_matrix_is_refused(x):
    with pytest.raises(TypeError, match="x must be floating or complex matrices"):
        polar_factor(x)
