"""Sequences that never fall: the projection onto them, by pooling adjacent violators.

Blocks are pushed on a stack and joined while one exceeds the next; a sequence of n takes at most 2 n such moves, one
after another. The derivative is that of the result: in a block, the mean of the derivative of what was pooled.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_optax.prox.constraints import from_projection
from nag_optax.prox.operator import Prox, real_only


def isotonic() -> Prox:
    """Constraint x_1 <= x_2 <= ... <= x_n along the last axis of each leaf (isotonic regression).

    It takes about twice as many passes as there are entries. Its conjugate is not known.

    Raises:
      TypeError: when applied to a complex leaf.
      ValueError: when applied to a scalar leaf; exclude it with `nag_optax.prox.masked`.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import isotonic
    >>> isotonic()(jnp.array([1.0, 3.0, 2.0, 4.0]))
    Array([1. , 2.5, 2.5, 4. ], dtype=float32)

    References:
      Best & Chakravarti, Active set algorithms for isotonic regression, Mathematical Programming 47, 1990.
    """

    def sequence(x):
        if not x.ndim:
            raise ValueError("isotonic needs sequences, got a scalar: mask the leaf out.")
        return x

    def projection(params):
        return jax.tree.map(lambda x: non_decreasing(sequence(x)), params)

    return real_only("isotonic", from_projection(projection))


def non_decreasing(y: Array) -> Array:
    """The nearest sequence along the last axis that never falls."""
    return jnp.vectorize(lambda y: _pooled(y)[0], signature="(n)->(n)")(y) if y.shape[-1] > 1 else y


@jax.custom_jvp
def _pooled(y: Array) -> tuple[Array, Array]:
    """The projection, and the block of each entry. Equal neighbours are no violators, and stay apart."""
    size = y.size

    def move(_, stack):
        taken, top, mean, count, means, counts = stack
        means, counts = _put(means, top, mean), _put(counts, top, count)  # read after it is written, XLA copies nothing
        below, fewer = _at(means, top - 1), _at(counts, top - 1)
        join = (top > 0) & (below > mean)
        push = ~join & (taken < size)
        both = fewer + count
        joined = below + (mean - below) * (count.astype(y.dtype) / both.astype(y.dtype))
        mean = jnp.where(join, joined, jnp.where(push, _at(y, taken), mean))
        count = jnp.where(join, both, jnp.where(push, 1, count))
        return taken + push, top + push - join, mean, count, means, counts

    one = jnp.ones((), jnp.int32)
    first = (one, 0 * one, y[0], one, jnp.zeros_like(y), jnp.zeros(size, jnp.int32))
    _, top, _, _, means, counts = jax.lax.fori_loop(0, 2 * size, move, first)
    ends = jnp.cumsum(jnp.where(jnp.arange(size) <= top, counts, 0))
    block = jnp.searchsorted(ends, jnp.arange(size), side="right").astype(jnp.int32)
    return means[block], block


@_pooled.defjvp
def _pooled_jvp(primals: Any, tangents: Any) -> Any:
    x, block = _pooled(*primals)
    total, count = (jax.ops.segment_sum(z, block, x.size) for z in (tangents[0], jnp.ones_like(x)))
    return (x, block), ((total / jnp.maximum(count, 1))[block], np.zeros(block.shape, jax.dtypes.float0))


def _at(array: Array, index: Array) -> Array:
    return jax.lax.dynamic_index_in_dim(array, index, keepdims=False)


def _put(array: Array, index: Array, entry: Array) -> Array:
    return jax.lax.dynamic_update_index_in_dim(array, entry, index, 0)
