"""What `benchmarks.theory` prints and draws."""

import itertools
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.attained import largest_on_a_grid, measured
from benchmarks.pictures import BLUE, GREEN, GREY, PINK, SKY, finish
from benchmarks.report import heading, table
from oracles.errors import value
from oracles.lines import on_lines
from oracles.published import accelerated
from oracles.worst_cases import ROWS, Row, worst_case

DESCENT = Row(
    "gradient descent",
    "x_N",
    value,
    on_lines(lambda q, gradient, x: accelerated.two_sequences(gradient, x, 1.0, itertools.repeat(0.0))),
)
"""What the accelerated methods are drawn beside; it is no row of their table."""
CONVEX = {
    "gradient descent": (DESCENT, GREY),
    "NAG, $t_k$": (ROWS["NAG t_k, f(x_N)"], BLUE),
    "OGM": (ROWS["OGM, last step, f"], GREEN),
}
STRONGLY_CONVEX = {
    "gradient descent": (DESCENT, GREY),
    "NAG, constant": (ROWS["NAG constant, f(x_N)"], SKY),
    "NAG, non-stationary": (ROWS["NAG non-stationary, f(x_N)"], BLUE),
    "TMM": (ROWS["TMM, f(y_N)"], PINK),
    "ITEM": (ROWS["ITEM, f(y_N)"], GREEN),
}
DRAWN = 60  # gradients
DOTS = (1, 2, 3, 4, 5, 7, 10, 14, 20, 25, 30, 35, 40, 45, 50, 55, 60)


class Line(NamedTuple):
    """A line of the table; ``program`` is None where none was solved."""

    row: str
    steps: int
    closed_form: float
    measured: float
    elsewhere: float
    program: float | None

    def apart(self, value):
        """The relative difference from the closed form."""
        return value / self.closed_form - 1


def lines(rows, q):
    """The lines of the table."""
    yield from heading("Exact worst cases of the accelerated family", "benchmarks.theory")
    yield (
        f"Smoothness 1, |x_0 - x*| = 1, strong convexity {q:g} where the method knows it; float64. Differences are "
        "relative to the closed form; the program is semidefinite, and knows nothing but the method's step matrix."
    )
    yield ""
    columns = ["row", "N", "closed form", "measured", "difference", "largest elsewhere / closed form", "program"]
    yield from table(
        columns,
        (
            [
                line.row.replace("|", "\\|"),
                str(line.steps),
                f"{line.closed_form:.9g}",
                f"{line.measured:.9g}",
                f"{line.apart(line.measured):+.1e}",
                f"{line.elsewhere / line.closed_form:.6f}",
                "" if line.program is None else f"{line.apart(line.program):+.1e}",
            ]
            for line in rows
        ),
    )


def summary(rows):
    """The largest differences."""
    apart = max(abs(line.apart(line.measured)) for line in rows)
    exceeded = sum(line.elsewhere > line.closed_form * (1 + 1e-9) for line in rows)
    text = f"{len(rows)} values: largest relative difference {apart:.1e}, exceeded {exceeded} times."
    programs = [abs(line.apart(line.program)) for line in rows if line.program is not None]
    return text + (f" {len(programs)} programs: largest relative difference {max(programs):.1e}." if programs else "")


class Worst(NamedTuple):
    """Worst cases of a method: by the closed form after 1, 2, ..., `DRAWN` gradients, and measured after `DOTS`."""

    closed_form: np.ndarray
    measured: np.ndarray


def worst_cases(row, q):
    """What `plot` draws of a row. Measured is the largest error on the worst functions and on a grid of others."""
    cases = [worst_case(row, q, n) for n in range(1, DRAWN + 1)]

    def largest(n):
        _, functions = cases[n - 1]
        return max(largest_on_a_grid(row, q, n, functions), *(measured(row, q, n, f).max() for f in functions))

    return Worst(np.array([largest for largest, _ in cases]), np.array([largest(n) for n in DOTS]))


def plot(q):
    """The figure, and by (name, strong convexity) the worst cases that it shows."""
    shown = {}
    fig, axes = plt.subplots(1, 2, figsize=(8.2, 3.6))
    for ax, methods, q_of in zip(axes, (CONVEX, STRONGLY_CONVEX), (0.0, q), strict=True):
        for name, (row, color) in methods.items():
            shown[name, q_of] = worst = worst_cases(row, q_of)
            ax.plot(range(1, DRAWN + 1), worst.closed_form, lw=1, color=color)
            ax.plot(DOTS, worst.measured, "o", ms=3.5, color=color)
            ax.plot([], [], "o-", lw=1, ms=3.5, color=color, label=name)
        ax.set(yscale="log", xscale="linear" if q_of else "log", xlim=(0 if q_of else 0.9, DRAWN + 3))
    ratio = shown["OGM", 0.0].closed_form[-1] / shown["NAG, $t_k$", 0.0].closed_form[-1]
    labels = {"xlabel": "gradients $N$", "legend": "lower left", "explained": "lines: closed forms\ndots: measured"}
    title = f"Convex: OGM's is {ratio:.2f} of NAG's at $N = {DRAWN}$"
    finish(axes[0], title, "largest $f - f^*$ for $L = R = 1$", **labels)
    finish(axes[1], f"Strongly convex, $q = {q:g}$", "", ylim=(1e-9, None), **labels)
    return fig, shown
