"""What `benchmarks.update` prints and draws."""

from typing import NamedTuple

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmarks.pictures import BLACK, BLUE, PINK, SKY
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


WHOSE = {BLUE: "nag", SKY: "Optax's Nesterov", PINK: "PyTorch's Nesterov"}


def plot(rows):
    """A bar a step, and the time in which a copy would move its bytes: what one pass takes at least."""
    names = list(dict.fromkeys(row.step for row in rows if row.step != COPY))
    layouts = list(dict.fromkeys(row.layout for row in rows))
    height = 0.28 * len(names) + 1.5
    fig, axes = plt.subplots(1, len(layouts), figsize=(11, height), sharey=True, squeeze=False)
    for ax, layout in zip(axes[0], layouts, strict=True):
        of_layout = {row.step: row for row in rows if row.layout == layout}
        a_byte = of_layout[COPY].milliseconds / of_layout[COPY].bytes_of_one_pass
        for y, row in ((names.index(step), row) for step, row in of_layout.items() if step != COPY):
            ax.barh(y, row.milliseconds, height=0.7, color=color(row.step))
            ax.text(row.milliseconds, y, f" {row.milliseconds:.0f}", va="center", fontsize=8)
            ax.plot([a_byte * row.bytes_of_one_pass] * 2, [y - 0.45, y + 0.45], color=BLACK, lw=1.5)
        ax.set(title=layout, xlabel="milliseconds", xmargin=0.12, yticks=range(len(names)), yticklabels=names)
        ax.grid(axis="y", visible=False)
    axes[0, 0].invert_yaxis()
    drawn = [c for c in WHOSE if c in map(color, names)]
    marks = [*(Patch(color=c) for c in drawn), Line2D([], [], color=BLACK)]
    texts = [*(WHOSE[c] for c in drawn), "as long as a copy of the same bytes"]
    fig.legend(marks, texts, loc="outside lower center", ncols=4)
    fig.suptitle(f"One update of {parameters(rows[0]):,} parameters")
    return fig


def color(step):
    """Of whose step it is."""
    return SKY if step.startswith("optax") else PINK if step.startswith("torch") else BLUE


def parameters(row):
    """How many were updated, by the row's bytes a second."""
    return 1000 * round(row.gb_per_second * 1e3 * row.milliseconds / row.bytes_of_one_pass)
