"""Derivatives through a one-byte buffer: straight through the rounding, or an error.

The rounding is unbiased, so its derivative is taken to be 1. But integers have no derivative that a state could carry
from one update to the next. The array before rounding has one: it is remembered beside the bytes while a JAX
transformation traces it, and found again if the next update receives the same arrays, as in a loop that Python unrolls.
If it receives other arrays (``jax.lax.scan``, an update under its own ``jax.jit``), the derivative of the scales
arrives without that of the bytes, and this raises an error.
"""

import weakref

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer

from nag_optax.engine.storage import blocks

_traced: dict[int, tuple[weakref.ref, weakref.ref, Array]] = {}
"""What bytes that are being traced were rounded from, by their identity; gone with them, to which it must not refer."""


def remember(values: Array, scales: Array, momentum: Array) -> None:
    """Keeps the derivative of a buffer as long as its bytes, if there is somebody who may ask for it."""
    if isinstance(momentum, Tracer):
        key, forget = id(values), _traced.pop  # bound here, because it is called at the interpreter's end, too
        alive = weakref.ref(values, lambda _: forget(key, None))
        _traced[key] = alive, weakref.ref(scales), momentum


def recall(values: Array, scales: Array) -> Array:
    """The buffer of bytes and their scales."""
    entry = _traced.get(id(values))
    if entry is not None and entry[0]() is values and entry[1]() is scales:
        return _straight_through(entry[2], values, scales)
    return _underivable(values, scales)


def _product(values: Array, scales: Array) -> Array:
    return values.astype(jnp.float32) * blocks.spread(scales, values.shape)


@jax.custom_jvp
def _straight_through(momentum: Array, values: Array, scales: Array) -> Array:
    return _product(values, scales)


@_straight_through.defjvp
def _(primals, tangents):
    return _straight_through(*primals), tangents[0]


_underivable = jax.custom_jvp(_product)


@_underivable.defjvp
def _(primals, tangents):
    raise ValueError(
        "accumulator_dtype: one byte an entry carries no derivative from one update to the next; differentiate with "
        "accumulator_dtype=None, or unroll the updates in a Python loop."
    )
