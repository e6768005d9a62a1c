"""Steps and seconds to a target, for ``nag`` and the methods that it is said to beat.

    python -m benchmarks.training --runs runs.csv

Every method's learning rate is the best of at least seven, three a decade, and never the smallest or largest that was
tried; then five seeds. The target of a task is the median loss that the best method of the article ends with, in the
mean over the last fifth of the training. A finished run is a line of the file of runs: interrupted, and started again,
the benchmark goes on after the last. Given the same file, it prints the tables at once.
"""

import argparse
import itertools
import time
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

from benchmarks import training_report
from benchmarks.contest import TESTS, Contest
from benchmarks.methods import NAG, PEERS, TABLE
from benchmarks.outcome import Outcome
from benchmarks.report import add_out, outputs, publish
from benchmarks.runs import Runs
from benchmarks.tasks import TASKS, step

STEPS = {"digits CNN": 300, "narrow VGG16": 300, "deep autoencoder": 5000, "small transformer": 1000}
RATES = {"digits CNN": 0.2, "narrow VGG16": 0.1, "deep autoencoder": 0.3, "small transformer": 1.0}
"""Learning rates of gradient descent to begin with."""


def methods(task):
    """The contestants of a task, by name."""
    return PEERS | NAG | (TABLE if task == "deep autoencoder" else {})


def outcome(task, runs, bar=None, *, length=1.0, seeds=5):
    """The outcome of a task; only runs that are not known yet are made."""
    steps = TESTS * max(1, round(length * STEPS[task] / TESTS))
    bar = tqdm(disable=True) if bar is None else bar
    contest = Contest(task, methods(task), RATES[task], steps, runs, bar)
    return Outcome(steps, steps // TESTS, dict(contest.results(seeds)))


def seconds_per_step(task, contestants, steps, rounds):
    """Seconds of a step of every method, which take turns: medians over the rounds, of ten steps each."""
    steppers = {name: stepper(TASKS[task](), method.make(1e-3, steps)) for name, method in contestants.items()}
    samples = {name: [next(times) for _ in range(2)][1:] for name, times in steppers.items()}  # the first compiles
    for _ in tqdm(range(rounds), desc=f"{task}: seconds", unit="round", leave=False):
        for name, times in steppers.items():
            samples[name].append(next(times))
    return {name: float(np.median(values)) for name, values in samples.items()}


def stepper(task, tx, count=10):
    """Yields the mean seconds of the next steps."""
    params = task.init(0)
    state, batches = tx.init(params), task.batches(0)
    while True:
        begin = time.perf_counter()
        for batch in itertools.islice(batches, count):
            params, state, _ = step(task, tx, params, state, batch)
        jax.block_until_ready(params)
        yield (time.perf_counter() - begin) / count


def main():
    """Trains what is missing, prints, writes."""
    parser = argparse.ArgumentParser(description="Steps and seconds to a target, for nag and its peers.")
    parser.add_argument("--tasks", nargs="+", choices=list(STEPS), default=list(STEPS), help="default: all")
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
        runs = Runs(arguments.runs)
    except ValueError as error:
        parser.error(f"--runs: {error}")
    options = {"length": arguments.length, "seeds": arguments.seeds}
    with tqdm(unit="run", leave=False) as bar:
        outcomes = {task: outcome(task, runs, bar, **options) for task in arguments.tasks}
    timed = outcomes if arguments.timing_rounds else ()
    seconds = {
        task: seconds_per_step(task, methods(task), outcomes[task].steps, arguments.timing_rounds) for task in timed
    }
    publish(files, training_report.lines(outcomes, seconds, arguments.seeds), figure=training_report.plot(outcomes))


if __name__ == "__main__":
    main()
