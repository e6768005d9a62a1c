"""What replicas have reached, and what it cost to talk about it."""

from pathlib import Path

from trainer.run.history import Row, write_figure

COLORS = {"sync": "tab:gray", "diloco": "tab:orange", "snoo": "tab:blue"}
POINTS = {"test_loss": ("", "-"), "base_loss": (", base iterate", ":")}


def as_text(row: Row, rows: list[Row]) -> str:
    """A method's last row as a line of the console, compared with synchronous training if that has run."""
    at_base = f" ({row['base_loss']:.4f} at the base iterate)" if row["base_loss"] is not None else ""
    line = (
        f"{row['method']:7} test loss {row['test_loss']:.4f}{at_base}   {row['bytes_sent'] / 1e6:,.1f} MB sent by each "
        f"replica in {row['syncs']} synchronisations"
    )
    reference = [r for r in rows if r["method"] == "sync" and r["step"] == row["step"]]
    if row["method"] == "sync" or not reference:
        return line
    worse = row["test_loss"] / reference[0]["test_loss"] - 1
    fewer = reference[0]["bytes_sent"] / row["bytes_sent"] if row["bytes_sent"] else 1
    return f"{line}: {worse:+.1%} loss, {fewer:.1f}x fewer bytes than sync"


def draw(path: Path, rows: list[Row], title: str) -> None:
    """Draws the test loss over steps and over bytes sent as a PNG."""
    # This import takes seconds, and no program needs it before its end.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    figure.suptitle(title, fontsize=9, parse_math=False)
    left, right = figure.subplots(1, 2, sharey=True)
    for name in dict.fromkeys(row["method"] for row in rows):
        of_method = [row for row in rows if row["method"] == name]
        for quantity, (point, linestyle) in POINTS.items():
            measured = [row for row in of_method if row[quantity] is not None]
            losses = [row[quantity] for row in measured]
            for panel, unit in ((left, "step"), (right, "bytes_sent")):
                costs = [row[unit] for row in measured]
                if losses:
                    panel.plot(costs, losses, color=COLORS[name], linestyle=linestyle, label=f"{name}{point}")
    left.set_xlabel("step")
    left.set_ylabel("test loss, nats a byte")
    right.set_xlabel("bytes sent by each replica")
    if all(row["bytes_sent"] for row in rows):  # a single replica sends none
        right.set_xscale("log")
    left.legend()
    for panel in (left, right):
        panel.grid(alpha=0.3)
    write_figure(path, figure)
