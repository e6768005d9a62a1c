"""Who needs how many steps: methods at the best learning rate of their own, and then several seeds.

A learning rate is the best of at least seven, three a decade, and never the smallest or largest that was tried. A
finished run is a line of a file, so that a contest may be interrupted, and goes on after the last.
"""

import time

import jax
import numpy as np

from benchmarks.methods import Method
from benchmarks.outcome import Result
from benchmarks.runs import Curve, Key
from benchmarks.tasks import TASKS, train
from nag_optax import eval_params

TESTS = 50
TRIED, A_DECADE, MOST = 7, 3, 16
HUGE = 1e6  # times the first loss: a run that has diverged


def run(key, method):
    """Trains, and returns the curve and the seconds that it took."""
    begin, every = time.perf_counter(), key.steps // TESTS
    tx = method.make(float(key.learning_rate), key.steps)
    evaluated = {"evaluated": eval_params} if method.at_base else {}
    losses, accuracies = [], []
    for measured in train(TASKS[key.task](), tx, key.steps, key.seed, every=every, **evaluated):
        losses.append(measured.loss)
        accuracies.append(measured.accuracy)
        if not losses[-1] < HUGE * losses[0]:
            break
    jax.clear_caches()  # Linux gives a process memory maps for some hundred programs only
    return Curve(np.array(losses), np.array(accuracies)), time.perf_counter() - begin


class Contest:
    """The runs of a task, made where they are missing.

    Args:
      task: its name.
      methods: the contestants by name.
      rate: a learning rate of gradient descent to begin with.
      steps: of a run.
      runs: those that are known.
      bar: of tqdm.
    """

    def __init__(self, task: str, methods: dict[str, Method], rate: float, steps: int, runs, bar):
        self.task, self.methods, self.rate, self.steps = task, methods, rate, steps
        self._runs, self._bar = runs, bar

    def curve(self, name, rate, seed):
        """The curve of a method at a learning rate."""
        key = Key(self.task, name, f"{rate:.3g}", seed, self.steps)
        self._bar.set_description_str(f"{self.task}: {name}, {key.learning_rate}, seed {seed}")
        curve = self._runs.get(key, lambda: run(key, self.methods[name]))
        self._bar.update()
        return curve

    def tuned(self, name):
        """(the best learning rate, all that were tried with their final losses)."""
        method = self.methods[name]
        if method.like:
            return self.tuned(method.like)
        middle = method.rate if method.normalised else method.rate * self.rate

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
        for name in self.methods:
            rate, _ = self.tuned(name)
            yield name, Result(rate, [self.curve(name, rate, s) for s in range(seeds)])
