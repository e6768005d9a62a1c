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
from jax import Array
from jax.scipy.sparse.linalg import gmres

from nag_optax import trees
from nag_optax.solve.method import Problem


def without_derivative(solve: Callable[[Any], tuple[Any, Any]], params: Any) -> tuple[Any, Any]:
    """``solve(params) -> (solution, more)``, a constant to every derivative, whatever ``solve`` closes over."""
    dtypes = []

    def root(_, x):
        solution, more = solve(x)
        dtypes.append(jax.tree.map(lambda leaf: leaf.dtype, more))
        return solution, jax.tree.map(_as_float, more)  # custom_root knows no other tangents

    solution, more = jax.lax.custom_root(lambda x: x, params, root, lambda linear, y: y, has_aux=True)
    return solution, jax.tree.map(_as, dtypes[-1], more)


def differentiable(problem: Problem, solution: Any, step_size: Any, linear_solve: Callable[[Any, Any], Any]) -> Any:
    """The solution, with the derivatives that the implicit function theorem gives."""
    dtypes = jax.tree.map(lambda x: x.dtype, solution)

    def residual(wide):  # one dtype for all leaves, because linear solvers mix them
        x = jax.tree.map(jnp.astype, wide, dtypes)
        _, gradient = problem.value_and_gradient(x)
        step = trees.minus(x, problem.prox(trees.plus(x, -step_size, gradient), step_size))
        return jax.tree.map(lambda d: (d / step_size).astype(problem.dtype), step)

    wide = jax.tree.map(lambda x: x.astype(problem.dtype), solution)
    try:
        root = jax.lax.custom_root(residual, wide, lambda _, x: x, linear_solve)
    except Exception as error:  # the derivative is traced here, though nobody may ask for it
        return _refusing(residual, wide, solution, error)
    return jax.tree.map(jnp.astype, root, dtypes)


def _refusing(residual: Callable[[Any], Any], wide: Any, solution: Any, reason: Exception) -> Any:
    """The solution, whose derivative with respect to anything that the residual depends on is an error."""
    _, depends_on = jax.closure_convert(residual, wide)

    @jax.custom_jvp
    def of(solution, depends_on):
        return solution

    @of.defjvp
    def refuse(primals, tangents):
        raise ValueError(
            "minimize: the solution has no derivative, because the gradient of fun, or prox, has none; a way out is "
            f"implicit_diff=False where the steps have one. {type(reason).__name__}: {reason}"
        ) from reason

    return of(solution, depends_on)


def _as_float(x: Array) -> Array:
    return jax.lax.bitcast_convert_type(x, jnp.float32) if x.dtype == jnp.int32 else x


def _as(dtype: Any, x: Array) -> Array:
    return jax.lax.bitcast_convert_type(x, jnp.int32) if dtype == jnp.int32 else x


def by_gmres(linear: Callable[[Any], Any], right: Any) -> Any:
    """Solves ``linear(x) = right`` to a few digits less than the dtype has; differentiable in both directions.

    Where the system is singular, which breaks GMRES down, or GMRES does not arrive: the least-squares solution of the
    smallest norm.
    """
    eps = max(float(jnp.finfo(x.dtype).eps) for x in jax.tree.leaves(right))
    size = sum(x.size for x in jax.tree.leaves(right))

    def solve(matrix, b):
        x = gmres(matrix, b, tol=10 * eps, atol=0.0, restart=min(size, 60), maxiter=200)[0]
        arrived = trees.norm(trees.minus(b, matrix(x))) <= eps**0.5 * trees.norm(b)  # not where x is NaN
        return jax.lax.cond(arrived, lambda: x, lambda: _least_squares(matrix, b, eps, max_steps=10 * size + 100))

    # gmres makes its tolerance of the right side, which its own derivative cannot transpose.
    return jax.lax.custom_linear_solve(linear, right, solve, transpose_solve=solve)


def _least_squares(matrix: Callable[[Any], Any], b: Any, eps: float, max_steps: int) -> Any:
    """Conjugate gradients on the normal equations (Bjorck, 1996, algorithm 7.4.1): from 0, of the smallest norm."""
    transpose = jax.linear_transpose(matrix, b)
    first = transpose(b)[0]
    enough = (10 * eps) ** 2 * trees.squared_norm(first)

    def goes_on(carry):
        _, _, _, slope, steps = carry
        return (slope > enough) & (steps < max_steps)

    def step(carry):
        x, residual, direction, slope, steps = carry
        image = matrix(direction)
        length = slope / trees.squared_norm(image)
        x, residual = trees.plus(x, length, direction), trees.plus(residual, -length, image)
        gradient = transpose(residual)[0]
        after = trees.squared_norm(gradient)
        return x, residual, trees.plus(gradient, after / slope, direction), after, steps + 1

    zero = jax.tree.map(jnp.zeros_like, b)
    return jax.lax.while_loop(goes_on, step, (zero, b, first, trees.squared_norm(first), 0))[0]
