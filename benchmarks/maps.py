"""Muon and its relatives: steps to AdamW's loss, on a transformer, a CNN and VGG16.

    python -m benchmarks.maps --runs benchmarks/results/maps-cpu.csv --out benchmarks/results/maps-cpu

Every learning rate is the best of at least seven, three a decade, none at the edge; then five seeds. The target is the
median loss that AdamW ends with, in the mean over the last fifth of the training. A finished run is a line of the file
of runs: interrupted, and started again, the benchmark goes on after the last.
"""

import argparse
from pathlib import Path

from tqdm import tqdm

from benchmarks import maps_report
from benchmarks.contest import TESTS, Contest
from benchmarks.map_methods import ADAMW, CONTESTANTS
from benchmarks.outcome import Outcome
from benchmarks.report import add_out, outputs, publish
from benchmarks.runs import Runs
from benchmarks.training import seconds_per_step

STEPS = {"byte transformer": 1500, "digits CNN": 300, "narrow VGG16": 300}
RATES = {"byte transformer": 1.0, "digits CNN": 0.2, "narrow VGG16": 0.1}
"""Learning rates of gradient descent to begin with, for `nag`."""


def outcome(task, runs, bar=None, *, length=1.0, seeds=5):
    """The outcome of a task; only runs that are not known yet are made."""
    steps = TESTS * max(1, round(length * STEPS[task] / TESTS))
    bar = tqdm(disable=True) if bar is None else bar
    contest = Contest(task, CONTESTANTS, RATES[task], steps, runs, bar)
    return Outcome(steps, steps // TESTS, dict(contest.results(seeds)), (ADAMW,))


def main():
    """Trains what is missing, prints, writes."""
    parser = argparse.ArgumentParser(description="Muon and its relatives against AdamW.")
    parser.add_argument("--tasks", nargs="+", choices=list(STEPS), default=list(STEPS), help="default: all")
    parser.add_argument("--seeds", type=int, default=5, help="odd, at least 3 (default: 5)")
    parser.add_argument("--length", type=float, default=1.0, help="multiplies the steps of all tasks (default: 1)")
    parser.add_argument("--runs", type=Path, help="CSV file of the runs, which grows")
    parser.add_argument("--timing-rounds", type=int, default=7, help="to take the median of; 0 leaves seconds out")
    add_out(parser, ".md", ".png")
    arguments = parser.parse_args()
    if arguments.seeds < 3 or arguments.seeds % 2 == 0:
        parser.error("--seeds: must be odd, and at least 3")
    if not arguments.length > 0:
        parser.error("--length: must be above 0")
    files = outputs(parser, arguments)
    try:
        runs = Runs(arguments.runs)
    except ValueError as error:
        parser.error(f"--runs: {error}")
    options = {"length": arguments.length, "seeds": arguments.seeds}
    with tqdm(unit="run", leave=False) as bar:
        outcomes = {task: outcome(task, runs, bar, **options) for task in arguments.tasks}
    timed = outcomes if arguments.timing_rounds else ()
    rounds = arguments.timing_rounds
    seconds = {task: seconds_per_step(task, CONTESTANTS, outcomes[task].steps, rounds) for task in timed}
    publish(files, maps_report.lines(outcomes, seconds, arguments.seeds), figure=maps_report.plot(outcomes))


if __name__ == "__main__":
    main()
