"""Data parallelism over all local devices: the same program on one CPU, a GPU or the cores of a TPU.

Parameters are replicated, batches are split over the mesh axis "data", and ``jax.jit`` adds the all-reduce.
"""

from typing import Any

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from trainer.command_line import UsageError


def shardings() -> tuple[NamedSharding, NamedSharding]:
    """Where to put a copy for every device, and where to put a batch."""
    devices = jax.local_devices()
    mesh = jax.make_mesh((len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices)
    return NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("data"))


def split_params(params: Any) -> Any:
    """Shardings that split every array over the devices along the longest axis that can be (FSDP), or copy it."""
    replicated, _ = shardings()
    mesh = replicated.mesh

    def split(x):
        axis = max((a for a in range(x.ndim) if x.shape[a] % mesh.size == 0), key=lambda a: x.shape[a], default=None)
        names = () if axis is None else (*[None] * axis, "data")
        return NamedSharding(mesh, PartitionSpec(*names))

    return jax.tree.map(split, params)


def check_batch_size(batch_size: int) -> None:
    """Every device takes an equal share of a batch."""
    devices = jax.local_device_count()
    if batch_size % devices:
        raise UsageError(f"argument --batch-size: must be a multiple of the {devices} devices, got {batch_size}")


def describe() -> str:
    """As ``1 cpu device``."""
    count = jax.local_device_count()
    return f"{count} {jax.default_backend()} device{'s' if count > 1 else ''}"
