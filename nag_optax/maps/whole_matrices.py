"""Matrices that lie in parts on several devices: brought together one leaf at a time, and taken apart again.

The products of an iteration need whole rows and columns. Where shardings are explicit, the compiler may not choose, and
a function of matrices would be refused; so the matrix axes are gathered before it and split after it, while the axes
that count matrices stay where they are. Where shardings are the compiler's business, it does the same by itself.
"""

import importlib
from collections.abc import Callable
from typing import Any

import jax
from jax import Array
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from nag_optax.maps.matrix_axes import MatrixAxes


def whole_matrices(function: Callable[[Array], Array], x: Array, axes: MatrixAxes) -> Array:
    """A function that needs whole matrices, of an array that may be sharded along them."""
    sharding = getattr(jax.typeof(x), "sharding", None) if hasattr(jax, "typeof") else None
    if not isinstance(sharding, NamedSharding) or AxisType.Explicit not in sharding.mesh.axis_types:
        return function(x)
    batch, _, _ = axes.parts(x.ndim)
    parts = (*sharding.spec, *[None] * (x.ndim - len(sharding.spec)))
    together = PartitionSpec(*(part if i in batch else None for i, part in enumerate(parts)))
    return _reshard(function(_reshard(x, NamedSharding(sharding.mesh, together))), sharding)


def _reshard(x: Array, where: NamedSharding) -> Array:
    home: Any = jax.sharding
    if not hasattr(home, "reshard"):  # jax 0.5
        home = importlib.import_module("jax.experimental.shard")
    return home.reshard(x, where)
