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
