"""Checkpoints that survive ``kill -9``, through Orbax.

The state of training and everything measured until then are one checkpoint: Orbax shows all of it or nothing. What a
killed run had written elsewhere is rebuilt from there.
"""

from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp
from history import Row


def open_manager(folder: Path) -> ocp.CheckpointManager:
    """The two latest checkpoints in a folder, the older one as a reserve."""
    options = ocp.CheckpointManagerOptions(
        preservation_policy=ocp.checkpoint_managers.LatestN(2),
        enable_async_checkpointing=False,  # an epoch ends when it is safe
        cleanup_tmp_directories=True,  # of a killed run
    )
    return ocp.CheckpointManager(folder.absolute(), options=options)


def save(manager: ocp.CheckpointManager, epoch: int, state: Any, history: list[Row]) -> None:
    """Writes the checkpoint of an epoch, and returns when it is complete."""
    items = ocp.args.Composite(state=ocp.args.StandardSave(state), history=ocp.args.JsonSave({"rows": history}))
    manager.save(epoch, args=items)


def restore_latest(manager: ocp.CheckpointManager, state: Any) -> tuple[Any, list[Row]]:
    """The latest complete checkpoint, with the shapes and shardings of ``state``; without one, ``state`` itself."""
    epoch = manager.latest_step()
    if epoch is None:
        return state, []
    items = ocp.args.Composite(state=ocp.args.StandardRestore(state), history=ocp.args.JsonRestore())
    restored = manager.restore(epoch, args=items)
    return restored["state"], restored["history"]["rows"]
