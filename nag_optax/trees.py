"""Arithmetic on pytrees: sums over all leaves in float32 or better, moves that keep each leaf's dtype.

Inner products sum elementwise products, because ``vdot`` and ``ravel`` reject some shardings.

A gradient may be None if a leaf is not trained, temporarily or never, and the model may have a non-array there.
`beside` takes the part of a tree that has gradients; `filled` puts the result back.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax.scalars import Scalar
from nag_optax.validation import leaf_name


def widened(x: Array, dtype: Any = jnp.float32) -> Array:
    """The array in a dtype or better; its own counts, however weak JAX holds it."""
    x = jnp.asarray(x)
    return jnp.asarray(x, jnp.promote_types(x.dtype, dtype))


def total(function: Callable[..., Array], *trees: Any) -> Array:
    """The sum of a function of leaves, in float32 or better."""

    def of_leaves(*leaves):
        return jnp.sum(function(*(widened(x) for x in leaves)))

    return sum(jax.tree.leaves(jax.tree.map(of_leaves, *trees)), jnp.zeros((), jnp.float32))


def inner(x: Any, y: Any) -> Array:
    """<x, y>, for complex trees its real part."""
    return total(lambda a, b: (a.conj() * b).real, x, y)


def absolute_inner(x: Any, y: Any) -> Array:
    """<|x|, |y|>, the largest <x, y> whatever the signs."""
    return total(lambda a, b: jnp.abs(a) * jnp.abs(b), x, y)


def squared_norm(x: Any) -> Array:
    """|x|^2."""
    return total(lambda a: jnp.abs(a) ** 2, x)


def norm(x: Any) -> Array:
    """|x|."""
    return jnp.sqrt(squared_norm(x))


def rounding(x: Any) -> Array:
    """|eps x|, each leaf with the eps of its dtype."""
    leaves = jax.tree.leaves(x)
    of_dtypes = ([a for a in leaves if a.dtype == dtype] for dtype in dict.fromkeys(a.dtype for a in leaves))
    return reduce(jnp.hypot, (float(jnp.finfo(same[0].dtype).eps) * norm(same) for same in of_dtypes))


def plus(x: Any, scale: Scalar, y: Any) -> Any:
    """``x + scale * y``, in the dtypes of x."""
    return jax.tree.map(lambda a, b: (a + scale * b).astype(a.dtype), x, y)


def minus(x: Any, y: Any) -> Any:
    """``x - y``, in float32 or better."""
    return jax.tree.map(lambda a, b: widened(a) - widened(b), x, y)


def beside(gradients: Any, tree: Any) -> Any:
    """The leaves of a tree that have a gradient, and None instead of others; ``()`` and None unchanged.

    Raises:
      ValueError: where a gradient has nothing beside it.
    """
    if tree is None or (isinstance(tree, tuple) and tree == ()):
        return tree
    if jax.tree.structure(tree) == jax.tree.structure(gradients):
        return tree

    def kept(path, g, x):
        if g is not None and x is None:
            raise ValueError(f"gradients must be None at {leaf_name(path)}, where init saw no parameter.")
        return None if g is None else x

    return jax.tree_util.tree_map_with_path(kept, gradients, tree, is_leaf=_is_none)


def fields_beside(gradients: Any, state: Any, *names: str) -> Any:
    """A state whose fields with these names keep only the leaves that have a gradient, see `beside`."""
    return state._replace(**{name: beside(gradients, getattr(state, name)) for name in names})


def filled(part: Any, whole: Any) -> Any:
    """The whole tree, with its leaves replaced by those of a part that are not None."""
    if jax.tree.structure(part) == jax.tree.structure(whole):
        return part
    return jax.tree.map(lambda new, old: old if new is None else new, part, whole, is_leaf=_is_none)


def _is_none(x: Any) -> bool:
    return x is None


def zeros(x: Array, dtype: Any) -> Array:
    """Zeros of a dtype, placed like x.

    They are computed from x: inside ``jax.jit`` on a mesh with Auto axes, ``zeros_like`` makes a constant, which the
    compiler puts on one device.
    """
    return jnp.where(jnp.isnan(x), 0, 0).astype(dtype)


def copied(x: Any) -> Any:
    """Leaves in their own buffers, which may be donated together with those of x; shapes stay shapes."""
    return jax.tree.map(lambda a: a if isinstance(a, jax.ShapeDtypeStruct) else jnp.copy(a), x)


def where(condition: Array | bool, x: Any, y: Any) -> Any:
    """Leaves of x where the scalar condition holds, of y elsewhere."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), x, y)
