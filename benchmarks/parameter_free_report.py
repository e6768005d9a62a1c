"""What `benchmarks.parameter_free` prints and draws.

Results are curves, (gradients, relative errors), by problem, estimate and method.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from benchmarks.pictures import BLUE, GREEN, PINK, SKY
from benchmarks.report import heading, table

TARGET = 1e-6
LOWEST = 1e-15
"""Of the picture."""
COLORS = {"graal": BLUE, "adanag": GREEN, "ac_fgm": PINK, "nag(1 / L)": SKY}
STYLES = {"1e8 L": ":", "L": "-", "L / 1e3": "--"}


def after(curve, budget):
    """The error after as many gradients."""
    gradients, errors = curve
    return float(errors[gradients <= budget][-1])


def arrival(curve):
    """Gradients to the target, or None."""
    gradients, errors = curve
    reached = errors <= TARGET
    return int(gradients[reached.argmax()]) if reached.any() else None


def cell(curve, budget):
    """Error and gradients as text."""
    error, gradients = after(curve, budget), arrival(curve)
    shown = f"{error:.1e}" if 0 < error < 1 else "failed" if error else "exact"
    return f"{shown}, {gradients:,}" if gradients else f"{shown}, -"


def rows(results, budget):
    """The table as values."""
    yield ["problem", "told", "method", f"relative error after {budget} gradients", f"gradients to {TARGET:g}"]
    for problem, by_estimate in results.items():
        for told, by_method in by_estimate.items():
            for method, curve in by_method.items():
                yield [problem, told, method, after(curve, budget), arrival(curve)]


def lines(results, budget):
    """The tables, one for each estimate; methods that are told nothing else but L compete in none."""
    yield from heading("Methods without a step size", "benchmarks.parameter_free")
    yield (
        f"f - f* relative to the start after {budget:,} gradients (exact: it is rounding of f; failed: not below the "
        f"start), then the gradients that it takes to {TARGET:g}, if that is at most {most(results):,}. An update of "
        "`graal` takes two gradients. float64."
    )
    first, *_ = results.values()
    competing = set.intersection(*map(set, first.values()))
    for told, by_method in first.items():
        body = ([name, *(cell(curve, budget) for curve in by[told].values())] for name, by in results.items())
        yield from ("", f"## Told {told}", "", *table(["problem", *(f"`{method}`" for method in by_method)], body))
        winners = [fastest({method: by[told][method] for method in competing}) for by in results.values()]
        wins = ", ".join(f"`{m}` on {sum(m in who for who in winners)}" for m in by_method if m in competing)
        yield from ("", f"First of those that need no L to {TARGET:g}: {wins} of {len(results)}.")


def fastest(curves):
    """The methods that arrive with the fewest gradients."""
    arrived = {method: arrival(curve) for method, curve in curves.items()}
    least = min((gradients for gradients in arrived.values() if gradients), default=None)
    return [method for method, gradients in arrived.items() if gradients and gradients == least]


def most(results):
    """The gradients of the longest run."""
    return max(int(g[-1]) for by_estimate in results.values() for by in by_estimate.values() for g, _ in by.values())


def plot(results, budget):
    """A panel for each problem: errors over gradients, a color for each method and a style for each estimate."""
    fig, axes = plt.subplots(2, -(-len(results) // 2), figsize=(13, 5.6), sharex=True, squeeze=False)
    for ax, (problem, by_estimate) in zip(axes.flat, results.items(), strict=False):
        for told, by_method in by_estimate.items():
            for method, (gradients, errors) in by_method.items():
                within = gradients <= budget
                shown = np.where(errors[within] > 0, errors[within], np.nan)  # none where it is exact
                ax.plot(gradients[within], shown, STYLES[told], color=COLORS[method], lw=1.1)
        ax.set(yscale="log", ylim=(LOWEST, 30), xlim=(0, budget), title=problem)
    for ax in axes[-1]:
        ax.set(xlabel="gradients")
    for ax in axes[:, 0]:
        ax.set(ylabel="$(f - f^*) / (f_0 - f^*)$")
    handles = [Line2D([], [], color=color, label=method) for method, color in COLORS.items()]
    handles += [Line2D([], [], color="k", ls=style, lw=1, label=f"told {told}") for told, style in STYLES.items()]
    fig.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return fig
