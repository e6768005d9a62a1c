"""The epochs of a run: train, test, save, show; and go on where a killed run stopped."""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import checkpoints
import history
import jax
import numpy as np
from history import Row
from run_folder import Run
from tqdm import tqdm


def run_epochs(
    run: Run,
    state: Any,
    *,
    batches: Callable[[int], Iterable[Any]],
    step: Callable[[Any, Any], tuple[Any, tuple[jax.Array, jax.Array]]],
    test: Callable[[Any], Row],
    steps_per_epoch: int,
    title: str,
) -> Row:
    """Trains to the last epoch, from the latest checkpoint in the folder if there is one.

    Args:
      run: the run, whose options hold ``epochs``.
      state: the state before the first step, with its shardings.
      batches: the batches of an epoch, counted from 1. What is random in them is a function of the epoch alone.
      step: the next state, of a state and a batch, and loss and accuracy.
      test: the columns that a state adds to the row of its epoch.
      steps_per_epoch: how many batches there are.
      title: of the curves.

    Returns:
      The last row.

    Raises:
      FloatingPointError: if the training loss is not finite. The checkpoints are of the epochs before.
    """
    with checkpoints.open_manager(run.folder / "checkpoints") as manager:
        state, rows = checkpoints.restore_latest(manager, state)
        if run.resumed:
            found = (
                f"the checkpoint of epoch {len(rows)}" if rows else "the beginning: it has no complete checkpoint yet"
            )
            print(f"Resuming {run.folder} from {found}", flush=True)
        total, done = run.options.epochs * steps_per_epoch, len(rows) * steps_per_epoch
        bar = tqdm(total=total, initial=done, unit="step", leave=False, disable=None)  # None: only on a terminal
        try:
            for epoch in range(len(rows) + 1, run.options.epochs + 1):
                start = time.perf_counter()
                state, loss = _train_epoch(state, batches(epoch), step, bar)
                if not math.isfinite(loss):
                    raise FloatingPointError(f"the training loss of epoch {epoch} is {loss}")
                row = {"epoch": epoch, "train_loss": loss, **test(state), "seconds": time.perf_counter() - start}
                rows.append(row)
                checkpoints.save(manager, epoch, state, rows)
                history.write_csv(run.folder / "metrics.csv", rows)
                bar.write(history.as_text(row))
        finally:
            bar.close()
            if rows:  # also those of a run that was killed after its checkpoint and before its table
                history.write_csv(run.folder / "metrics.csv", rows)
                history.draw(run.folder / "curves.png", rows, title)
    return rows[-1]


def _train_epoch(state, batches, step, bar):
    """The state after all batches, and the mean loss."""
    losses = []
    for batch in batches:
        state, (loss, accuracy) = step(state, batch)
        losses.append(loss)
        if bar.update():  # true when the bar was just drawn: the other steps need not wait for the device
            bar.set_postfix(loss=f"{loss:.4f}", accuracy=f"{accuracy:.1%}", refresh=False)
    return state, float(np.mean(jax.device_get(losses)))
