"""What ``programs/train_vgg16.py`` shows beside its table: scalars for TensorBoard, and the confusion matrix."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX import SummaryWriter

from trainer.run import history

NAMED = 30
"""Classes at most whose names fit along an axis."""


class TensorBoard:
    """Scalars of every epoch. The folder is written anew: a resumed run logs the rows of its checkpoint first."""

    def __init__(self, folder: Path):
        shutil.rmtree(folder, ignore_errors=True)
        self._writer = SummaryWriter(str(folder))

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, *exception: Any) -> None:
        self._writer.close()

    def log(self, row: history.Row) -> None:
        """Adds the numbers of an epoch."""
        for name, value in row.items():
            if name != "epoch" and value is not None:
                group, _, quantity = name.partition("_")
                tag = f"{quantity}/{group}" if quantity in ("loss", "accuracy") else f"speed/{name}"
                self._writer.add_scalar(tag, value, row["epoch"])
        self._writer.flush()


def draw_confusion(path: Path, confusion: np.ndarray, classes: list[str], title: str) -> None:
    """Draws how often each class [row] was taken for each [column], in percent of its images, as a PNG."""
    from matplotlib.figure import Figure

    count = len(classes)
    shares = 100 * confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(8, 7), layout="constrained")
    figure.suptitle(title, fontsize=9)
    panel = figure.subplots()
    mesh = panel.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(mesh, label="% of the class")
    panel.set(xlabel="predicted", ylabel="true")
    if count <= NAMED:
        panel.set_xticks(range(count), classes, rotation=90 if max(map(len, classes)) > 2 else 0)
        panel.set_yticks(range(count), classes)
        for i, j in np.argwhere(confusion > 0):
            color = "white" if shares[i, j] > 60 else "black"
            panel.text(j, i, f"{confusion[i, j]:.0f}", ha="center", va="center", color=color, fontsize=8)
    history.write_figure(path, figure)
