"""minimize(linear=): the same solutions for fewer products, in every form of A, and wherever that lies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO, BCSR

from nag_optax import Status, losses, minimize, prox
from tests.support.composite_problems import lasso, least_squares

PROBLEM = lasso(40, 60, 0.1)
X, Y, S = PROBLEM.X, PROBLEM.y, PROBLEM.strength


def squares(z, y=Y):
    return 0.5 * jnp.sum((z - jnp.asarray(y, z.dtype)) ** 2)


def plain(**options):
    return minimize(least_squares(jnp.asarray(X), jnp.asarray(Y)), jnp.zeros(60), prox=prox.l1(S), **options)


def sparse(kind):
    return kind.fromdense(jnp.asarray(X * (abs(X) > 0.1)))


FORMS = {
    "array": lambda: jnp.asarray(X),
    "NumPy": lambda: X,
    "BCOO": lambda: BCOO.fromdense(jnp.asarray(X)),
    "BCSR": lambda: BCSR.fromdense(jnp.asarray(X)),
    "function": lambda: lambda w: jnp.asarray(X) @ w,
}


@pytest.mark.usefixtures("float64")
class TestForms:
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
    def test_the_same_solution(self, form, compiled):
        expected = plain(tol=1e-10)
        linear = FORMS[form]()

        def solve(strength):
            return minimize(squares, jnp.zeros(60), prox=prox.l1(strength), linear=linear, tol=1e-10)

        found = (jax.jit(solve) if compiled else solve)(S)
        np.testing.assert_allclose(found.params, expected.params, atol=1e-9)
        assert found.status == Status.CONVERGED and found.steps <= 1.1 * expected.steps
        products = found.state.values + found.state.gradients
        assert products <= 0.65 * (2 * expected.state.gradients + expected.state.values)

    def test_state_counts_the_products(self):
        counts = {"A": 0}

        def count(x):
            counts["A"] += 1
            return np.asarray(x)

        @jax.custom_vjp
        def product(w):
            return jax.pure_callback(lambda x: X @ count(x), jax.ShapeDtypeStruct((40,), float), w)

        def image(w):  # a function whose transpose is known to JAX, though its products are calls of the host
            return jax.custom_derivatives.linear_call(forward, backward, (), w)

        def forward(_, w):
            return jax.pure_callback(lambda x: X @ count(x), jax.ShapeDtypeStruct((40,), float), w)

        def backward(_, u):
            return jax.pure_callback(lambda x: X.T @ count(x), jax.ShapeDtypeStruct((60,), float), u)

        found = minimize(squares, jnp.zeros(60), prox=prox.l1(S), linear=image, tol=1e-8, max_steps=30)
        assert found.status == Status.MAX_STEPS
        told = int(found.state.values + found.state.gradients)
        assert told <= counts["A"] <= told + 1  # and the value at the end

    def test_params_of_several_columns_and_pytrees(self):
        targets = jnp.asarray(np.stack([Y, -2 * Y, Y**2], 1))
        found = minimize(lambda z: squares(z, targets), jnp.zeros((60, 3)), prox=prox.l1(S), linear=X, tol=1e-11)
        other = minimize(
            lambda z: squares(jnp.stack([z["a"], z["b"], z["c"]], 1), targets),
            {name: jnp.zeros(60) for name in "abc"},
            prox=prox.l1(S),
            linear=lambda w: jax.tree.map(lambda leaf: jnp.asarray(X) @ leaf, w),
            tol=1e-11,
        )
        np.testing.assert_allclose(found.params, jnp.stack([other.params[name] for name in "abc"], 1), atol=1e-9)
        np.testing.assert_allclose(found.params[:, 0], plain(tol=1e-11).params, atol=1e-7)

    def test_an_intercept_is_linear_and_an_offset_affine(self):
        start = {"w": jnp.zeros(60), "b": jnp.zeros(())}
        penalty = prox.masked(prox.l1(S), {"w": True, "b": False})
        found = minimize(squares, start, prox=penalty, linear=lambda p: X @ p["w"] + p["b"] + Y**2, tol=1e-11)
        other = minimize(lambda p: squares(X @ p["w"] + p["b"] + Y**2), start, prox=penalty, tol=1e-11)
        np.testing.assert_allclose(found.params["w"], other.params["w"], atol=1e-8)
        np.testing.assert_allclose(found.value, other.value, rtol=1e-12)

    def test_aux_arguments_warm_starts_and_other_methods(self):
        def fun(z, y):
            return squares(z, y), z

        options = {"prox": prox.l1(S), "linear": X, "args": (jnp.asarray(Y),), "has_aux": True}
        rough = minimize(fun, jnp.zeros(60), tol=1e-4, **options)
        np.testing.assert_allclose(rough.aux, X @ rough.params, atol=1e-12)
        fine = minimize(fun, rough, tol=1e-10, **options)
        np.testing.assert_allclose(fine.params, plain(tol=1e-10).params, atol=1e-8)
        assert fine.steps < plain(tol=1e-10).steps
        by_fista = minimize(fun, jnp.zeros(60), method="fista", step_size=1 / PROBLEM.smoothness, tol=1e-9, **options)
        np.testing.assert_allclose(by_fista.params, fine.params, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scale_does_not_matter(dtype):
    problem = lasso(100, 200)
    jax.config.update("jax_enable_x64", dtype == "float64")
    try:
        tol = {"float32": 1e-4, "float64": 1e-9}[dtype]

        @jax.jit
        def solve(A, y, strength):
            return minimize(losses.squared(y), jnp.zeros(200, dtype), prox=prox.l1(strength), linear=A, tol=tol)

        values = []
        for a in (1, 1e-6, 1e-3, 1e3, 1e6):
            for b in (1, 1e-6, 1e-3, 1e3, 1e6):
                arguments = (problem.X * a, problem.y * b, problem.strength * a * b)
                found = solve(*(jnp.asarray(x, dtype) for x in arguments))
                assert found.status == Status.CONVERGED
                assert -1e-6 <= found.gap / found.value <= 10 * tol
                values.append(problem.value(np.asarray(found.params, np.float64) * a / b))
        assert max(values) / min(values) - 1 < {"float32": 1e-6, "float64": 1e-13}[dtype]
    finally:
        jax.config.update("jax_enable_x64", False)


@pytest.mark.parametrize(
    "loss", [losses.squared, lambda y: losses.logistic(1.0 * (y > 0))], ids=["squared", "logistic"]
)
def test_the_start_does_not_matter(loss):
    tall, y = jnp.asarray(lasso(50, 20).X, jnp.float32), jnp.asarray(lasso(50, 20).y, jnp.float32)
    solve = jax.jit(lambda start: minimize(loss(y), start, prox=prox.elastic_net(2.0, 1.0), linear=tall))
    near = solve(jnp.zeros(20))
    for distance in (1.0, 1e3, 1e6, -1e6):
        far = solve(jnp.full(20, distance, jnp.float32) * jnp.where(jnp.arange(20) % 3 == 0, 1.0, 0.7))
        assert far.status == Status.CONVERGED
        np.testing.assert_allclose(far.value, near.value, rtol=1e-5)
        assert abs(far.gap) <= 1e-4 * far.value


@pytest.mark.usefixtures("float64")
class TestDerivatives:
    small = lasso(30, 12, 0.05)

    def jacobians(self, at, **options):
        y, strength, rows, columns = self.small.y, self.small.strength, *np.nonzero(self.small.X)

        def of_structure(scale, shift, data):
            matrix = BCOO((data, jnp.stack([rows, columns], 1)), shape=(30, 12))
            return minimize(
                losses.squared(y + shift), jnp.zeros(12), prox=prox.l1(scale * strength), linear=matrix, **options
            ).params

        def of_function(scale, shift, data):
            matrix = jnp.zeros((30, 12)).at[rows, columns].set(data)
            return minimize(
                least_squares(matrix, y + shift), jnp.zeros(12), prox=prox.l1(scale * strength), **options
            ).params

        return (jax.jit(jax.jacrev(f, argnums=(0, 1, 2)))(*at) for f in (of_structure, of_function))

    @pytest.mark.parametrize("implicit", [True, False])
    def test_are_those_without_structure(self, implicit):
        at = (1.0, 0.1, jnp.asarray(self.small.X[np.nonzero(self.small.X)]))
        options = {"tol": 1e-13} if implicit else {"tol": 1e-14, "implicit_diff": False, "max_steps": 100}
        ours, theirs = self.jacobians(at, **options)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6 * np.abs(b).max())

    def test_vmap_over_matrices_is_one_after_the_other(self):
        matrices = jnp.asarray(np.random.default_rng(0).standard_normal((3, 20, 8)))

        def solve(A):
            return minimize(
                lambda z: jnp.sum((z - 1) ** 2), jnp.zeros(8), prox=prox.l1(0.5), linear=A, tol=1e-11
            ).params

        np.testing.assert_allclose(jax.vmap(solve)(matrices), jnp.stack([solve(A) for A in matrices]), atol=1e-9)


class TestRefusals:
    @pytest.mark.parametrize(
        ("linear", "error", "words"),
        [
            (3.0, TypeError, "linear must be an array, .* BCOO or BCSR"),
            (np.zeros((40, 59)), ValueError, r"init_params of shape \[n\].* \[40, 59\] for shape \[60\]"),
            (np.zeros(60), ValueError, "linear, an array"),
            (lambda w: w**2, ValueError, "linear must be a linear function"),
            (jnp.abs, ValueError, "linear must be a linear function"),
            (lambda w: w * w[0], ValueError, "linear must be a linear function"),
        ],
    )
    def test_what_is_no_linear_map(self, linear, error, words):
        with pytest.raises(error, match=words):
            minimize(lambda z: jnp.sum(z**2), jnp.zeros(60), linear=linear)

    def test_a_sparse_matrix_of_scipy_is_told_what_to_do(self):
        with pytest.raises(TypeError, match=r"BCOO\.from_scipy_sparse"):
            minimize(squares, jnp.zeros(60), linear=pytest.importorskip("scipy.sparse").csr_matrix(X))

    def test_a_pytree_needs_a_function(self):
        with pytest.raises(ValueError, match="a pytree of params a linear function"):
            minimize(squares, {"w": jnp.zeros(60)}, linear=X)

    def test_a_function_of_the_wrong_shape_says_so(self):
        with pytest.raises(TypeError, match="shape"):
            minimize(squares, jnp.zeros(60), linear=lambda w: w[:7])
