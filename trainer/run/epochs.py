"""The epochs of a run: train, test, save, show; and go on where a killed run stopped."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import numpy as np
from tqdm import tqdm

from trainer.run import checkpoints, history
from trainer.run.history import Row
from trainer.run.run_folder import Run


class Stream(Protocol):
    """Batches without end, and where they stand, which fits into JSON. The iterators of grain are streams."""

    def __next__(self) -> Any: ...
    def get_state(self) -> Any:
        """Where the stream stands."""

    def set_state(self, state: Any) -> None:
        """Goes on from there."""


class Counted:
    """A stream whose batches are a function of their number, from 0."""

    def __init__(self, batch: Callable[[int], Any]):
        self._batch, self._next = batch, 0

    def __next__(self) -> Any:
        self._next += 1
        return self._batch(self._next - 1)

    def get_state(self) -> int:
        """How many have been drawn."""
        return self._next

    def set_state(self, state: int) -> None:
        """Goes on after so many."""
        self._next = state


def run_epochs(
    run: Run,
    state: Any,
    *,
    stream: Stream,
    step: Callable[[Any, Any], tuple[Any, tuple[jax.Array, jax.Array]]],
    test: Callable[[Any], Row],
    steps_per_epoch: int,
    title: str,
    save_every: int = 0,
    log: Callable[[Row], None] = lambda row: None,
    data: Mapping[str, str] | None = None,
) -> tuple[Any, Row]:
    """Trains to the last epoch, from the latest checkpoint in the folder if there is one.

    Args:
      run: the run, whose options hold ``epochs`` and ``batch_size``.
      state: the state before the first step, with its shardings.
      stream: the batches.
      step: the next state, of a state and a batch, and loss and accuracy.
      test: the columns that a state adds to the row of its epoch.
      steps_per_epoch: how many batches there are.
      title: of the curves.
      save_every: steps from checkpoint to checkpoint within an epoch; with 0 there is one at its end only.
      log: gets every row, those from before the checkpoint included.
      data: what there is to train on, part by part: a run goes on with the same.

    Returns:
      The last state and the last row.

    Raises:
      FloatingPointError: if the training loss or the test loss is not finite. The checkpoints are of steps before.
      UsageError: if the latest checkpoint is that of another model, or was trained on other data.
    """
    with checkpoints.open_manager(run.folder / "checkpoints") as manager:
        state, record = checkpoints.restore_latest(manager, state, data)
        rows, losses = record.get("rows", []), record.get("losses", [])
        if record:
            stream.set_state(record["stream"])
        done = len(rows) * steps_per_epoch + len(losses)
        if run.resumed:
            place = f"step {done}, epoch {len(rows) + bool(losses)}"
            found = f"the checkpoint of {place}" if done else "the beginning: it has no complete checkpoint yet"
            print(f"Resuming {run.folder} from {found}", flush=True)
            if done and data and not record.get("data"):
                print(
                    "The checkpoint does not say what data it was trained on: nobody compares them with those of now."
                )
        for row in rows:
            log(row)

        def save():
            record = {"rows": rows, "losses": losses, "stream": stream.get_state(), "data": data}
            checkpoints.save(manager, done, state, record)

        total = run.options.epochs * steps_per_epoch
        bar = tqdm(total=total, initial=done, unit="step", leave=False, disable=None)  # None: only on a terminal
        try:
            while len(rows) < run.options.epochs:
                epoch, trained, first = len(rows) + 1, [], done
                start, waiting = time.perf_counter(), 0.0
                while len(losses) + len(trained) < steps_per_epoch:
                    before = time.perf_counter()
                    batch = next(stream)
                    waiting += time.perf_counter() - before
                    state, (loss, accuracy) = step(state, batch)
                    trained.append(loss)
                    done += 1
                    if bar.update():  # true when the bar was just drawn: the other steps need not wait for the device
                        bar.set_postfix(loss=f"{loss:.4f}", accuracy=f"{accuracy:.1%}", refresh=False)
                    if save_every and done % save_every == 0 and done % steps_per_epoch:
                        losses, trained = _finite(losses, trained, epoch), []
                        save()
                losses = _finite(losses, trained, epoch)
                seconds = time.perf_counter() - start
                row = {"epoch": epoch, "train_loss": float(np.mean(np.float32(losses))), **test(state)}
                if not math.isfinite(row["test_loss"]):  # diverged in the epoch's last step
                    raise FloatingPointError(f"the test loss of epoch {epoch} is {row['test_loss']}")
                images = (done - first) * run.options.batch_size
                row |= {"seconds": seconds, "images_per_second": images / seconds, "waiting": waiting / seconds}
                rows.append(row)
                losses = []
                save()
                log(row)
                history.write_csv(run.folder / "metrics.csv", rows)
                bar.write(history.as_text(row))
        finally:
            bar.close()
            if rows:  # also those of a run that was killed after its checkpoint and before its table
                history.write_csv(run.folder / "metrics.csv", rows)
                history.draw(run.folder / "curves.png", rows, title)
    return state, rows[-1]


def _finite(losses: list[float], trained: list[jax.Array], epoch: int) -> list[float]:
    """All losses of the epoch so far, which are float32 and keep their bits in JSON."""
    losses = [*losses, *map(float, jax.device_get(trained))]
    if not math.isfinite(sum(losses)):
        raise FloatingPointError(f"the training loss of epoch {epoch} is {np.mean(losses)}")
    return losses
