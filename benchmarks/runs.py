"""Trainings that are remembered: a line of a CSV file each, so that a benchmark of many hours may be interrupted."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

HEADER = ("task", "method", "learning_rate", "seed", "steps", "seconds", "losses", "accuracies")


class Key(NamedTuple):
    """What determines a run; the learning rate as it is printed."""

    task: str
    method: str
    learning_rate: str
    seed: int
    steps: int


class Curve(NamedTuple):
    """Loss and accuracy at equal distances, up to the end or to the first that is not finite [tests]."""

    losses: np.ndarray
    accuracies: np.ndarray

    def final(self, tests: int) -> float:
        """The mean loss over the last fifth of so many tests; infinite if the run ended early."""
        if len(self.losses) < tests or not np.isfinite(self.losses).all():
            return np.inf
        return float(self.losses[-(tests // 5) :].mean())


class Runs:
    """The runs of a file, to which new ones are appended as they end.

    Args:
      path: of the CSV file, which need not exist; None remembers nothing.
      read_only: whether an unknown run is an error, and not made.

    Raises:
      ValueError: if the file is not one of runs.
    """

    def __init__(self, path: Path | None, *, read_only: bool = False):
        self._path, self._read_only, self._curves = path, read_only, {}
        if path is None or not path.exists():
            return
        with path.open(newline="") as file:
            reader = csv.reader(file)
            if tuple(next(reader, ())) != HEADER:
                raise ValueError(f"{path} is no file of runs: its first line is not {','.join(HEADER)}")
            for task, method, rate, seed, steps, _, losses, accuracies in reader:
                self._curves[Key(task, method, rate, int(seed), int(steps))] = Curve(
                    np.array(losses.split(), float), np.array(accuracies.split(), float)
                )

    def get(self, key: Key, run: Callable[[], tuple[Curve, float]]) -> Curve:
        """The curve of a run, which ``run`` provides, with its seconds, if it is not yet known.

        Raises:
          LookupError: if it is unknown and the file is only read.
        """
        if key not in self._curves:
            if self._read_only:
                raise LookupError(f"{self._path} has no run of {key}")
            self._curves[key], seconds = run()
            if self._path:
                _append(self._path, key, self._curves[key], seconds)
        return self._curves[key]


def _append(path: Path, key: Key, curve: Curve, seconds: float) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(HEADER)
        writer.writerow([*key, f"{seconds:.1f}", *(" ".join(f"{x:.5g}" for x in values) for values in curve)])
