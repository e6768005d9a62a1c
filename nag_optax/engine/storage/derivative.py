"""Derivatives through a buffer of one byte an entry: straight through the rounding, or not at all.

The rounding has no bias, so that its derivative is taken for 1. But bytes have no derivative that a state could carry
from one update to the next. What they were rounded from does: it is remembered beside them while a transformation of
JAX traces it, and found again where the next update is handed these very arrays, as in a loop that Python unrolls.
Where they come back as others (``jax.lax.scan``, an update under a ``jax.jit`` of its own), the derivative of the
scales is seen to arrive without that of the bytes, and is refused.
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
