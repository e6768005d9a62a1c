"""What ``programs/train_vgg16.py`` shows beside its table: scalars for TensorBoard, and the confusion matrix."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.summary import scalar

from trainer.command_line import printable
from trainer.run import history

NAMED = 30
"""Classes at most whose names fit along an axis."""


class TensorBoard:
    """Scalars of every epoch. A resumed run logs the rows of its checkpoint first, into a new file that takes the place
    of those of before.

    The file is written by the thread that logs: TensorBoardX's own would lose what a full disk says, and wait for ever.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._writer: EventsWriter | None = None

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._writer is not None:
            self._writer.close()

    def log(self, row: history.Row) -> None:
        """Adds the numbers of an epoch."""
        before = []
        if self._writer is None:
            self._folder.mkdir(exist_ok=True)
            before = list(self._folder.glob("events.*"))
            self._writer = EventsWriter(str(self._folder / "events"), f".{time.time_ns()}")
        for name, value in row.items():
            if name != "epoch" and value is not None:
                group, _, quantity = name.partition("_")
                tag = f"{quantity}/{group}" if quantity in ("loss", "accuracy") else f"speed/{name}"
                self._writer.write_event(Event(wall_time=time.time(), step=row["epoch"], summary=scalar(tag, value)))
        self._writer.flush()
        for path in before:
            path.unlink()


def draw_confusion(path: Path, confusion: np.ndarray, classes: list[str], title: str) -> None:
    """Draws how often each class [row] was taken for each [column], in percent of its images, as a PNG."""
    from matplotlib.figure import Figure

    count = len(classes)
    shares = 100 * confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(8, 7), layout="constrained")
    figure.suptitle(title, fontsize=9, parse_math=False)
    panel = figure.subplots()
    mesh = panel.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(mesh, label="% of the class")
    panel.set(xlabel="predicted", ylabel="true")
    if count <= NAMED:
        names = [printable(name) for name in classes]
        panel.set_xticks(range(count), names, rotation=90 if max(map(len, names)) > 2 else 0, parse_math=False)
        panel.set_yticks(range(count), names, parse_math=False)
        for i, j in np.argwhere(confusion > 0):
            color = "white" if shares[i, j] > 60 else "black"
            panel.text(j, i, f"{confusion[i, j]:.0f}", ha="center", va="center", color=color, fontsize=8)
    history.write_figure(path, figure)
