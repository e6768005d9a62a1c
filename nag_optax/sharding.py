"""Shardings of an optimizer state: next to the parameters that it belongs to.

``tx.init`` makes buffers by ``zeros_like``. If called eagerly, or under ``jax.jit`` on a mesh with Explicit axes, they
inherit the sharding of their parameter. Under ``jax.jit`` on a mesh with Auto axes the compiler decides, and puts them
on one device. `state_shardings` returns the right shardings, for ``out_shardings`` and for checkpoints.
"""

import math
from typing import Any

import jax
import optax
from jax.sharding import NamedSharding, PartitionSpec

from nag_optax.validation import leaf_name


def state_shardings(tx: optax.GradientTransformation, params: Any) -> Any:
    """Shardings of an optimizer state, like those of its parameters; leaves without a parameter are replicated.

    It works for every gradient transformation whose ``init`` treats params as Optax's own do, and allocates nothing.
    Masks and labels must be functions of params by ``jax.tree.map``: Optax calls ``init`` with a stand-in for params.

    Args:
      tx: the optimizer.
      params: sharded arrays, or ``jax.ShapeDtypeStruct`` with shardings; all on one mesh.

    Returns:
      A pytree of shardings with the structure of ``tx.init(params)``.

    Raises:
      ValueError: if a parameter has no sharding over a mesh.

    >>> import jax, jax.numpy as jnp, optax
    >>> from jax.sharding import NamedSharding, PartitionSpec
    >>> from nag_optax import nag, state_shardings
    >>> mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    >>> params = jax.device_put(jnp.ones((8, 2)), NamedSharding(mesh, PartitionSpec("data")))
    >>> tx = optax.chain(optax.clip_by_global_norm(1.0), nag(0.1))
    >>> state = jax.jit(tx.init, out_shardings=state_shardings(tx, params))(params)
    >>> optax.tree.get(state, "momentum").sharding.spec[0]
    'data'
    """
    shardings = jax.tree.map(lambda p: getattr(p, "sharding", None), params)
    for path, sharding in jax.tree_util.tree_leaves_with_path(shardings, is_leaf=lambda s: s is None):
        if not isinstance(sharding, NamedSharding):
            raise ValueError(
                f"params must be sharded over a mesh, got {sharding} at {leaf_name(path)}: use jax.device_put."
            )
    meshes = {sharding.mesh for sharding in jax.tree.leaves(shardings)}
    if len(meshes) != 1:
        raise ValueError(f"params must be sharded over one mesh, got {len(meshes)}.")
    replicated = NamedSharding(meshes.pop(), PartitionSpec())

    def beside(x, sharding):
        return x if _is_masked(x) else NamedSharding(sharding.mesh, _fitting(sharding, x.shape))

    return optax.tree.map_params(
        tx,
        beside,
        jax.eval_shape(tx.init, params),
        shardings,
        transform_non_params=lambda _: replicated,
        is_leaf=_is_masked,
    )


def _is_masked(x: Any) -> bool:
    """Whether this stands for parameters that another transformation takes (``optax.masked``, ``optax.partition``)."""
    return isinstance(x, optax.MaskedNode)


def _fitting(sharding: NamedSharding, shape: tuple[int, ...]) -> PartitionSpec:
    """How to split what may be smaller than its parameter, such as the scales of a buffer: along the axes that can be
    split in the same way.
    """
    return PartitionSpec(
        *(names if n % ways(sharding, names) == 0 else None for n, names in zip(shape, sharding.spec, strict=False))
    )


def ways(sharding: NamedSharding, names: Any) -> int:
    """Into how many parts an axis is split by axes of the mesh: a name, names, or None."""
    return math.prod(sharding.mesh.shape[name] for name in ((names,) if isinstance(names, str) else names or ()))
