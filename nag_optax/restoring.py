"""Rebuild a state from a checkpoint that holds names and arrays, but no types."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

ADDED = ("restarts", "last")
"""Fields of states that older checkpoints have not; they begin as new."""


def restore_state(tx: optax.GradientTransformation, raw: Any, params: Any) -> Any:
    """The state of a transformation, with the values of a checkpoint read without a template.

    Without a template, Orbax and Flax return dicts and lists, in which the fields of states are strings. This function
    puts the values back in their places. It also reads older checkpoints: a field that did not exist when the
    checkpoint was written gets its initial value.

    Args:
      tx: the transformation whose state was saved.
      raw: what ``orbax.checkpoint.StandardCheckpointer().restore(path)`` or ``flax.serialization.msgpack_restore``
        returned for it.
      params: the parameters that belong to it.

    Returns:
      A state of the structure, shapes and dtypes of ``tx.init(params)``.

    Raises:
      ValueError: if ``raw`` holds something that has no place in the state, lacks a leaf of a parameter, or has another
        shape. If only options have changed, use `nag_optax.reanchor`.

    >>> import jax.numpy as jnp
    >>> from nag_optax import nag, restore_state
    >>> tx, params = nag(0.1), jnp.zeros(2)
    >>> raw = tx.init(params)._replace(momentum=jnp.ones(2))._asdict()
    >>> restore_state(tx, raw, params).momentum
    Array([1., 1.], dtype=float32)
    """
    return _placed(tx.init(params), raw, ())


def _placed(fresh: Any, raw: Any, at: tuple[str, ...]) -> Any:
    """A part of the state, with what is held for it."""
    where = "/".join(at) or "its top"
    parts, structure = jax.tree_util.tree_flatten_with_path(fresh, is_leaf=lambda part: part is not fresh)
    if structure == jax.tree.structure(0):
        return _leaf(fresh, raw, where)
    held = _by_name(raw, where)
    names = [jax.tree_util.keystr(path, simple=True) for path, _ in parts]
    for name in held.keys() - names:
        if jax.tree.leaves(held[name]):
            raise ValueError(f"raw has {name!r} at {where}, for which the transformation has no place.")
    for name, (_, part) in zip(names, parts, strict=True):
        if name not in held and name not in ADDED and jax.tree.leaves(part):
            raise ValueError(f"raw has no {name!r} at {where}.")
    return structure.unflatten(
        _placed(part, held[name], (*at, name)) if name in held else part
        for name, (_, part) in zip(names, parts, strict=True)
    )


def _leaf(fresh: Any, raw: Any, where: str) -> Any:
    if len(jax.tree.leaves(raw)) != 1 or jnp.shape(raw) != jnp.shape(fresh):
        got = f"shape {jnp.shape(raw)}" if len(jax.tree.leaves(raw)) == 1 else type(raw).__name__
        raise ValueError(f"raw must have an array of shape {jnp.shape(fresh)} at {where}, got {got}.")
    return jnp.asarray(raw, jnp.result_type(fresh))


def _by_name(raw: Any, where: str) -> dict[str, Any]:
    """What a dict, a list or a state holds, by names."""
    if hasattr(raw, "_asdict"):
        raw = raw._asdict()
    if isinstance(raw, list | tuple):
        raw = dict(enumerate(raw))
    if not isinstance(raw, Mapping | None):
        raise ValueError(f"raw must have a dict or a list at {where}, got {type(raw).__name__}.")
    return {str(name): part for name, part in (raw or {}).items()}
