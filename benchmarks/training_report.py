"""What `benchmarks.training` prints and draws."""

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.methods import ADAM, ARTICLE, DROPPED, LARGER, NAG
from benchmarks.outcome import BAND, draw, number, spread
from benchmarks.pictures import (
    AMBER,
    BLACK,
    BLUE,
    GREEN,
    GREY,
    PINK,
    SKY,
    VERMILION,
    finish,
    plain_numbers,
)
from benchmarks.report import heading, table

TABLE_TASK = "deep autoencoder"
COLORS = {
    "gradient descent": GREY,
    "momentum 0.9": VERMILION,
    "Adagrad": GREEN,
    "Adadelta": PINK,
    "Optax's Nesterov 0.9": SKY,
    ADAM: AMBER,
}
"""Of the peers; `nag` is blue, whatever its momentum."""


def ours(outcome):
    """Names of this library's methods."""
    return [name for name in outcome.results if name in NAG or name in {f"nag to {m}" for m in LARGER}]


def lines(outcomes, seconds, seeds):
    """The tables."""
    yield from heading("Training to a target", "benchmarks.training")
    yield (
        f"Learning rates are the best of at least seven, three a decade, none at the edge. Numbers are medians of "
        f"{seeds} seeds, in brackets the smallest and the largest. The target is the median loss that the best method "
        "of the article ends with, in the mean over the last fifth of the training. `nag` is tested at its base "
        "iterate."
    )
    yield from summary(outcomes)
    for task, outcome in outcomes.items():
        yield from of_task(task, outcome)
    if seconds:
        yield from times(outcomes, seconds)
    if TABLE_TASK in outcomes:
        yield from sutskever_table(outcomes[TABLE_TASK])


def summary(outcomes):
    """Ratios of steps to the target."""
    yield from ("", "## Steps to the target: the best `nag` over its peers", "")
    rows, ratios = [], []
    for task, outcome in outcomes.items():
        rows.append([task, outcome.fastest(ours(outcome)), outcome.fastest(ARTICLE)])
        ratios.append([outcome.ratio(ours(outcome), peers) for peers in (ARTICLE, [ADAM])])
    rows.append(["geometric mean", "", ""])
    ratios.append(np.exp(np.mean(np.log(ratios), axis=0)))
    yield from table(
        ["task", "best nag", "best of the article", "ratio", "ratio to Adam"],
        ([*names, f"{article:.2f}", f"{adam:.2f}"] for names, (article, adam) in zip(rows, ratios, strict=True)),
    )


def of_task(task, outcome):
    """A row for every method."""
    accuracy = outcome.accuracy_target()
    with_accuracy = bool(np.isfinite(accuracy))
    goal = f"loss {outcome.target():.4g}" + (f", accuracy {accuracy:.2%}" if with_accuracy else "")
    yield from ("", f"## {task}, {outcome.steps:,} steps; target: {goal}", "")
    columns = ["method", "learning rate", "final loss", "steps to the loss", "steps to the accuracy"]
    rows = (
        [
            name,
            f"{result.rate:.3g}",
            spread(outcome.finals(name), ".4g"),
            spread(outcome.steps_to_loss(name), ".0f"),
            spread(outcome.steps_to_accuracy(name), ".0f"),
        ]
        for name, result in outcome.results.items()
    )
    shown = None if with_accuracy else -1
    yield from table(columns[:shown], (cells[:shown] for cells in rows))


def times(outcomes, seconds):
    """What a step takes, and with the median steps the way to the target; blank where a task has not the method."""

    def cell(task, name):
        if name not in seconds[task]:
            return ""
        step = seconds[task][name]
        return f"{1e3 * step:.1f}, {number(np.median(outcomes[task].steps_to_loss(name)) * step, '.1f')}"

    yield from ("", "## Milliseconds a step, seconds to the loss", "")
    names = dict.fromkeys(name for of_task in seconds.values() for name in of_task)
    yield from table(["method", *seconds], ([name, *(cell(task, name) for task in seconds)] for name in names))


def sutskever_table(outcome):
    """Errors after the last update over the largest momentum: tables 1 and 2 of the paper, with columns for rows."""
    yield from ("", "## The tables of Sutskever et al. (2013), curves: the error after the last update", "")
    descent = "gradient descent"
    names = {descent: [descent, descent, None], "0.9": ["momentum 0.9", "nag 0.9", None]}
    names |= {str(m): [f"momentum to {m}", f"nag to {m}", f"nag to {m}{DROPPED}"] for m in LARGER}
    rows = (
        [largest, *(spread(outcome.lasts(name), ".4g") if name else "" for name in of_row)]
        for largest, of_row in names.items()
    )
    yield from table(["largest momentum", "momentum", "nag", f"nag{DROPPED}"], rows)


def plot(outcomes):
    """Of every task: gradient descent, momentum and the fastest of the article, Adam, and the fastest `nag`."""
    fig, axes = plt.subplots(2, 2, figsize=(11, 7))
    for ax, (task, outcome) in zip(axes.flat, outcomes.items(), strict=False):
        best, fastest = outcome.fastest(ARTICLE), outcome.fastest(ours(outcome))
        for name in dict.fromkeys(("gradient descent", "momentum 0.9", best, ADAM, fastest)):
            draw(ax, outcome, name, color=COLORS.get(name, BLUE), lw=2 if name == fastest else 1.2)
        ax.axhline(outcome.target(), color=BLACK, lw=0.8, ls=":", label="target")
        top = max(curve.losses[0] for result in outcome.results.values() for curve in result.curves)
        finish(ax, task, "loss", "step", "beside", BAND, yscale="log", ylim=(None, 1.1 * top))
        plain_numbers(ax)
    for ax in axes.flat[len(outcomes) :]:
        ax.remove()
    return fig
