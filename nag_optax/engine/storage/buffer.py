"""How the engine stores its buffer: as an array, or in one byte per entry.

A byte holds an integer or a float8, and a block of at least 128 entries shares a float32 scale ::

    scale  = max |m| over the block / 127                     (of int8)
    values = stochastically rounded m / scale

With rounding to nearest, contributions below half a unit would be lost in every step, and a slow buffer consists of
nothing else; stochastic rounding keeps them in the mean. Its random bits come from the update counter, so a run resumed
from a checkpoint is bitwise reproducible.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_optax.engine.storage import blocks
from nag_optax.engine.storage.derivative import recall, remember
from nag_optax.engine.storage.rounding import mixed, stochastically_rounded

BYTES = ("int8", "float8_e4m3fn", "float8_e5m2")
"""What an entry of one byte may be. Others have no zero, or no sign of it, or too few values to be rounded to."""

SMALLEST = 256
"""Entries of a leaf that is worth one byte each: smaller ones stay in float32."""


class Buffer(NamedTuple):
    """How a buffer is kept.

    Attributes:
      init: params to what is kept of an empty buffer, (values, scales), pytrees like params; scales are ``()`` where
        there are none.
      store: (buffer, values as they were, updates so far) to (values, scales), which `load` reads.
      holds: whether (values, scales) are those of this buffer, and not of one in another dtype.
    """

    init: Callable[[Any], tuple[Any, Any]]
    store: Callable[[Any, Any, Array], tuple[Any, Any]]
    holds: Callable[[Any, Any], bool]


def make_buffer(accumulator_dtype: Any) -> Buffer:
    """A buffer in a dtype; in each parameter's own by default.

    Raises:
      TypeError: if it is no floating dtype of at least 16 bits, none of `BYTES`, and not None.
    """
    if accumulator_dtype is None:
        return _plain(None)
    try:
        dtype = jax.dtypes.canonicalize_dtype(accumulator_dtype)
    except (TypeError, ValueError):
        dtype = None
    if dtype is not None and dtype.name in BYTES:
        return _quantized(dtype)
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating) or dtype.itemsize < 2:
        raise TypeError(
            f"accumulator_dtype must be a floating dtype, int8 or None, got {accumulator_dtype!r}; of one byte there "
            f"are {', '.join(BYTES)}."
        )
    return _plain(dtype)


def load(values: Any, scales: Any) -> Any:
    """The buffer of its values and scales, a pytree like params."""
    return jax.tree.map(_load_leaf, values, scales) if _has_scales(scales) else values


def kept_as(values: Any, scales: Any, momentum: Any, step: Array) -> tuple[Any, Any]:
    """The values and scales of an empty buffer, with the momentum, a pytree, of the paths and shapes that it has."""
    given = dict(jax.tree_util.tree_leaves_with_path(momentum))

    def placed(path, empty):
        m = given.get(path)
        return empty if m is None or jnp.shape(m) != jnp.shape(empty) else m.astype(empty.dtype)

    whole = jax.tree_util.tree_map_with_path(placed, load(values, scales))
    bytes_of = next((v.dtype for v in jax.tree.leaves(values) if _in_bytes(v)), None)
    return (whole, scales) if bytes_of is None else _quantized(bytes_of).store(whole, values, step)


def _plain(dtype: Any) -> Buffer:
    def init(params):
        return jax.tree.map(lambda p: jnp.zeros_like(p, dtype=_wide_dtype(p, dtype)), params), ()

    def holds(values, scales):
        return not _has_scales(scales) and all(v.dtype == _wide_dtype(v, dtype) for v in jax.tree.leaves(values))

    return Buffer(init, lambda momentum, values, step: (momentum, ()), holds)


def _quantized(dtype: Any) -> Buffer:
    levels = float(jnp.iinfo(dtype).max if dtype == jnp.int8 else jnp.finfo(dtype).max)

    def empty(p):
        small = np.size(p) < SMALLEST or jnp.issubdtype(jnp.result_type(p), jnp.complexfloating)
        return jnp.zeros_like(p, dtype=_wide_dtype(p, jnp.float32) if small else dtype)

    def empty_scales(v):
        if not _in_bytes(v):
            return jnp.zeros((), jnp.float32)
        # Computed, to inherit the sharding; behind a barrier, or XLA computes it while it compiles, for minutes.
        return blocks.largest(jax.lax.optimization_barrier(v).astype(jnp.float32))

    def init(params):
        values = jax.tree.map(empty, params)
        return values, jax.tree.map(empty_scales, values)

    def store_leaf(m, v, seed):
        if not _in_bytes(v):
            return m, jnp.zeros((), jnp.float32)
        scale = blocks.largest(m) / levels
        scale = jnp.where(scale < jnp.finfo(scale.dtype).tiny, 0, scale)
        units = jnp.where(scale > 0, 1 / jnp.where(scale > 0, scale, 1), 0)  # 1 / 0 nowhere: debuggers would see it
        in_units = jax.lax.stop_gradient(m * blocks.spread(units, m.shape))
        stored = stochastically_rounded(jnp.clip(in_units, -levels, levels), dtype, seed)
        remember(stored, scale, m)
        return stored, scale

    def store(momentum, values, step):
        leaves, structure = jax.tree.flatten(values)
        seed = mixed(step.astype(jnp.uint32))
        pairs = [
            store_leaf(m, v, mixed(seed + jnp.uint32(i)))
            for i, (m, v) in enumerate(zip(structure.flatten_up_to(momentum), leaves, strict=True))
        ]
        return tuple(structure.unflatten([pair[i] for pair in pairs]) for i in (0, 1))

    def holds(values, scales):
        leaves = jax.tree.leaves(values)
        return not leaves or (_has_scales(scales) and all(v.dtype == dtype for v in leaves if _in_bytes(v)))

    return Buffer(init, store, holds)


def _load_leaf(values: Array, scales: Array) -> Array:
    return recall(values, scales) if _in_bytes(values) else values


def _has_scales(scales: Any) -> bool:
    return not (isinstance(scales, tuple) and scales == ())


def _in_bytes(values: Array) -> bool:
    return values.dtype.itemsize == 1


def _wide_dtype(param: Array, dtype: Any) -> Any:
    """The dtype where a parameter's buffer is no byte: complex for a complex one."""
    own = jnp.result_type(param)
    if dtype is None or not jnp.issubdtype(own, jnp.complexfloating):
        return dtype or own
    return jnp.result_type(dtype, jnp.complex64)
