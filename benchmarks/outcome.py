"""What a contest of trainings comes to: the loss that each method ends with, and its steps to a target."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from benchmarks.pictures import draw_seeds
from benchmarks.runs import Curve

BAND = "lines: median of the seeds\nbands: smallest to largest"
"""What `draw` draws, for a legend."""


class Result(NamedTuple):
    """Of a method on a task: its learning rate, and a curve a seed."""

    rate: float
    curves: list[Curve]


class Outcome(NamedTuple):
    """Of a task.

    Attributes:
      steps: of the training.
      every: steps from test to test.
      results: by method.
      standard: the methods of which the best sets the target.
    """

    steps: int
    every: int
    results: dict[str, Result]
    standard: Collection[str]

    def finals(self, name):
        """The loss that every seed ends with, in the mean over the last fifth."""
        return np.array([curve.final(self.steps // self.every) for curve in self.results[name].curves])

    def lasts(self, name):
        """The loss of every seed after its last update."""
        finals, curves = self.finals(name), self.results[name].curves
        return np.where(np.isfinite(finals), [curve.losses[-1] for curve in curves], np.inf)

    def best(self, names):
        """The method that ends with the lowest median loss."""
        return min(names, key=lambda name: np.median(self.finals(name)))

    def target(self):
        """The median loss that the best method of the standard ends with."""
        return np.median(self.finals(self.best(self.standard)))

    def accuracy_target(self):
        """The median accuracy that it ends with, in the mean over the last fifth; NaN without classes."""
        curves = self.results[self.best(self.standard)].curves
        return np.median([curve.accuracies[-(len(curve.accuracies) // 5) :].mean() for curve in curves])

    def steps_to_loss(self, name):
        """Of every seed, the steps to the target; infinite if it is not reached."""
        return np.array([self.every * first(curve.losses <= self.target()) for curve in self.results[name].curves])

    def steps_to_accuracy(self, name):
        """The same of the accuracy."""
        target = self.accuracy_target()
        return np.array([self.every * first(curve.accuracies >= target) for curve in self.results[name].curves])

    def fastest(self, names):
        """The method of fewest median steps to the target."""
        return min(names, key=lambda name: np.median(self.steps_to_loss(name)))

    def ratio(self, ours, peers):
        """Median steps of the fastest of ours over those of the fastest peer."""
        return np.divide(*(np.median(self.steps_to_loss(self.fastest(names))) for names in (ours, peers)))


def first(reached):
    """The place of the first True, from 1; infinite without one."""
    return float(np.argmax(reached)) + 1 if reached.any() else np.inf


def spread(values, form):
    """Median, smallest and largest."""
    return "{} [{}, {}]".format(*(number(x, form) for x in (np.median(values), values.min(), values.max())))


def number(x, form):
    """The number, or a dash for infinity."""
    return format(x, form) if np.isfinite(x) else "-"


def draw(ax, outcome, name, **style):
    """The median loss over the steps, and the range of the seeds that did not diverge."""
    curves = [curve.losses for curve in outcome.results[name].curves if np.isfinite(curve.losses).all()]
    shortest = min(map(len, curves), default=0)
    if shortest:
        steps = outcome.every * np.arange(1, shortest + 1)
        draw_seeds(ax, steps, [curve[:shortest] for curve in curves], label=name, **style)
