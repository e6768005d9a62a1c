"""The root of a scalar function that does not decrease and is piecewise linear."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

MAX_STEPS = 400
"""Bisection alone, in every third step, would pass through all exponents of float64 in fewer."""


def monotone_root(
    function: Callable[[Array], tuple[Array, Array, Array]], lower: Array, upper: Array, start: Array
) -> Array:
    """Where a function is 0, in [lower, upper], by Newton's method inside a bracket.

    On the root's own piece Newton's step is exact. Instead of a step out of the bracket, and of every third one,
    because steps may turn in circles, the bracket is halved (compare Cominetti, Mascarenhas & Silva, Mathematical
    Programming Computation 6, 2014).

    Args:
      function: returns its value, a slope, and the sum of the absolute values of the terms of its value: what is below
        the rounding of that sum counts as 0.
      lower: where the function is at most 0.
      upper: where it is at least 0.
      start: the point to begin with. If it is ``upper`` and the function is less than 0 there, it is the result.
    """
    noise = 4 * float(jnp.finfo(start.dtype).eps)

    def step(carry: Any) -> Any:
        t, low, high, count, _ = carry
        value, slope, size = function(t)
        low, high = jnp.where(value <= 0, t, low), jnp.where(value >= 0, t, high)
        newton = t - value / jnp.where(slope > 0, slope, 1)
        middle = low + (high - low) / 2
        inside = (slope > 0) & (newton >= low) & (newton <= high) & (count % 3 < 2)
        following = jnp.where(inside, newton, middle)
        done = (jnp.abs(value) <= noise * size) | (following == t)
        return jnp.where(done, t, following), low, high, count + 1, done

    first = (start, lower, upper, jnp.zeros((), jnp.int32), jnp.asarray(False))
    return jax.lax.while_loop(lambda carry: ~carry[-1] & (carry[-2] < MAX_STEPS), step, first)[0]
