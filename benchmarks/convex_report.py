"""What `benchmarks.convex` prints and draws."""

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.convex_solvers import OURS, PEER, SCREENED
from benchmarks.pictures import BLACK, BLUE, GREEN, PINK, SKY, finish
from benchmarks.report import heading, table

DRAWN = 1e-6
MARKS = {
    OURS: ("o", BLUE),
    PEER: ("o", SKY),
    SCREENED: ("*", BLUE),
    "skglm": ("D", PINK),
    "Celer": ("X", PINK),
    "SCICO": ("h", BLACK),
    "scikit-learn, liblinear": ("<", GREEN),
    "scikit-learn, coordinate descent": ("^", GREEN),
    "scikit-learn, saga": ("s", GREEN),
    "scikit-learn, lbfgs": ("v", GREEN),
    "scikit-learn, positive=True": ("P", GREEN),
}
"""Marker and color of a solver: a color a library."""


class Row(NamedTuple):
    """What a solver takes to a relative suboptimality; None where it does not arrive, or does not tell."""

    solver: str
    target: float
    seconds: float | None = None
    steps: int | None = None
    products: int | None = None

    def cell(self):
        """Milliseconds, steps and products."""
        if self.seconds is None:
            return "-"
        return ", ".join([f"{1e3 * self.seconds:.1f}", *(str(n) for n in (self.steps, self.products) if n is not None)])


def lines(results, scaled):
    """The tables, of rows by problem and of the scalings that a solver masters, by dtype."""
    targets = list(dict.fromkeys(row.target for rows in results.values() for row in rows))
    yield from heading("Convex and composite problems", "benchmarks.convex")
    yield (
        "To a relative suboptimality: milliseconds, then the steps and the products with the matrix of solvers that "
        "tell them; a dash where it is not reached."
    )
    yield ""
    first, *further = (f"to {target:g}" for target in targets)
    yield from table(
        ["problem", "solver", f"ms, steps, products {first}", *further],
        (
            [problem, solver, *(row.cell() for row in rows if row.solver == solver)]
            for problem, rows in results.items()
            for solver in dict.fromkeys(row.solver for row in rows)
        ),
    )
    yield from ("", f"Ratios to {PEER} on the problems where it arrives, geometric means:", "")
    yield from table(
        ["to", "problems", "seconds", "seconds, worst problem", "products", "products, worst problem"],
        (over_peer(results, t) for t in targets),
    )
    yield from ("", "On sparse problems, our better call against the best of those that descend coordinates:", "")
    yield from table(["problem", *(f"to {t:g}" for t in targets)], over_descent(results, targets))
    yield ""
    solved = (f"in {dtype} {OURS} solves {of[OURS]}, {PEER} {of[PEER]}" for dtype, of in scaled.items())
    yield "One LASSO scaled 25 ways: " + "; ".join(solved) + "."


def over_peer(results, target):
    """A row of ratios to a target."""
    pairs = [
        (a.seconds / b.seconds, a.products / b.products)
        for rows in results.values()
        for a in rows
        for b in rows
        if (a.solver, b.solver) == (OURS, PEER) and a.target == b.target == target and a.seconds and b.seconds
    ]
    means, most = np.exp(np.mean(np.log(pairs), axis=0)), np.max(pairs, axis=0)
    return [f"{target:g}", str(len(pairs)), *(f"{x:.2f}x" for pair in zip(means, most, strict=True) for x in pair)]


def over_descent(results, targets):
    """Rows of ratios, of the problems that have such a peer."""
    for problem, rows in results.items():
        cells = []
        for target in targets:
            seconds = {row.solver: row.seconds for row in rows if row.target == target and row.seconds}
            ours = [seconds[s] for s in (OURS, SCREENED) if s in seconds]
            theirs = [x for solver, x in seconds.items() if solver not in (OURS, SCREENED, PEER, "SCICO")]
            cells.append(f"{min(ours) / min(theirs):.2f}x" if ours and theirs else "-")
        if any(row.solver == SCREENED for row in rows):
            yield [problem, *cells]


def plot(results):
    """Seconds to the middle target, a dot for each solver."""
    fig, ax = plt.subplots(figsize=(8.2, 0.36 * len(results) + 1.2))
    for solver in dict.fromkeys(row.solver for rows in results.values() for row in rows):
        points = [
            (row.seconds, i)
            for i, rows in enumerate(results.values())
            for row in rows
            if row[:2] == (solver, DRAWN) and row.seconds
        ]
        if points:
            marker, color = MARKS.get(solver, ("o", BLACK))
            ax.plot(*zip(*points, strict=True), marker, ms=7, color=color, label=solver)
    ax.set(yticks=range(len(results)), yticklabels=results, ylim=(len(results) - 0.5, -0.5), xmargin=0.05)
    finish(ax, "", "", f"seconds to a relative suboptimality of {DRAWN:g}", "beside", xscale="log")
    return fig
