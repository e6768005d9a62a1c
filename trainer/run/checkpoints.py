"""Checkpoints that survive ``kill -9``, through Orbax.

The state of training and the record of all that happened until then are one checkpoint: Orbax shows all of it or
nothing. What a killed run had written elsewhere is rebuilt from there.
"""

import gc
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from trainer.command_line import UsageError
from trainer.data.inventory import difference
from trainer.run import storage


def open_manager(folder: Path) -> ocp.CheckpointManager:
    """The two latest checkpoints in a folder, the older one as a reserve."""
    options = ocp.CheckpointManagerOptions(
        preservation_policy=ocp.checkpoint_managers.LatestN(2),
        enable_async_checkpointing=False,  # a step that is said to be safe is
        cleanup_tmp_directories=True,  # of a killed run
    )
    handlers = {"state": ocp.StandardCheckpointHandler(), "history": ocp.JsonCheckpointHandler()}
    return ocp.CheckpointManager(folder.absolute(), options=options, item_handlers=handlers)


def save(manager: ocp.CheckpointManager, step: int, state: Any, record: dict[str, Any]) -> None:
    """Writes a checkpoint after so many steps, and returns when it is complete; ``record`` must fit into JSON.

    Raises:
      OSError: if the disk does not take it. The checkpoints of before are as they were.
    """
    items = ocp.args.Composite(state=ocp.args.StandardSave(state), history=ocp.args.JsonSave(record))
    refused = None
    with _silent("absl", "asyncio"):
        try:
            manager.save(step, args=items)
        except Exception as error:
            code = storage.refused(error)
            if code is None:
                raise
            refused = OSError(code, os.strerror(code), str(manager.directory))
        if refused:
            gc.collect()  # tasks that were given up complain when they are collected
    if refused:
        _expect_late_answers()
        raise refused


def _expect_late_answers() -> None:
    """TensorStore's threads may answer, a page for each file, to an event loop that Orbax has closed meanwhile."""
    hook = sys.unraisablehook

    def report(event: Any) -> None:
        if not (isinstance(event.exc_value, RuntimeError) and "Event loop is closed" in str(event.exc_value)):
            hook(event)

    sys.unraisablehook = report


@contextmanager
def _silent(*loggers: str) -> Iterator[None]:
    """What Orbax's threads log about a full disk, a page for each file, is what it raises."""
    hook, levels = sys.unraisablehook, {name: logging.getLogger(name).level for name in loggers}
    try:
        sys.unraisablehook = lambda _: None
        for name in loggers:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        yield
    finally:
        sys.unraisablehook = hook
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def restore_latest(
    manager: ocp.CheckpointManager, state: Any, data: Mapping[str, str] | None = None
) -> tuple[Any, dict[str, Any]]:
    """The latest complete checkpoint, with the shapes and shardings of ``state``, and its record; ``state`` itself and
    an empty record if there is none.

    Args:
      manager: of the folder.
      state: of the training, before its first step.
      data: what there is to train on, part by part, as it was saved under this name in the record.

    Raises:
      UsageError: if the checkpoint is that of another model, or was trained on other data.
    """
    step = manager.latest_step()
    if step is None:
        return state, {}
    record = manager.restore(step, args=ocp.args.Composite(history=ocp.args.JsonRestore()))["history"]
    place = manager.directory / str(step)
    if changes := record.get("data") and difference(record["data"], data or {}):
        raise UsageError(f"the data have changed since {place}: {changes}. Bring them back, or begin another run")
    found, expected = _arrays(manager.item_metadata(step)["state"]), _arrays(state)
    if found != expected:
        name = next(name for name in {**expected, **found} if found.get(name) != expected.get(name))
        raise UsageError(
            f"{place} is no checkpoint of this model: {name} has {found.get(name, 'no array')} there and "
            f"{expected.get(name, 'none')} here"
        )
    return manager.restore(step, args=ocp.args.Composite(state=ocp.args.StandardRestore(state)))["state"], record


def _arrays(tree: Any) -> dict[str, str]:
    """Shape and dtype by name, as ``float32[3, 2]``."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): f"{x.dtype}{list(x.shape)}"
        for path, x in jax.tree_util.tree_leaves_with_path(tree)
    }
