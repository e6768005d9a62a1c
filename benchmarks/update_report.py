"""What `benchmarks.update` prints and draws."""

from typing import NamedTuple

import jax
import matplotlib.pyplot as plt
import numpy as np

from benchmarks.report import heading, table
from benchmarks.steps import torch
from benchmarks.update_methods import COPY, PEER


class Row(NamedTuple):
    """What was measured of one step on one layout; bytes are a parameter's."""

    layout: str
    step: str
    params: str
    milliseconds: float
    ratio: float
    gb_per_second: float
    share_of_copy: float
    state_bytes: float
    bytes_of_one_pass: float
    peak_bytes: float | None
    compile_seconds: float | None

    def name(self):
        """Cells of the step, whose name has not the dtype that stands beside it."""
        return [self.step.replace(f", {self.params} params", ""), self.params]

    def times(self):
        """Cells of what it takes."""
        shown = two(self.milliseconds), f"{self.ratio:.3f}", f"{self.gb_per_second:.1f}", f"{self.share_of_copy:.0%}"
        return [*self.name(), *shown, two(self.compile_seconds)]

    def bytes(self):
        """Cells of what it moves and holds."""
        return [*self.name(), two(self.state_bytes), two(self.bytes_of_one_pass), two(self.peak_bytes)]


def lines(rows, compiled, parameters, leaves):
    """The tables: of every layout the time of a step and the bytes behind it, then compilation."""
    yield from heading(f"One update against `{PEER}`", "benchmarks.update")
    if not torch:
        yield from ("PyTorch is not installed: its rows are missing.", "")
    yield (
        f"{parameters:,} parameters. GB/s and the share of a copy's are counted at the bytes of one pass; bytes are a "
        "parameter's."
    )
    for layout in dict.fromkeys(row.layout for row in rows):
        of_layout = [row for row in rows if row.layout == layout]
        yield from ("", f"## {layout}", "")
        yield from table(
            ["step", "params", "ms", "ratio", "GB/s", "of a copy", "compile s"], (row.times() for row in of_layout)
        )
        yield ""
        yield from table(
            ["step", "params", "bytes of the state", "of one pass", "at the peak"], (row.bytes() for row in of_layout)
        )
    if compiled:
        yield from ("", f"## Trace and compile, {leaves:,} leaves", "")
        yield from table(["step", "seconds", "ratio"], ([name, two(s), two(ratio)] for name, s, ratio in compiled))


def two(x):
    """A number of two digits, if there is one."""
    return "-" if x is None else f"{x:.2f}"


def plot(rows, parameters):
    """The roofline: seconds a parameter over the bytes that it must move, and the line of a copy's bandwidth."""
    layouts = dict.fromkeys(row.layout for row in rows)
    fig, axes = plt.subplots(1, len(layouts), figsize=(15, 5), sharey=True, layout="constrained")
    for ax, layout in zip(axes, layouts, strict=True):
        chosen = [row for row in rows if row.layout == layout]
        copy = next(row for row in chosen if row.step == COPY)
        moved = np.linspace(1, 1.05 * max(row.bytes_of_one_pass for row in chosen))
        ax.plot(moved, moved * copy.milliseconds / 8, color="#888888", lw=1, label="bandwidth of a copy")
        for i, row in enumerate(row for row in chosen if row.step != COPY):
            marker = "s" if row.step.startswith("optax") else "^" if row.step.startswith("torch") else "o"
            style = {"color": plt.colormaps["tab20"](i), "alpha": 0.85, "label": row.step}
            ax.plot(row.bytes_of_one_pass, row.milliseconds, marker, **style)
        ax.set(title=layout, xlabel="bytes a parameter, one pass", xlim=(0, None), yscale="log")
        ax.set_ylim(copy.milliseconds / 4)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel(f"milliseconds, {parameters:,} parameters")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    fig.suptitle(f"One update, {jax.devices()[0].device_kind}")
    return fig
