"""Derivatives of a solution, against central differences of it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import minimize, prox
from tests.support.composite_problems import lasso, least_squares

pytestmark = pytest.mark.usefixtures("float64", "strict_ranks")


class TestDerivatives:
    """Against central differences of the solution."""

    problem = lasso(30, 12, 0.05)

    def check(self, solution_of, at, jacobian=jax.jacrev):
        solution_of, ours, h = jax.jit(solution_of), jax.jit(jacobian(solution_of))(at), 1e-5
        for i in range(at.size):
            direction = jnp.eye(at.size)[i]
            difference = (solution_of(at + h * direction) - solution_of(at - h * direction)) / (2 * h)
            np.testing.assert_allclose(ours[..., i], difference, atol=1e-5 * (1 + np.abs(difference).max()))

    def test_with_respect_to_a_prox_strength(self):
        smooth = least_squares(self.problem.X, self.problem.y)
        self.check(
            lambda s: minimize(smooth, jnp.zeros(12), prox=prox.l1(s[0]), tol=1e-13).params,
            jnp.asarray([self.problem.strength]),
            jax.jacfwd,
        )

    def test_with_respect_to_arguments_and_closures(self):
        X, y = jnp.asarray(self.problem.X), jnp.asarray(self.problem.y)

        def solution_of(shift):
            return minimize(
                lambda w, target: 0.5 * jnp.sum((X @ w - target) ** 2) + shift[0] * w[0] ** 2,
                jnp.zeros(12),
                args=(y + shift[1],),
                prox=prox.elastic_net(self.problem.strength, 0.1),
                tol=1e-13,
            ).params

        self.check(solution_of, jnp.asarray([0.3, 0.1]))

    @pytest.mark.parametrize("constraint", [prox.simplex(), prox.from_projection(optax.projections.projection_l2_ball)])
    def test_through_projections(self, constraint):
        hessian = jnp.asarray(np.diag(np.linspace(1, 3, 5)) + 0.2)
        self.check(
            lambda b: (
                minimize(lambda x: 0.5 * x @ hessian @ x - b @ x, jnp.zeros(5), prox=constraint, tol=1e-13).params
            ),
            jnp.asarray([1.0, -0.5, 0.8, 0.3, -2.0]),
        )

    @pytest.mark.parametrize("make", [prox.nuclear_norm, prox.total_variation_1d])
    def test_through_operators_without_a_pointwise_formula(self, make):
        target = jnp.asarray(np.random.default_rng(3).standard_normal((4, 3)))
        solution_of = jax.jit(
            lambda s: (
                minimize(lambda x: 0.5 * jnp.sum((x - target * s[1]) ** 2), target, prox=make(s[0]), tol=1e-13).params
            )
        )
        self.check(solution_of, jnp.asarray([0.6, 1.1]))

    def test_of_the_value_is_that_of_the_objective(self):
        y = jnp.asarray(self.problem.y)

        def value(s):
            return minimize(least_squares(self.problem.X, y), jnp.zeros(12), prox=prox.l1(s), tol=1e-12).value

        found = minimize(
            least_squares(self.problem.X, y), jnp.zeros(12), prox=prox.l1(self.problem.strength), tol=1e-12
        )
        np.testing.assert_allclose(jax.grad(value)(self.problem.strength), jnp.abs(found.params).sum(), rtol=1e-9)

    def test_unrolled_derivatives_agree_with_implicit_ones(self):
        smooth = least_squares(self.problem.X, self.problem.y)

        def solution_of(s, implicit_diff):
            return minimize(
                smooth, jnp.zeros(12), prox=prox.l1(s), tol=1e-13, max_steps=200, implicit_diff=implicit_diff
            ).params

        implicit, unrolled = (
            jax.jit(jax.jacrev(lambda s, i=i: solution_of(s, i)))(self.problem.strength) for i in (True, False)
        )
        np.testing.assert_allclose(unrolled, implicit, atol=1e-6)


class TestSingularSystems:
    """Solutions that are not the only ones: their derivatives are those of the smallest norm."""

    X = jnp.asarray(np.random.default_rng(0).standard_normal((30, 8)))

    def test_equal_columns_share_the_change(self):
        X, y = np.asarray(self.X, np.float64), np.asarray(self.X @ jnp.asarray([2.0, -1, 1, 0, 0, 0, 0, 0]))
        X = jnp.asarray(np.concatenate([X, X[:, :1]], 1))

        def solution_of(s):
            smooth = least_squares(X, jnp.asarray(y))
            return minimize(smooth, jnp.zeros(9), prox=prox.l1(s), tol=1e-12).params

        ours, h = jax.jacrev(solution_of)(3.0), 1e-3
        np.testing.assert_allclose(ours, (solution_of(3 + h) - solution_of(3 - h)) / (2 * h), atol=1e-3)
        np.testing.assert_allclose(ours[0], ours[8], atol=1e-6)

    @pytest.mark.parametrize("jacobian", [jax.jacrev, jax.jacfwd])
    def test_more_columns_than_rank(self, jacobian):
        wide = jnp.asarray(np.asarray(self.X[:5], np.float64))
        ours = jacobian(lambda y: minimize(least_squares(wide, y), jnp.zeros(8), tol=1e-12).params)(jnp.ones(5))
        np.testing.assert_allclose(ours, np.linalg.pinv(np.asarray(wide)), atol=1e-6)


class TestWithoutASecondDerivative:
    """f on the host, with a gradient of its own."""

    @staticmethod
    def solution_of(shift):
        shape = jax.ShapeDtypeStruct((3,), shift.dtype)

        @jax.custom_vjp
        def f(w, shift):
            return 0.5 * jnp.sum((w - shift) ** 2)

        def forward(w, shift):
            return f(w, shift), (w, shift)

        def backward(saved, g):
            gradient = g * jax.pure_callback(lambda w, shift: np.asarray(w - shift), shape, *saved)
            return gradient, -gradient.sum()

        f.defvjp(forward, backward)
        return minimize(lambda w: f(w, shift), jnp.zeros(3, shift.dtype), prox=prox.l1(0.1), tol=1e-9).params

    @pytest.mark.parametrize("wrap", [lambda f: f, jax.jit])
    def test_is_solved_where_nobody_asks(self, wrap):
        np.testing.assert_allclose(wrap(self.solution_of)(jnp.asarray(1.0)), 0.9, atol=1e-7)

    @pytest.mark.parametrize("differentiate", [jax.jacrev, jax.jacfwd])
    def test_and_refused_in_words_where_somebody_does(self, differentiate):
        with pytest.raises(ValueError, match="the solution has no derivative"):
            differentiate(self.solution_of)(jnp.asarray(1.0))
