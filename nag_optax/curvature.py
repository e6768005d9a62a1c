"""Curvature estimates from values and gradients, for the methods without a step size.

Each of their steps is as long as the curvature measured so far permits. They compare the loss and the gradient with
those of the last step, so they need ``value=`` in addition to the gradient; they do not search and do not know L. Their
trajectories are chaotic under rounding: two runs that differ in the last digit diverge after some fifty steps, but
converge equally well.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax import trees
from nag_optax.validation import check_number


def along_gradient(gradient_of: Callable[[Any], Any], params: Any, value: Array, gradient: Any) -> Array:
    """|grad f(x - h g) - g| / |h g|, with one more gradient; positive and finite for any f.

    The distance h = |f| / |g|^2 has the units of a step, so that neither the scale of f nor that of x matters.
    """
    length = trees.norm(gradient)
    far = jnp.abs(value) / length / length
    usable = (far > 0) & jnp.isfinite(far)
    far = jnp.where(usable, far, (1 + trees.norm(params)) / jnp.where(length > 0, length, 1))
    ahead = trees.plus(params, -far, gradient)
    moved = trees.norm(trees.minus(ahead, params))
    curvature = trees.norm(trees.minus(gradient_of(ahead), gradient)) / jnp.where(moved > 0, moved, 1)
    return jnp.where((curvature > 0) & jnp.isfinite(curvature), curvature, 1 / far)


def ascent(value_fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The gradient of a function as transformations get it: of complex params, the conjugate of JAX's."""
    both = value_and_ascent(value_fn)
    return lambda params: both(params)[1]


def value_and_ascent(value_fn: Callable[[Any], Any]) -> Callable[[Any], tuple[Array, Any]]:
    """The value of a function, and its `ascent`."""

    def both(params: Any) -> tuple[Array, Any]:
        value, gradient = jax.value_and_grad(value_fn)(params)
        return value, jax.tree.map(jnp.conj, gradient)

    return both


def between(f_old: Array, f_new: Array, slope: Array, turn: Array, squared_change: Array) -> Array:
    """|dg|^2 / (2 D(x_old, x_new)), the curvature that parameter-free methods use; 0 where it would be 0 / 0.

    Where D = f_old - f_new - <g_new, x_old - x_new> is no more than the rounding error of f, half of <dg, dx> replaces
    it: the same for a quadratic, without cancellation.

    Args:
      f_old: f at the last point.
      f_new: f at this one.
      slope: <g_new, x_old - x_new>.
      turn: <g_new - g_old, x_new - x_old>.
      squared_change: |g_new - g_old|^2.
    """
    gap = f_old - f_new - slope
    rounding = 100 * jnp.finfo(gap.dtype).eps * jnp.maximum(jnp.abs(f_old), jnp.abs(f_new))
    gap = jnp.where(gap > rounding, gap, turn / 2)
    return jnp.where(gap > 0, squared_change / jnp.where(gap > 0, 2 * gap, 1), 0)


def check_smoothness(smoothness: Any) -> None:
    """Raises if an initial estimate is given and not positive."""
    if smoothness is not None:
        check_number("smoothness", smoothness, above=0)


def loss_at(params: Any, value: Any, name: str, dtype: Any) -> Array:
    """The loss that ``update`` was given; raises if it or params are missing."""
    if params is None or value is None:
        raise ValueError(f"{name} needs params and the loss: call update(gradients, state, params, value=loss).")
    return jnp.asarray(value, dtype)


def at_the_start(smoothness: Any, value_fn: Any, params: Any, value: Array, gradient: Any, name: str) -> Any:
    """The user's estimate, or the curvature along the gradient; raises if neither is available."""
    if smoothness is not None:
        return smoothness
    if value_fn is None:
        raise ValueError(f"{name} needs smoothness=, or update(..., value_fn=loss) to measure it.")
    return along_gradient(ascent(value_fn), params, value, gradient)
