"""Seconds of a step of a training, for methods that take turns."""

import itertools
import time

import jax
import numpy as np
from tqdm import tqdm

from benchmarks.tasks import TASKS, step


def seconds_per_step(task, contestants, steps, rounds):
    """Seconds of a step of every method: medians over the rounds, of ten steps each."""
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
