"""Second-order and semidefinite cones: projections of SciPy and NumPy, derivatives where eigenvalues coincide."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize

from nag_optax import minimize, prox

pytestmark = pytest.mark.usefixtures("float64", "strict_ranks")


@pytest.mark.parametrize("seed", range(4))
def test_second_order_cone_is_the_nearest_point_that_slsqp_finds(seed):
    v = np.random.default_rng(seed).standard_normal(5)
    cone = {"type": "ineq", "fun": lambda u: u[0] ** 2 - (u[1:] ** 2).sum()}
    above = {"type": "ineq", "fun": lambda u: u[0]}
    start = np.array([2.0, 0.1, 0, 0, 0])
    found = scipy_minimize(lambda u: ((u - v) ** 2).sum(), start, constraints=[cone, above], options={"ftol": 1e-14})
    np.testing.assert_allclose(prox.second_order_cone()(jnp.asarray(v)), found.x, atol=1e-6)


def test_second_order_cone_in_its_three_cases_and_at_its_edges():
    cone = prox.second_order_cone()
    v = jnp.array([[5.0, 3, 4], [6, 3, 4], [-5, 3, 4], [-6, 3, 4], [0, 3, 4], [0, 0, 0], [2, 0, 0], [-2, 0, 0]])
    expected = [[5, 3, 4], [6, 3, 4], [0, 0, 0], [0, 0, 0], [2.5, 1.5, 2], [0, 0, 0], [2, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(cone(v), expected)
    assert np.isfinite(jax.jit(jax.jacfwd(lambda v: cone(v, 1.0)))(v)).all()
    np.testing.assert_array_equal(cone(jnp.array([[-1.0], [2.0]])), [[0], [2]])  # a half-line
    assert cone(jnp.ones(3, jnp.bfloat16)).dtype == jnp.bfloat16


def stack(seed, dtype, shape=(3, 4, 4)):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if dtype is complex else 0)


@pytest.mark.parametrize("dtype", [float, complex])
def test_psd_cone_clips_eigenvalues_of_the_hermitian_part(dtype):
    x = stack(0, dtype)
    out = np.asarray(prox.psd_cone()(jnp.asarray(x)))
    for matrix, projected in zip(x, out, strict=True):
        values, u = np.linalg.eigh((matrix + matrix.conj().T) / 2)
        np.testing.assert_allclose(projected, (u * np.maximum(values, 0)) @ u.conj().T, atol=1e-13)
        np.testing.assert_array_equal(projected, projected.conj().T)


def test_psd_cone_is_the_nearest_point_that_bfgs_finds():
    v = stack(1, float, (3, 3))

    def distance(flat):
        root = flat.reshape(3, 3)
        return ((root @ root.T - v) ** 2).sum()

    found = scipy_minimize(distance, np.eye(3).ravel(), options={"gtol": 1e-10}).x.reshape(3, 3)
    np.testing.assert_allclose(prox.psd_cone()(jnp.asarray(v)), found @ found.T, atol=1e-5)


DIAGONALS = {
    "distinct": [2.0, 0.5, -1, -3],
    "equal": [2.0, 2, -1, -1],
    "opposite": [1.0, 1, -1, -1],
    "close": [1.0, 1 + 1e-15, -1, -2],
}


@pytest.mark.parametrize("case", DIAGONALS)
@pytest.mark.parametrize("dtype", [float, complex])
def test_derivatives_where_eigenvalues_coincide(case, dtype):
    u, _ = np.linalg.qr(stack(2, dtype, (4, 4)))
    x, d = jnp.asarray((u * DIAGONALS[case]) @ u.conj().T), jnp.asarray(stack(3, dtype, (4, 4)))
    cone = jax.jit(prox.psd_cone().apply)
    _, tangent = jax.jit(lambda: jax.jvp(cone, (x, 1.0), (d, 0.0)))()
    h = 1e-5
    np.testing.assert_allclose(tangent, (cone(x + h * d, 1.0) - cone(x - h * d, 1.0)) / (2 * h), atol=1e-8)
    _, pull = jax.vjp(lambda x: cone(x, 1.0), x)
    weights = jnp.asarray(stack(4, dtype, (4, 4)))
    np.testing.assert_allclose((weights * tangent).sum().real, (pull(weights)[0] * d).sum().real, rtol=1e-10)


@pytest.mark.parametrize("make", [prox.second_order_cone, prox.psd_cone])
def test_the_polar_cone_is_the_conjugate_s_domain(make):
    cone = make()
    assert cone.conjugate
    for v in map(jnp.asarray, stack(5, float, (5, 3, 4, 4))):
        inside, more = -cone(-v), cone(jnp.broadcast_to(1.0 * jnp.eye(4), v.shape))
        assert cone.conjugate.gauge(inside) == 0 == cone.conjugate.value(inside)
        assert cone.conjugate.gauge(more) == cone.conjugate.gauge(inside + 10 * more) == np.inf
        np.testing.assert_allclose(jax.vmap(cone.apply, (0, None))(v, 1.0), cone(v), atol=1e-13)


def test_nearest_correlation_matrix():
    """Higham's example, IMA J. Numerical Analysis 22, 2002: the nearest with a diagonal of ones, by its dual."""
    matrix = jnp.array([[2.0, -1, 0, 0], [-1, 2, -1, 0], [0, -1, 2, -1], [0, 0, -1, 2]])
    cone = prox.psd_cone()

    def dual(y):
        return (cone(matrix + jnp.diag(y), 1.0) ** 2).sum() / 2 - y.sum()

    y = minimize(dual, jnp.zeros(4), tol=1e-10).params
    x = np.asarray(cone(matrix + jnp.diag(y)))
    expected = [1, -0.8084, 0.1916, 0.1068], [-0.8084, 1, -0.6562, 0.1916]
    np.testing.assert_allclose(x[:2], expected, atol=1e-4)


def test_what_does_not_fit_is_named():
    with pytest.raises(TypeError, match=r"second_order_cone is for real params"):
        prox.second_order_cone()(jnp.ones(3, complex))
    with pytest.raises(ValueError, match=r"second_order_cone needs vectors"):
        prox.second_order_cone()(jnp.ones(()))
    for shape in ((3,), (2, 3)):
        with pytest.raises(ValueError, match="psd_cone needs square matrices"):
            prox.psd_cone()(jnp.ones(shape))
