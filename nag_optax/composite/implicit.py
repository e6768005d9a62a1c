"""Derivatives of a solution, without those of the way to it.

A solution x of min f + g is a root of the gradient mapping r(x) = (x - prox(x - s grad f(x))) / s for every s > 0. The
implicit function theorem gives dx from one linear equation in r's derivative at x: it knows nothing of the method, its
steps or its stopping, and costs no memory for them. ``jax.lax.custom_root`` applies it to everything that f and prox
depend on, arguments and closures alike.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.sparse.linalg import gmres

from nag_optax import trees
from nag_optax.composite.iteration import Problem


def without_derivative(solve: Callable[[Any], tuple[Any, Any]], params: Any) -> tuple[Any, Any]:
    """``solve(params) -> (solution, more)``, a constant to every derivative, whatever ``solve`` closes over."""
    return jax.lax.custom_root(lambda x: x, params, lambda _, x: solve(x), lambda linear, y: y, has_aux=True)


def differentiable(problem: Problem, solution: Any, step_size: Any, linear_solve: Callable[[Any, Any], Any]) -> Any:
    """The solution, with the derivatives that the implicit function theorem gives."""

    def residual(x):
        _, gradient = problem.value_and_gradient(x)
        return trees.scaled_difference(x, problem.prox(trees.plus(x, -step_size, gradient), step_size), 1 / step_size)

    return jax.lax.custom_root(residual, solution, lambda _, x: x, linear_solve)


def by_gmres(linear: Callable[[Any], Any], right: Any) -> Any:
    """Solves ``linear(x) = right`` to a few digits less than the dtype has."""
    eps = max(float(jnp.finfo(x.dtype).eps) for x in jax.tree.leaves(right))
    size = sum(x.size for x in jax.tree.leaves(right))
    return gmres(linear, right, tol=10 * eps, atol=0.0, restart=min(size, 60), maxiter=200)[0]
