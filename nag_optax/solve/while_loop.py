"""``jax.lax.while_loop`` and gradients inside of ``jax.shard_map``, where arrays vary over some axes or do not."""

from collections.abc import Callable
from typing import Any

import jax


def while_loop(goes_on: Callable[[Any], Any], body: Callable[[Any], Any], first: Any) -> Any:
    """The same; a leaf of ``first`` that does not vary over an axis yet is cast if it does after the body."""
    if not _inside_shard_map():
        return jax.lax.while_loop(goes_on, body, first)
    carry = _after(body, first)
    return jax.lax.while_loop(goes_on, lambda before: jax.tree.map(_vary_like, body(before), carry), carry)


def varying_with(value: Callable[[Any], Any], x: Any) -> Any:
    """The tree x, varying over the axes of ``jax.shard_map`` over which its value does.

    Where devices have problems of their own, a gradient with respect to what does not vary would be the sum of theirs.
    """
    if not _inside_shard_map():
        return x
    of_value = jax.eval_shape(value, x)
    return jax.tree.map(lambda leaf: _vary_like(leaf, of_value), x)


def summed_like(x: Any, value: Any) -> Any:
    """x, summed over the axes of ``jax.shard_map`` over which it varies and a value does not."""
    axes = tuple(sorted(_axes(x) - _axes(value))) if _inside_shard_map() else ()
    return jax.lax.psum(x, axes) if axes else x


def _after(body: Callable[[Any], Any], first: Any) -> Any:
    """``first``, varying over all the axes over which it will."""
    varying = jax.tree.map(_vary_like, first, jax.eval_shape(body, first))
    return first if jax.tree.map(_axes, varying) == jax.tree.map(_axes, first) else _after(body, varying)


def _inside_shard_map() -> bool:
    current = getattr(jax.sharding, "get_abstract_mesh", None)  # not in the oldest supported jax
    return bool(current and hasattr(jax.lax, "pcast") and current().manual_axes)


def _axes(x: Any) -> frozenset:
    abstract = x if isinstance(x, jax.ShapeDtypeStruct) else jax.typeof(x)
    kind = getattr(abstract, "manual_axis_type", None)  # of jax 0.10; before, it was the field vma
    return getattr(kind, "varying", None) or getattr(abstract, "vma", None) or frozenset()


def _vary_like(x: Any, other: Any) -> Any:
    missing = tuple(sorted(_axes(other) - _axes(x)))
    return jax.lax.pcast(x, missing, to="varying") if missing else x
