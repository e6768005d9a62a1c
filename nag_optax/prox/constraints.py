"""Constraints: g is 0 on a convex set and infinite elsewhere, the proximal operator the projection onto it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nag_optax.prox.operator import Prox, for_each_leaf, zero
from nag_optax.scalars import Scalar
from nag_optax.trees import widened


def from_projection(projection: Callable[..., Any], *arguments: Any, **keywords: Any) -> Prox:
    """The constraint of a projection: ``from_projection(optax.projections.projection_l1_ball, 2.0)``.

    Args:
      projection: ``projection(params, *arguments, **keywords) -> params``, onto a convex set; every function of
        ``optax.projections`` onto a ball, box, simplex or hyperplane, or one of your own.
      *arguments: passed on; they may be traced.
      **keywords: passed on; they may be traced.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax.prox import from_projection
    >>> from_projection(optax.projections.projection_l1_ball, 2.0)(jnp.array([3.0, 0.5]))
    Array([2., 0.], dtype=float32)
    """

    def apply(params, step_size):
        # One dtype for all leaves, and JAX's default: some projections ravel, and some make constants.
        dtype = jnp.promote_types(jnp.result_type(float), zero(params).dtype)
        wide = jax.tree.map(lambda x: widened(x, dtype), params)
        projected = projection(wide, *arguments, **keywords)
        return jax.tree.map(lambda x, p: p.astype(x.dtype), params, projected)

    return Prox(apply, zero)


def non_negative() -> Prox:
    """Constraint x >= 0 in every coordinate.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import non_negative
    >>> non_negative()(jnp.array([1.0, -2.0]))
    Array([1., 0.], dtype=float32)
    """
    return from_projection(optax.projections.projection_non_negative)


def box(lower: Any, upper: Any) -> Prox:
    """Constraint lower <= x <= upper; bounds are scalars or pytrees like params.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import box
    >>> box(-1.0, 0.5)(jnp.array([1.0, -2.0, 0.1]))
    Array([ 0.5, -1. ,  0.1], dtype=float32)
    """

    def projection(params):
        bounds = (for_each_leaf(bound, params) for bound in (lower, upper))
        return optax.projections.projection_box(params, *bounds)

    return from_projection(projection)


def simplex(scale: Scalar = 1.0) -> Prox:
    """Constraint x >= 0 and sum of all x_i = scale, over all leaves together.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import simplex
    >>> simplex()(jnp.array([1.0, 0.5, -3.0]))
    Array([0.75, 0.25, 0.  ], dtype=float32)
    """
    return from_projection(optax.projections.projection_simplex, scale)
