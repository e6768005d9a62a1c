"""Replicas: one on each device of one or several processes, as one program.

Every array has a leading axis [replicas], split over the mesh axis "replica", and `jax.shard_map` shows a replica its
own part. The same program runs on virtual CPU devices, on the accelerators of a host, and on several hosts.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

AXIS = "replica"
SPLIT = PartitionSpec(AXIS)


def make_mesh() -> Mesh:
    """All devices of all processes in a row."""
    return jax.make_mesh((jax.device_count(),), (AXIS,), axis_types=(AxisType.Auto,))


def split(array: np.ndarray, mesh: Mesh) -> jax.Array:
    """An array [replicas, ...], of which every process puts its part on its devices."""
    return jax.make_array_from_callback(array.shape, NamedSharding(mesh, SPLIT), lambda index: array[index])


def copied(tree: Any, mesh: Mesh) -> Any:
    """The same tree for every replica."""
    return jax.tree.map(lambda x: split(np.broadcast_to(x, (mesh.size, *np.shape(x))), mesh), tree)


def gathered(array: jax.Array) -> np.ndarray:
    """The whole array [replicas, ...] on every process."""
    return np.asarray(multihost_utils.process_allgather(array, tiled=True))


def on_each(function: Callable[..., Any], mesh: Mesh) -> Callable[..., Any]:
    """``function`` of one replica, on every replica's part of arrays [replicas, ...]."""

    @partial(jax.shard_map, mesh=mesh, in_specs=SPLIT, out_specs=SPLIT)
    def on_this(*parts):
        return jax.tree.map(lambda x: x[None], function(*jax.tree.map(lambda x: x[0], parts)))

    return on_this


def settle(array: jax.Array) -> None:
    """Waits for a step on CPUs, where virtual devices share threads: of two programs at once, one may take those that
    an all-reduce of the other waits for.
    """
    if jax.default_backend() == "cpu":
        jax.block_until_ready(array)
