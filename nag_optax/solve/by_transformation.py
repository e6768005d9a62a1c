"""Any gradient transformation as a method of `nag_optax.minimize`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax import trees
from nag_optax.scalars import Scalar
from nag_optax.solve.backtracking import GROW
from nag_optax.solve.method import Method, Point, Problem, start
from nag_optax.validation import check_transformation

ProximalPoint = Callable[[Problem, Any, Any, Any], tuple[Any, Scalar]]


def by_transformation(tx: optax.GradientTransformation, proximal_point: ProximalPoint | None = None) -> Method:
    """A transformation as a method.

    The point that a step reports is the one where the gradient was taken, whose loss and gradient are known; with a
    prox, the proximal step from there.

    Args:
      tx: the transformation; it gets ``value=``, ``grad=`` and ``value_fn=`` of f.
      proximal_point: ``proximal_point(problem, params, gradient, state) -> (point, step size)``, the proximal step from
        params and the state behind the update; None for smooth problems.

    Raises:
      ValueError: in ``minimize``, if there is a prox and no ``proximal_point``.
    """
    check_transformation("tx", tx)
    tx = optax.with_extra_args_support(tx)

    def init(problem: Problem, params: Any, warm: Array | None) -> Point:
        if not (problem.smooth or proximal_point):
            raise ValueError("method: a transformation knows no prox; use one of the named methods.")
        nothing = jax.tree.map(jnp.zeros_like, params)
        carry = (params, tx.init(params), nothing, nothing)
        infinite = jnp.asarray(jnp.inf, problem.dtype)
        first = start(params, carry, problem.dtype)
        return first._replace(objective=infinite, curvature=jnp.zeros_like(infinite), potential=infinite)

    def advance(problem: Problem, point: Point) -> Point:
        at, state, moved, last_gradient = point.carry
        f, gradient = problem.value_and_gradient(at)
        updates, after = tx.update(gradient, state, at, value=f, grad=gradient, value_fn=problem.value)
        length = trees.norm(gradient)
        params, mapping, value, s = at, length, f, jnp.ones((), problem.dtype)
        potential = trees.absolute_inner(gradient, at)
        way, known = trees.norm(moved), jnp.asarray(point.curvature)
        curvature = trees.norm(trees.minus(gradient, last_gradient)) / jnp.where(way > 0, way, 1)
        curvature = jnp.where(way > 0, jnp.maximum(curvature, GROW * known), known)
        resolution = trees.rounding(gradient) + trees.rounding(at) * curvature
        if proximal_point:
            params, s = proximal_point(problem, at, gradient, after)
            s = jnp.asarray(s, problem.dtype)
            step = trees.minus(at, params)
            mapping, potential = trees.norm(step) / s, trees.absolute_inner(step, params) / s
            value = jnp.where(jnp.isfinite(f), mapping, f)  # f + g at params would cost another evaluation
            resolution = trees.rounding(gradient) + trees.rounding(at) / s
        return Point(
            params=params,
            value=value.astype(problem.dtype),
            mapping=mapping.astype(problem.dtype),
            resolution=resolution.astype(problem.dtype),
            gradient=length.astype(problem.dtype),
            step_size=s,
            gradients=point.gradients + 1,
            values=point.values,
            stuck=jnp.asarray(False),
            carry=(optax.apply_updates(at, updates), after, updates, gradient),
            objective=f + problem.prox_value(params),
            curvature=curvature.astype(problem.dtype),
            potential=potential.astype(problem.dtype),
        )

    return Method(init, advance)
