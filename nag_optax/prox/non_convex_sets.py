"""Sets that are not convex: the operator returns a nearest point, of which there may be several.

No guarantee of an accelerated method holds on them, and a run may end at a point that is best only nearby.
"""

from functools import reduce

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from nag_optax.prox.constraints import from_projection
from nag_optax.prox.operator import Prox
from nag_optax.scalars import Scalar
from nag_optax.trees import squared_norm
from nag_optax.validation import check_integer, check_number


def sparse_simplex(max_nonzero: int, scale: Scalar = 1.0) -> Prox:
    """NON-CONVEX constraint x >= 0, sum of all x_i = scale over all leaves together, and at most ``max_nonzero`` x_i
    are not 0. The largest entries stay, and of equal ones the first.

    Args:
      max_nonzero: an integer of at least 1; it shapes the program.
      scale: a positive scalar.

    References:
      Kyrillidis, Becker, Cevher & Koch, Sparse projections onto the simplex, 2013, arXiv:1206.1529, section 3.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import sparse_simplex
    >>> sparse_simplex(2)(jnp.array([0.5, 0.25, 0.75, 0.5])).round(4)
    Array([0.375, 0.   , 0.625, 0.   ], dtype=float32)
    """
    check_integer("max_nonzero", max_nonzero, at_least=1)
    check_number("scale", scale, above=0)

    def projection(params, scale):
        flat, unravel = ravel_pytree(params)
        entries, places = jax.lax.top_k(flat, min(max_nonzero, flat.size))
        kept = optax.projections.projection_simplex(entries, scale)
        return unravel(jnp.zeros_like(flat).at[places].set(kept))

    return from_projection(projection, scale)


def l1_sphere(radius: Scalar = 1.0) -> Prox:
    """NON-CONVEX constraint sum of all abs(x_i) = radius over all leaves together; radius is positive. Entries that are
    0 may grow; they become positive.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import l1_sphere
    >>> l1_sphere(2.0)(jnp.array([1.0, -0.25, 0.0])).round(4)
    Array([ 1.25, -0.5 ,  0.25], dtype=float32)
    """
    check_number("radius", radius, above=0)

    def projection(params, radius):
        sizes = optax.projections.projection_simplex(jax.tree.map(jnp.abs, params), radius)
        return jax.tree.map(lambda x, size: jnp.where(x < 0, -size, size), params, sizes)

    return from_projection(projection, radius)


def l2_sphere(radius: Scalar = 1.0) -> Prox:
    """NON-CONVEX constraint |x|_2 = radius over all leaves together; radius is positive. For x = 0 every point is
    nearest, and the one with equal entries is returned.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import l2_sphere
    >>> l2_sphere(10.0)(jnp.array([3.0, -4.0]))
    Array([ 6., -8.], dtype=float32)
    """
    check_number("radius", radius, above=0)

    def projection(params, radius):
        largest = reduce(jnp.maximum, (jnp.max(jnp.abs(x), initial=0) for x in jax.tree.leaves(params)))
        largest = jax.lax.stop_gradient(largest)  # no square overflows
        vanishes = largest == 0
        params = jax.tree.map(lambda x: jnp.where(vanishes, 1, x / jnp.where(vanishes, 1, largest)), params)
        factor = radius * jax.lax.rsqrt(squared_norm(params))
        return jax.tree.map(lambda x: factor * x, params)

    return from_projection(projection, radius)
