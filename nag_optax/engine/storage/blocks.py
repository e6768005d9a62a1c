"""Arrays cut into blocks that share a scale.

A block is a run of rows along one axis, with all of the axes after it: along the last axis where that is long enough,
along an earlier one otherwise (the channels of a small convolution). It follows the array's shape, so that values and
scales can be sharded as the array is. Blocks are equal where a size from 128 to 255 divides the axis; the last one of
the axis is shorter otherwise.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax.sharding import ways

SIZE = 128
"""Entries of a block, at least, if the array has as many; fewer than 2 SIZE along a long last axis."""


def _cut(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(axis, blocks along it, rows of each)."""
    axis = next(i for i in reversed(range(len(shape))) if i == 0 or math.prod(shape[i:]) >= SIZE)
    length, of_row = shape[axis], math.prod(shape[axis + 1 :])
    least = -(-SIZE // of_row)
    equal = (rows for rows in range(least, min(length, 2 * least - 1) + 1) if length % rows == 0)
    rows = next(equal, -(-length // max(1, length // least)))
    return axis, -(-length // rows), rows


def scales_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a nonempty array's scales: of the same rank, with the blocks on the axis that is cut."""
    axis, blocks, _ = _cut(shape)
    return (*shape[:axis], blocks, *(1 for _ in shape[axis + 1 :]))


def largest(x: Array) -> Array:
    """The largest absolute value of every block, [scales_shape(x.shape)]."""
    axis, blocks, rows = _cut(x.shape)
    padding = [(0, blocks * rows - n if i == axis else 0) for i, n in enumerate(x.shape)]
    whole = jnp.pad(x, padding) if blocks * rows > x.shape[axis] else x
    cut = _reshaped(whole, axis, blocks, rows)
    within = tuple(range(axis + 1, cut.ndim))
    # Not the maximum of jnp.abs: XLA's CPU backend writes that to memory first, and takes eight times as long.
    return jnp.maximum(jnp.max(cut, within), -jnp.min(cut, within)).reshape(scales_shape(x.shape))


def _reshaped(x: Array, axis: int, blocks: int, rows: int) -> Array:
    """An axis as two, of blocks and of rows; blocks that Explicit axes of a mesh cannot share are gathered."""
    shape = *x.shape[:axis], blocks, rows, *x.shape[axis + 1 :]
    sharding = getattr(jax.typeof(x), "sharding", None) if hasattr(jax, "typeof") else None
    if sharding is None or blocks % ways(sharding, tuple(sharding.spec)[axis]) == 0:
        return x.reshape(shape)
    spec = tuple(sharding.spec)
    gathered = jax.sharding.PartitionSpec(*spec[:axis], None, None, *spec[axis + 1 :])
    return jnp.reshape(x, shape, out_sharding=gathered)


def spread(scales: Array, shape: tuple[int, ...]) -> Array:
    """The scale of every entry, [shape]."""
    axis, blocks, rows = _cut(shape)
    of_rows = jnp.expand_dims(scales, axis + 1)
    wide = jnp.broadcast_to(of_rows, (*shape[:axis], blocks, rows, *scales.shape[axis + 1 :]))
    merged = wide.reshape(*shape[:axis], blocks * rows, *scales.shape[axis + 1 :])
    return jnp.broadcast_to(merged[(slice(None),) * axis + (slice(shape[axis]),)], shape)
