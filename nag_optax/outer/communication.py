"""The mean over replicas, in low precision if requested.

A low-precision message has a rounding error, which is kept and added to the next message (error feedback, Seide et al.,
Interspeech 2014), so it is only delayed, not lost. Eight-bit integers share one scale per row, which the replicas agree
on first. Their range is divided among R replicas, so the sum fits into eight bits and an ordinary all-reduce adds them
exactly ::

    levels = 127 // R
    scale  = max |c| over replicas and row / levels
    q      = round(c / scale)
    mean   = scale / R * (sum of q over replicas)
"""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax import trees
from nag_optax.validation import leaf_name

ROW = 64
"""Entries that are worth a scale of their own: it adds 4 bytes to at least 64."""


class Message(NamedTuple):
    """How replicas take a mean.

    Attributes:
      init: ``init(params) -> residual``.
      mean: ``mean(tree, residual) -> (mean, residual)``.
    """

    init: Callable[[Any], Any]
    mean: Callable[[Any, Any], tuple[Any, Any]]


def mean_over(axis_name: Hashable | tuple[Hashable, ...] | None, dtype: Any = None) -> Message:
    """The mean over a mapped axis, sent in a dtype.

    Args:
      axis_name: the axis or axes; None for a single replica, which sends nothing.
      dtype: None, a floating dtype, or ``jnp.int8``.

    Raises:
      TypeError: for another dtype.
      ValueError: for a dtype without an axis.
    """
    if dtype is None:
        return Message(lambda params: (), lambda tree, residual: (_mean(tree, axis_name), residual))
    try:
        sent = jnp.dtype(dtype)
    except TypeError:
        sent = jnp.dtype(bool)
    if sent != jnp.int8 and not (jnp.issubdtype(sent, jnp.floating) and sent.itemsize >= 2):
        raise TypeError(
            f"communication_dtype must be None, a floating dtype of at least 16 bits or int8, got {dtype!r}."
        )
    dtype = sent
    if axis_name is None:
        raise ValueError(f"communication_dtype needs an axis_name to send {dtype} over.")
    send = _as_integers if dtype == jnp.int8 else partial(_as_floats, dtype=dtype)

    def init(params: Any) -> Any:
        _check_real(params)
        return jax.tree.map(jnp.zeros_like, params)

    def mean(tree: Any, residual: Any) -> tuple[Any, Any]:
        wanted = jax.tree.map(lambda x, r: trees.widened(x) + r, tree, residual)
        pairs = jax.tree.map(lambda c: send(c, axis_name), wanted)
        means = jax.tree.map(lambda x, pair: pair[0].astype(x.dtype), tree, pairs)
        left_out = jax.tree.map(lambda x, c, pair: _finite(c - pair[1]).astype(x.dtype), tree, wanted, pairs)
        return means, left_out

    return Message(init, mean)


def check_axis(axis_name: Hashable | tuple[Hashable, ...] | None) -> None:
    """Raises ValueError if there is no such axis here."""
    if axis_name is None:
        return
    try:
        jax.lax.axis_index(axis_name)
    except NameError as error:
        raise ValueError(
            f"axis_name: there is no axis {axis_name!r} here; update must run inside jax.shard_map or jax.vmap over it."
        ) from error


def _mean(tree: Any, axis_name: Any) -> Any:
    return tree if axis_name is None else jax.lax.pmean(tree, axis_name)


def _finite(left_out: Array) -> Array:
    """The rounding error, or 0 where it is not finite: it has been sent, and would otherwise return for ever."""
    return jnp.where(jnp.isfinite(left_out), left_out, 0)


def _as_floats(c: Array, axis_name: Any, dtype: Any) -> tuple[Array, Array]:
    """The mean, and what this replica has sent."""
    sent = c.astype(dtype)
    return jax.lax.pmean(sent, axis_name).astype(c.dtype), sent.astype(c.dtype)


def _as_integers(c: Array, axis_name: Any) -> tuple[Array, Array]:
    """The mean, and what this replica has sent."""
    replicas = jax.lax.psum(1, axis_name)
    levels = 127 // replicas
    if not levels:
        raise ValueError(f"communication_dtype: at most 127 replicas can send int8, got {replicas}.")
    rows = c.ndim - 1 if c.ndim and c.shape[-1] >= ROW else None
    # A maximum over devices may leave NaN out, and an integer has none: it travels as an infinite scale.
    finite = jnp.isfinite(c)
    size = jnp.where(finite, jnp.abs(c), jnp.inf)
    scale = jax.lax.pmax(jnp.max(size, axis=rows, keepdims=True, initial=0), axis_name) / levels
    usable = (scale >= jnp.finfo(scale.dtype).tiny) & jnp.isfinite(scale)
    q = jnp.round(jnp.where(finite & usable, c, 0) / jnp.where(usable, scale, 1)).astype(jnp.int8)
    unit = jnp.where(jnp.isfinite(scale), scale, jnp.nan)
    return jax.lax.psum(q, axis_name) * (unit / replicas), q * unit


def _check_real(params: Any) -> None:
    for path, p in jax.tree_util.tree_leaves_with_path(params):
        if jnp.issubdtype(jnp.result_type(p), jnp.complexfloating):
            raise TypeError(f"communication_dtype is for real params, got {jnp.result_type(p)} at {leaf_name(path)}.")
