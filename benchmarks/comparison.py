"""A benchmark of trainings as a command: its contests, their outcomes, and the seconds of a step."""

import argparse
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from benchmarks.contest import TESTS, Contest
from benchmarks.methods import Method
from benchmarks.outcome import Outcome
from benchmarks.report import add_out, outputs, publish
from benchmarks.runs import Runs
from benchmarks.step_seconds import seconds_per_step


class Comparison(NamedTuple):
    """What is compared, and where.

    Attributes:
      steps: of a training, by task.
      rates: a learning rate of gradient descent to begin with, by task.
      methods: the contestants of a task, by name.
      standard: the methods of which the best sets the target.
      report: a module with ``lines(outcomes, seconds, seeds)`` and ``plot(outcomes)``.
    """

    steps: dict[str, int]
    rates: dict[str, float]
    methods: Callable[[str], dict[str, Method]]
    standard: Collection[str]
    report: Any

    def outcome(self, task, runs, bar=None, *, length=1.0, seeds=5):
        """The outcome of a task; only runs that are not known yet are made."""
        steps = TESTS * max(1, round(length * self.steps[task] / TESTS))
        bar = tqdm(disable=True) if bar is None else bar
        contest = Contest(task, self.methods(task), self.rates[task], steps, runs, bar)
        return Outcome(steps, steps // TESTS, dict(contest.results(seeds)), self.standard)

    def plot(self, runs):
        """The picture of the runs, which are all there."""
        return self.report.plot({task: self.outcome(task, runs) for task in self.steps})

    def command(self, description):
        """Trains what is missing, prints, writes."""
        arguments, files, runs = self._arguments(description)
        options = {"length": arguments.length, "seeds": arguments.seeds}
        with tqdm(unit="run", leave=False) as bar:
            outcomes = {task: self.outcome(task, runs, bar, **options) for task in arguments.tasks}
        seconds = {}
        for task in arguments.tasks if arguments.timing_rounds else ():
            steps = outcomes[task].steps
            seconds[task] = seconds_per_step(task, self.methods(task), steps, arguments.timing_rounds)
        lines = self.report.lines(outcomes, seconds, arguments.seeds)
        publish(files, lines, figure=self.report.plot(outcomes))

    def _arguments(self, description):
        """The arguments, the files to write, and the known runs; ends with an error for nonsense."""
        parser, tasks = argparse.ArgumentParser(description=description), list(self.steps)
        parser.add_argument("--tasks", nargs="+", choices=tasks, default=tasks, help="default: all")
        parser.add_argument("--seeds", type=int, default=5, help="odd, at least 3 (default: 5)")
        parser.add_argument("--length", type=float, default=1.0, help="multiplies the steps of all tasks (default: 1)")
        parser.add_argument("--runs", type=Path, help="CSV file of the runs, which grows")
        parser.add_argument("--timing-rounds", type=int, default=7, help="to take the median of; 0 leaves seconds out")
        add_out(parser, ".md", ".png")
        arguments = parser.parse_args()
        if arguments.seeds < 3 or arguments.seeds % 2 == 0:  # so that a median is a seed's own
            parser.error("--seeds: must be odd, and at least 3")
        if not arguments.length > 0:
            parser.error("--length: must be above 0")
        files = outputs(parser, arguments)
        try:
            return arguments, files, Runs(arguments.runs)
        except ValueError as error:
            parser.error(f"--runs: {error}")
