"""What a run measured, an epoch a row: as a table and as curves."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.run.storage import write_atomically

Row = dict[str, Any]
CURVES = {
    "train": {"label": "training", "color": "tab:gray"},
    "test": {"label": "test, at the parameters", "color": "tab:blue", "marker": "o"},
    "base": {"label": "test, at the base iterate", "color": "tab:orange", "marker": ".", "linestyle": "--"},
}


def tested(results: Mapping[str, tuple[float, float]]) -> Row:
    """Loss and accuracy at the points "test" and perhaps "base", as columns; None where a point was not tested."""
    row: Row = dict.fromkeys(("test_loss", "test_accuracy", "base_loss", "base_accuracy"))
    for name, (loss, accuracy) in results.items():
        row |= {f"{name}_loss": float(loss), f"{name}_accuracy": float(accuracy)}
    return row


def write_csv(path: Path, history: list[Row]) -> None:
    """Writes a line for each epoch; what does not exist is left empty. Nine digits tell any two float32 apart."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(history[0])
    writer.writerows([f"{x:.9g}" if isinstance(x, float) else x for x in row.values()] for row in history)
    write_atomically(path, text.getvalue().encode())


def draw(path: Path, history: list[Row], title: str) -> None:
    """Draws loss and accuracy over the epochs as a PNG."""
    # This import takes seconds, and no program needs it before its end.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(title, parse_math=False)
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    for panel, quantity, unit in ((left, "loss", 1), (right, "accuracy", 100)):
        for prefix, style in CURVES.items():
            values = [unit * value for row in history if (value := row.get(f"{prefix}_{quantity}")) is not None]
            if values:
                panel.plot(epochs, values, **style)
        panel.set_xlabel("epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.grid(alpha=0.3)
        panel.legend()
    left.set_ylabel("cross-entropy loss, log scale")
    left.set_yscale("log")
    right.set_ylabel("test accuracy, %")
    write_figure(path, figure)


def write_figure(path: Path, figure: Any) -> None:
    """Writes a figure of matplotlib as a PNG."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=150)
    write_atomically(path, image.getvalue())


def as_text(row: Row) -> str:
    """A row as a line of the console."""
    base = f"   base {row['base_loss']:.4f} {row['base_accuracy']:.2%}" if row["base_loss"] is not None else ""
    return (
        f"epoch {row['epoch']:3}   training {row['train_loss']:.4f}   test {row['test_loss']:.4f} "
        f"{row['test_accuracy']:.2%}{base}   {row['seconds']:.1f} s, {row['images_per_second']:.0f} images/s, "
        f"{row['waiting']:.0%} of the time waiting for them"
    )


def summary(row: Row) -> str:
    """The test accuracy that a run ends with."""
    base = f", {row['base_accuracy']:.2%} at the base iterate" if row["base_accuracy"] is not None else ""
    return f"Test accuracy: {row['test_accuracy']:.2%} at the parameters{base}"
