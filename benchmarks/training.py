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
from benchmarks.methods import NAG, PEERS, TABLE
from benchmarks.report import add_out, outputs, publish
from benchmarks.runs import Curve, Key, Runs
from benchmarks.tasks import TASKS, step, train
from nag_optax import eval_params

TESTS = 50
STEPS = {"digits CNN": 300, "narrow VGG16": 300, "deep autoencoder": 5000, "small transformer": 1000}
RATES = {"digits CNN": 0.2, "narrow VGG16": 0.1, "deep autoencoder": 0.3, "small transformer": 1.0}
"""Learning rates of gradient descent to begin with."""
TRIED, A_DECADE, MOST = 7, 3, 16
HUGE = 1e6  # times the first loss: a run that has diverged


def methods(task):
    """The contestants of a task, by name."""
    return PEERS | NAG | (TABLE if task == "deep autoencoder" else {})


def run(key, method):
    """Trains, and returns the curve and the seconds that it took."""
    begin, every = time.perf_counter(), key.steps // TESTS
    tx = method.make(float(key.learning_rate), key.steps)
    evaluated = {} if key.method in PEERS else {"evaluated": eval_params}
    losses, accuracies = [], []
    for measured in train(TASKS[key.task](), tx, key.steps, key.seed, every=every, **evaluated):
        losses.append(measured.loss)
        accuracies.append(measured.accuracy)
        if not losses[-1] < HUGE * losses[0]:
            break
    jax.clear_caches()  # Linux gives a process memory maps for some hundred programs only
    return Curve(np.array(losses), np.array(accuracies)), time.perf_counter() - begin


class Contest:
    """The runs of a task, made where they are missing."""

    def __init__(self, task, steps, runs, bar):
        self.task, self.steps, self._runs, self._bar = task, steps, runs, bar

    def curve(self, name, rate, seed):
        """The curve of a method at a learning rate."""
        key = Key(self.task, name, f"{rate:.3g}", seed, self.steps)
        self._bar.set_description_str(f"{self.task}: {name}, {key.learning_rate}, seed {seed}")
        curve = self._runs.get(key, lambda: run(key, methods(self.task)[name]))
        self._bar.update()
        return curve

    def tuned(self, name):
        """(the best learning rate, all that were tried with their final losses)."""
        method = methods(self.task)[name]
        if method.like:
            return self.tuned(method.like)
        middle = method.rate if method.normalised else method.rate * RATES[self.task]

        def score(i):
            return self.curve(name, middle * 10 ** (i / A_DECADE), 0).final(TESTS)

        scores = {i: score(i) for i in range(-(TRIED // 2), TRIED // 2 + 1)}
        while len(scores) < MOST:
            best = min(scores, key=scores.__getitem__)
            if best not in (min(scores), max(scores)) and np.isfinite(scores[best]):
                break
            further = max(scores) + 1 if best == max(scores) and np.isfinite(scores[best]) else min(scores) - 1
            scores[further] = score(further)
        best = min(scores, key=scores.__getitem__)
        return middle * 10 ** (best / A_DECADE), {middle * 10 ** (i / A_DECADE): s for i, s in sorted(scores.items())}

    def results(self, seeds):
        """Every method's learning rate and the curves of its seeds."""
        for name in methods(self.task):
            rate, _ = self.tuned(name)
            yield name, training_report.Result(rate, [self.curve(name, rate, s) for s in range(seeds)])


def outcome(task, runs, bar=None, *, length=1.0, seeds=5):
    """The outcome of a task; only runs that are not known yet are made."""
    steps = TESTS * max(1, round(length * STEPS[task] / TESTS))
    contest = Contest(task, steps, runs, tqdm(disable=True) if bar is None else bar)
    return training_report.Outcome(steps, steps // TESTS, dict(contest.results(seeds)))


def seconds_per_step(task, steps, rounds):
    """Seconds of a step of every method, which take turns: medians over the rounds, of ten steps each."""
    steppers = {}
    for name, method in methods(task).items():
        steppers[name] = stepper(TASKS[task](), method.make(1e-3, steps))
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
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS), help="default: all")
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
    seconds = {task: seconds_per_step(task, outcomes[task].steps, arguments.timing_rounds) for task in timed}
    publish(files, training_report.lines(outcomes, seconds, arguments.seeds), figure=training_report.plot(outcomes))


if __name__ == "__main__":
    main()
