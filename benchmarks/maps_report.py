"""What `benchmarks.maps` prints and draws."""

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.map_methods import ADAMW, CONTESTANTS, MUON, OPTAX
from benchmarks.outcome import BAND, draw, number, spread
from benchmarks.pictures import AMBER, BLACK, BLUE, GREEN, PINK, SKY, finish, plain_numbers
from benchmarks.report import heading, table

DRAWN = {ADAMW: AMBER, OPTAX: SKY, "optax.lion": GREEN, "nag 0.9": BLACK, "ema_nesterov(muon)": PINK, MUON: BLUE}


def lines(outcomes, seconds, seeds):
    """The tables."""
    yield from heading("Behind and around a map", "benchmarks.maps")
    yield (
        f"Learning rates are the best of at least seven, three a decade, none at the edge, and rise and fall alike. "
        f"Numbers are medians of {seeds} seeds, in brackets the smallest and the largest. The target is AdamW's median "
        "loss, in the mean over the last fifth of the training. Methods with a base iterate are tested there. Over "
        f"Optax: the mean difference to `{OPTAX}`, and its standard error."
    )
    for task, outcome in outcomes.items():
        yield from of_task(task, outcome)
    if seconds:
        yield from ("", "## Milliseconds a step", "")
        milliseconds = ([name, *(f"{1e3 * of[name]:.1f}" for of in seconds.values())] for name in CONTESTANTS)
        yield from table(["method", *seconds], milliseconds)


def of_task(task, outcome):
    """A row for every method."""
    yield from ("", f"## {task}, {outcome.steps:,} steps; target: loss {outcome.target():.4g}", "")
    steps_of_adamw = np.median(outcome.steps_to_loss(ADAMW))
    columns = ["method", "rate", "final loss", "over Optax", "steps to the target", "of AdamW's"]
    rows = (
        [
            name,
            f"{result.rate:.2g}",
            f"{np.median(outcome.finals(name)):.4g} {span(outcome.finals(name))}",
            over(outcome.finals(name), outcome.finals(OPTAX)),
            spread(outcome.steps_to_loss(name), ".0f"),
            number(np.median(outcome.steps_to_loss(name)) / steps_of_adamw, ".2f"),
        ]
        for name, result in outcome.results.items()
    )
    yield from table(columns, rows)


def span(values):
    """The smallest and the largest."""
    return f"[{number(values.min(), '.3g')}, {number(values.max(), '.3g')}]"


def over(ours, theirs):
    """The mean difference of two losses over the seeds, and its standard error."""
    difference = ours - theirs
    if not np.isfinite(difference).all():
        return "-"
    return f"{difference.mean():+.2g} ± {difference.std(ddof=1) / np.sqrt(len(difference)):.1g}"


def plot(outcomes):
    """The losses of some methods over the steps, a picture for each task."""
    fig, axes = plt.subplots(len(outcomes), 1, figsize=(8.2, 3.4 * len(outcomes)), squeeze=False)
    for ax, (task, outcome) in zip(axes.flat, outcomes.items(), strict=True):
        for name, color in DRAWN.items():
            draw(ax, outcome, name, color=color, lw=2 if name == MUON else 1.2)
        ax.axhline(outcome.target(), color=BLACK, lw=0.8, ls=":", label="target")
        finish(ax, task, "loss", "step", "beside", BAND, yscale="log")
        plain_numbers(ax)
    return fig
