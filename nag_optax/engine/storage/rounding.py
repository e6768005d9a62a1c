"""Stochastic rounding: up or down with the probabilities that make the mean exact.

A number between two of a low-precision dtype goes to either, so that what is too small to round to anything still
counts on average (Gupta et al., 2015, https://arxiv.org/abs/1502.02551, section 3).

The random bits are a hash of the entry's index and a seed: rounding needs no more, and the hash fuses into the update,
where a generator of ``jax.random`` would cost more than the update itself (docs/precision.md).
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

GOLDEN = 0x9E3779B9
"""The golden ratio's part below 1, in units of 2^-32: its multiples, modulo 1, are the most evenly spread."""


def stochastically_rounded(x: Array, dtype: Any, seed: Array, turn: Array | int = 0) -> Array:
    """The array in a dtype of lower precision, [x.shape], equal to x in the mean over seeds.

    What the dtype represents stays as it is, and so do NaN, infinities, and what rounds to them. The derivative of a
    floating one is 1, as in the mean.

    Args:
      x: real floating array, of float32 or better.
      dtype: an integer or a floating dtype of at most 16 bits.
      seed: a uint32 scalar; others give other bits.
      turn: a count. With one seed and turns 0, 1, ... the thresholds of an entry are not independent but evenly spread:
        the errors of n roundings add up to a few units, where those of n seeds add up to sqrt(n).
    """
    bits = (mixed(_indices(x.shape) ^ seed) + jnp.asarray(turn).astype(jnp.uint32) * jnp.uint32(GOLDEN)) >> 16
    threshold = (bits.astype(x.dtype) + 0.5) * 2.0**-16  # inside of (0, 1)
    if jnp.issubdtype(dtype, jnp.integer):
        return jnp.floor(x + threshold).astype(dtype)
    given, x = x, jax.lax.stop_gradient(x)
    nearest = x.astype(dtype)
    error = x - nearest.astype(x.dtype)
    most = jnp.finfo(dtype).max
    beyond = jnp.nextafter(nearest, jnp.where(error > 0, most, -most))
    gap = jnp.abs(beyond.astype(x.dtype) - nearest.astype(x.dtype))
    return _straight_through(given, jnp.where(jnp.abs(error) > threshold * gap, beyond, nearest))


@jax.custom_jvp
def _straight_through(x: Array, rounded: Array) -> Array:
    return rounded


@_straight_through.defjvp
def _(primals, tangents):
    return primals[1], tangents[0].astype(primals[1].dtype)


def mixed(x: Array) -> Array:
    """A hash of uint32 (lowbias32 of C. Wellons, https://nullprogram.com/blog/2018/07/31/): a bijection."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def _indices(shape: tuple[int, ...]) -> Array:
    """The number of every entry, modulo 2^32, [shape] or ()."""
    strides = (math.prod(shape[axis + 1 :]) % 2**32 for axis in range(len(shape)))
    along = (
        jax.lax.broadcasted_iota(jnp.uint32, shape, axis) * jnp.uint32(stride) for axis, stride in enumerate(strides)
    )
    return sum(along, start=jnp.zeros((), jnp.uint32))
