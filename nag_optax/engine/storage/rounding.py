"""Stochastic rounding: up or down with the probabilities that make the mean exact.

A number between two neighbours of a low-precision dtype is rounded to either, so that even contributions too small for
rounding to nearest count on average (Gupta et al., 2015, https://arxiv.org/abs/1502.02551, section 3).

The random bits are a hash of the entry's index and a seed: rounding needs no more, and the hash fuses into the update,
where a generator of ``jax.random`` would cost more than the update itself (docs/precision.md).
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

SPREAD = 0xC13FA9A9, 0x91E10DA5
"""1 / rho and 1 / rho^2 in units of 2^-32, with rho^3 = rho + 1: modulo 1, their multiples are evenly spread (Roberts,
2018), here over entries and turns."""


def stochastically_rounded(x: Array, dtype: Any, seed: Array) -> Array:
    """The array in a dtype of lower precision, [x.shape], equal to x in the mean over seeds.

    Values that the dtype represents stay unchanged, and so do NaN, infinities, and values that round to them. The
    derivative for a floating dtype is 1, as in the mean.

    Args:
      x: real floating array, of float32 or better.
      dtype: an integer or a floating dtype of at most 16 bits.
      seed: a uint32 scalar; others give other bits.
    """
    bits = random_bits(x.shape, seed) >> 16
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


@partial(jax.jit, static_argnames="dtype")  # traced once for all leaves of a shape
def rounded_in_turns(x: Array, dtype: Any, turn: Array) -> Array:
    """The array in a dtype of 16 bits, rounded up or down by rotating thresholds, [x.shape].

    Values that the dtype represents stay unchanged. The thresholds of an entry are evenly spread over the turns, so
    that the errors of n roundings of a constant add up to about one unit, instead of sqrt(n) units at random.

    Args:
      x: real floating array; float32 is enough.
      dtype: bfloat16 or float16.
      turn: a counter, such as that of updates.
    """
    x, dtype = x.astype(jnp.float32), jnp.dtype(dtype)
    of_entry, of_turn = map(jnp.uint32, SPREAD)
    phase = _indices(x.shape) * of_entry + turn.astype(jnp.uint32) * of_turn
    below = 23 - jnp.finfo(dtype).nmant  # bits of a float32 that the dtype does not have
    bits = jax.lax.bitcast_convert_type(x, jnp.uint32) + (phase >> (32 - below))
    rounded = jax.lax.bitcast_convert_type(bits & jnp.uint32(2**32 - 2**below), jnp.float32)
    if dtype == jnp.float16:  # whose subnormals have fewer bits
        unit = 2.0**-24
        subnormal = jnp.floor(x / unit + phase.astype(jnp.float32) * 2.0**-32) * unit
        rounded = jnp.where(jnp.abs(x) < 2.0**-14, subnormal, rounded)
    return _straight_through(x, rounded.astype(dtype))


@jax.custom_jvp
def _straight_through(x: Array, rounded: Array) -> Array:
    return rounded


@_straight_through.defjvp
def _(primals, tangents):
    return primals[1], tangents[0].astype(primals[1].dtype)


def random_bits(shape: tuple[int, ...], seed: Array) -> Array:
    """uint32 [shape], other ones for other uint32 seeds."""
    return mixed(_indices(shape) ^ seed)


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
