"""Complex params: solutions are those of NumPy, which knows nothing of pairs of real numbers."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.experimental.sparse import BCOO

from nag_optax import Status, losses, minimize, path, prox

pytestmark = [
    pytest.mark.usefixtures("float64", "strict_ranks"),
    pytest.mark.filterwarnings("ignore:Casting complex values"),  # of jax 0.5.3, where real numbers meet complex ones
]


def normal(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def shrunk(v, t):
    size = np.abs(v)
    return v * np.maximum(1 - t / np.where(size > 0, size, 1), 0)


def ista(gradient, operator, x, lipschitz, steps=4000):
    """Proximal gradient with the direction of steepest ascent, A^H (A x - y)."""
    for _ in range(steps):
        x = operator(x - gradient(x) / lipschitz, 1 / lipschitz)
    return x


class Lasso:
    """|A x - y|^2 / 2 + 5 |x|_1."""

    rng = np.random.default_rng(0)
    A = normal(rng, 25, 20)
    y, strength = A[:, :3] @ np.array([1 + 2j, -1j, 2]) + 0.3 * normal(rng, 25), 5.0
    lipschitz = np.linalg.norm(A, 2) ** 2

    @classmethod
    @functools.cache
    def solution(cls):
        return ista(
            lambda x: cls.A.conj().T @ (cls.A @ x - cls.y),
            lambda v, s: shrunk(v, s * cls.strength),
            np.zeros(20, complex),
            cls.lipschitz,
        )


def squares(x, A=Lasso.A, y=Lasso.y):
    return 0.5 * jnp.sum(jnp.abs(jnp.asarray(A) @ x - y) ** 2)


def sparse(A):
    return BCOO.fromdense(jnp.asarray(A))


KINDS = {
    "full_backtracking": (squares, {}),
    "fista": (squares, {"method": "fista", "step_size": 1 / Lasso.lipschitz}),
    "pogm": (squares, {"method": "pogm", "step_size": 1 / Lasso.lipschitz}),
    "ac_fgm": (squares, {"method": "ac_fgm", "tol": 1e-8}),  # as slow as on the real problem
    "unrolled": (squares, {"implicit_diff": False, "max_steps": 100}),
    "matrix": (losses.squared(Lasso.y), {"linear": Lasso.A}),
    "sparse": (losses.squared(Lasso.y), {"linear": sparse(Lasso.A)}),
    "affine": (losses.squared(jnp.zeros(25)), {"linear": lambda x: Lasso.A @ x - Lasso.y}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_lasso_is_that_of_numpy(kind):
    fun, options = KINDS[kind]
    options = {"tol": 1e-12, "prox": prox.l1(Lasso.strength), **options}
    found = minimize(fun, jnp.zeros(20, complex), **options)
    assert found.status == Status.CONVERGED and found.params.dtype == complex
    near = 1e-5 if kind == "ac_fgm" else 1e-8
    np.testing.assert_allclose(found.params, Lasso.solution(), atol=near)
    assert np.all((np.asarray(found.params) == 0) == (Lasso.solution() == 0))  # exact zeros
    inside = jax.jit(lambda x: minimize(fun, x, **options))(jnp.zeros(20, complex))
    np.testing.assert_allclose(inside.params, found.params, atol=1e-9)
    if "linear" in options:
        assert -1e-11 <= found.value - inside.value + found.gap <= 1e-8
    again = minimize(fun, found, **options)
    assert found.steps > again.steps
    np.testing.assert_allclose(again.params, found.params, atol=near)


@pytest.mark.parametrize("method", ["adanag", "transformation"])
def test_smooth_problems_of_every_method(method):
    tx = method if method == "adanag" else optax.sgd(1 / Lasso.lipschitz, 0.9, nesterov=True)
    found = minimize(squares, jnp.zeros(20, complex), method=tx, tol=1e-10)
    np.testing.assert_allclose(found.params, np.linalg.lstsq(Lasso.A, Lasso.y)[0], atol=1e-7)


def haar(x):
    """One level, orthonormal, along both axes."""
    for axis in (0, 1):
        even, odd = (x[start::2] if axis == 0 else x[:, start::2] for start in (0, 1))
        x = (np if isinstance(x, np.ndarray) else jnp).concatenate([even + odd, even - odd], axis) / 2**0.5
    return x


def test_undersampled_fourier_samples_with_sparse_wavelets():
    rng = np.random.default_rng(1)
    mask = rng.random((8, 8)) < 0.6
    F = np.fft.fft(np.eye(8), norm="ortho")
    matrix = mask.ravel()[:, None] * np.kron(F, F)
    image = np.kron(normal(rng, 4, 4), np.ones((2, 2)))
    samples = mask * (np.fft.fft2(image, norm="ortho") + 0.05 * normal(rng, 8, 8))
    basis = np.stack([haar(row.reshape(8, 8)).ravel() for row in np.eye(64)], 1)  # wavelets of an image

    def fourier(w):
        return jnp.asarray(mask) * jnp.fft.fft2((basis.T @ w.reshape(64)).reshape(8, 8), norm="ortho")

    M = matrix @ basis.T
    twin = ista(
        lambda w: M.conj().T @ (M @ w - samples.ravel()), lambda v, s: shrunk(v, 0.1 * s), np.zeros(64, complex), 1.0
    )
    start, options = jnp.zeros((8, 8), complex), {"prox": prox.l1(0.1), "tol": 1e-12, "linear": fourier}
    found = minimize(losses.squared(samples), start, stop="gap", **options)
    least = np.sum(np.abs(M @ twin - samples.ravel()) ** 2) / 2 + 0.1 * np.abs(twin).sum()
    np.testing.assert_allclose(found.value, least)
    found = minimize(losses.squared(samples), start, **options)
    np.testing.assert_allclose(found.params.reshape(64), twin, atol=1e-8)


def test_a_matrix_of_low_rank():
    rng = np.random.default_rng(2)
    seen, target = rng.random((6, 5)) < 0.8, normal(rng, 6, 2) @ normal(rng, 2, 5)

    def operator(v, s):
        u, sigma, wh = np.linalg.svd(v, full_matrices=False)
        return u * np.maximum(sigma - s, 0) @ wh

    twin = ista(lambda x: seen * (x - target), operator, np.zeros((6, 5), complex), 1.0)
    found = minimize(
        lambda x: 0.5 * jnp.sum(seen * jnp.abs(x - target) ** 2),
        jnp.zeros((6, 5), complex),
        prox=prox.nuclear_norm(),
        tol=1e-12,
    )
    np.testing.assert_allclose(found.params, twin, atol=1e-8)


def test_derivatives_are_those_of_central_differences():
    y, A, h = jnp.asarray(Lasso.y), jnp.asarray(Lasso.A), 1e-5
    rng = np.random.default_rng(3)
    dy, dA, weights = (jnp.asarray(normal(rng, *shape)) for shape in ((25,), (25, 20), (20,)))

    def solution_of(strength, y, A, implicit_diff=True):
        start, steps = jnp.full(20, 0.1 - 0.1j), 10_000 if implicit_diff else 100
        return minimize(
            lambda x, y: squares(x, A, y),
            start,
            args=(y,),
            prox=prox.l1(strength),
            tol=1e-13,
            implicit_diff=implicit_diff,
            max_steps=steps,
        ).params

    run = jax.jit(solution_of, static_argnums=3)
    ahead, behind = (run(5.0 + s * h * 0.7, y + s * h * dy, A + s * h * dA) for s in (1, -1))
    difference = (ahead - behind) / (2 * h)
    _, tangent = jax.jit(lambda: jax.jvp(solution_of, (5.0, y, A), (0.7, dy, dA)))()
    np.testing.assert_allclose(tangent, difference, atol=1e-7)
    for implicit_diff in (True, False):

        def measured(*at, implicit_diff=implicit_diff):
            return jnp.sum((weights.conj() * run(*at, implicit_diff)).real)

        slopes = jax.jit(jax.grad(measured, (0, 1, 2)))(5.0, y, A)
        along = sum(jnp.sum((g * d).real) for g, d in zip(slopes, (0.7, dy, dA), strict=True))  # JAX's are conjugates
        np.testing.assert_allclose(along, np.sum((weights.conj() * difference).real), rtol=1e-6)


OPERATORS = {
    "l1": prox.l1,
    "linf_norm": lambda s: prox.linf_norm(3 * s),
    "translated": lambda s: prox.translated(prox.l1(s), jnp.full(8, 0.1j)),
}


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_gap_is_a_bound(operator):
    for seed in range(2):
        rng = np.random.default_rng(seed)
        A, y, weights = normal(rng, 12, 8), normal(rng, 12), rng.uniform(0, 2, 12)
        strength = 0.3 * np.abs(A.conj().T @ (weights * y)).max()
        options = {"prox": OPERATORS[operator](strength), "linear": A}
        fun, start = losses.squared(y, weights), jnp.full(8, 0.1 - 0.1j)

        def plain(x, A=A, y=y, weights=weights):
            return jnp.sum(weights * jnp.abs(A @ x - y) ** 2) / 2

        best = minimize(plain, start, prox=options["prox"], tol=1e-13)
        for steps in (1, 3, 10):
            found = minimize(fun, start, stop="gap", tol=1e-10, callback=lambda k, *_, n=steps: k >= n, **options)
            assert found.gap >= found.value - best.value - 1e-12 * best.value
        last = minimize(fun, start, tol=1e-10, stop="gap", **options)
        assert last.status == Status.CONVERGED
        assert last.value - best.value - 1e-12 * best.value <= last.gap <= 1e-10 * last.value


def test_batches_paths_and_histories():
    Y = jnp.stack([jnp.asarray(Lasso.y), 1j * Lasso.y])

    def solution_of(y):
        return minimize(losses.squared(y), jnp.zeros(20, complex), linear=Lasso.A, prox=prox.l1(5.0), tol=1e-12).params

    both = jax.jit(jax.vmap(solution_of))(Y)
    np.testing.assert_allclose(both[1], 1j * both[0], atol=1e-8)  # a phase of the data is one of the solution
    strengths = jnp.asarray([20.0, 5.0])
    for vectorized in (False, True):
        along = path(squares, jnp.zeros(20, complex), strengths, vectorized=vectorized, history=True, tol=1e-12)
        np.testing.assert_allclose(along.params[1], both[0], atol=1e-8)
        history: Any = along.state.history
        assert history.value.dtype == along.value.dtype == jnp.float64
