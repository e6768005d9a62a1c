"""Masks of params: pytrees of booleans, or functions of params that return one."""

from typing import Any

import jax

from nag_optax.validation import shown


def check_flags(name: str, value: Any, *, gaps: bool = False) -> None:
    """Raises TypeError if ``value`` is not a pytree of booleans; with ``gaps``, some may be None."""
    flags = jax.tree.leaves(value, is_leaf=None if gaps else lambda x: x is None)
    wrong = [x for x in flags if not isinstance(x, bool) and str(getattr(x, "dtype", "")) != "bool"]
    if wrong or not flags:
        found = shown(wrong[0]) if wrong else "none"
        raise TypeError(f"{name} must be a pytree of booleans, or a function of params that returns one, got {found}.")


def flags_of(name: str, mask: Any, params: Any) -> Any:
    """The booleans of a mask, or of a mask function of params; raises as `check_flags` where params have leaves. It may
    have None where params do.
    """
    try:
        flags = mask(params) if callable(mask) else mask
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} must be a function of params that returns booleans: {error}") from error
    if jax.tree.leaves(params):
        check_flags(name, flags, gaps=_gaps(flags) <= _gaps(params))
    return flags


def _gaps(tree: Any) -> set[str]:
    """Where a tree has None."""
    leaves = jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda x: x is None)
    return {jax.tree_util.keystr(path) for path, x in leaves if x is None}
