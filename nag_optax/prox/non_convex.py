"""Penalties that count: hard thresholding. They are not convex.

An operator is a minimiser of g(x) + |x - params|^2 / (2 step_size); where there are two, it is the one with more zeros.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial

from nag_optax.prox.operator import Prox, for_each_leaf, per_leaf, zero
from nag_optax.prox.spectral import with_singular_values
from nag_optax.trees import widened


def l0(strength: Any = 1.0) -> Prox:
    """NON-CONVEX: g(x) = sum of strength over the entries that are not 0. Hard thresholding, at
    |x_i| = sqrt(2 step_size strength).

    What `nag_optax.minimize` returns as converged is a stationary point, a fixed point of its proximal step. It need
    not be a minimum, depends on the start, and nothing guarantees that it is reached. There is no conjugate, and so no
    gap. Derivatives hold the zeros fixed; with respect to the strength, they are 0. Complex entries keep their phase.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import l0
    >>> l0(0.5)(jnp.array([2.0, -0.9, -1.1]), step_size=1.0)
    Array([ 2. ,  0. , -1.1], dtype=float32)

    References:
      Blumensath & Davies, Iterative thresholding for sparse approximations, JFAA 14, 2008, equation 2.2.
    """
    return per_leaf(
        lambda x, step_size, s: jnp.where(_stays(jnp.abs(x), _threshold(x, step_size * s)), x, 0),
        lambda x, s: jnp.sum(s * (x != 0).astype(jnp.finfo(x.dtype).dtype)),
        strength=strength,
    )


def rank(strength: Any = 1.0) -> Prox:
    """NON-CONVEX: g(x) = strength * rank of each leaf, a matrix or a stack of them. Hard thresholding of the singular
    values, at sqrt(2 step_size strength).

    `nag_optax.minimize` promises no more than with `nag_optax.prox.l0`: a stationary point, and no gap. The rank that
    the value counts is numerical, as in ``jnp.linalg.matrix_rank``, with the accuracy of the leaf's dtype.

    Raises:
      ValueError: when applied to a leaf of fewer than two dimensions; exclude it with `nag_optax.prox.masked`.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import rank
    >>> rank(0.5)(jnp.diag(jnp.array([3.0, 0.5])), step_size=1.0).round(6)
    Array([[3., 0.],
           [0., 0.]], dtype=float32)
    """

    def matrix(x):
        if x.ndim < 2:
            raise ValueError(f"rank needs matrices, got shape {x.shape}: mask the leaf out.")
        return x

    def counted(x, s):
        resolution = float(jnp.finfo(x.dtype).eps) * max(matrix(x).shape[-2:])  # before it is widened
        return jnp.sum(s * jnp.linalg.matrix_rank(widened(x), resolution))

    def value(strength, params):
        each = jax.tree.map(counted, params, for_each_leaf("strength", strength, params))
        return sum(jax.tree.leaves(each), zero(params))

    operator = per_leaf(
        lambda x, step_size, s: with_singular_values(_cut, matrix(x), _threshold(x, step_size * s)),
        lambda x, s: zero(x),
        strength=strength,
    )
    return operator._replace(value=Partial(value, strength))


def _threshold(x: Array, strength: Any) -> Array:
    """Below it, 0 is better."""
    return jnp.sqrt(2 * jax.lax.stop_gradient(jnp.asarray(strength, jnp.finfo(x.dtype).dtype)))


def _stays(size: Array, threshold: Array) -> Array:
    return (size > threshold) | (threshold == 0)


def _cut(s: Array, threshold: Array) -> tuple[Array, Array, Array]:
    stays = _stays(s, threshold)
    return jnp.where(stays, s, 0), stays, jnp.zeros_like(s)
