"""What batch normalisation makes of the base iterate: a test with the running statistics of params, and with its own.

    python -m benchmarks.batch_norm

Every row trains a small CNN on the digits by ``nag``, from the same seeds and on the same batches. It is tested at
params and at the base iterate, at each with the running statistics, which training has gathered at params, and with
statistics that are re-estimated at the tested point, as the mean of a few batches of training.
"""

import argparse
import functools
import itertools
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np
import optax
from tqdm import tqdm

from benchmarks.report import add_out, heading, outputs, publish, table
from nag_optax import eval_params, nag
from trainer.data import digits

BATCH = 128
KEPT = 0.9  # of a running statistic, in every step
POINTS = ("params", "base iterate")
STATISTICS = ("running", "re-estimated")


class Setting(NamedTuple):
    """Options of ``nag``."""

    momentum: float
    learning_rate: float
    decays: bool

    def optimizer(self, steps):
        """With a learning rate that is constant, or falls to 0 by a cosine."""
        rate = optax.cosine_decay_schedule(self.learning_rate, steps) if self.decays else self.learning_rate
        return nag(rate, self.momentum)

    def __str__(self):
        return f"{self.momentum}, {self.learning_rate}{' decayed' if self.decays else ''}"


SETTINGS = [Setting(*rates, decays) for rates in ((0.9, 0.1), (0.99, 0.01)) for decays in (False, True)]


class CNN(nn.Module):
    """Images [N, 8, 8, 1] to logits [N, 10], batch normalisation behind every convolution.

    Attributes:
      kept: of a running statistic in a step; with 0 they are those of the batch.
      widths: of the three convolutions.
    """

    kept: float = KEPT
    widths: tuple[int, int, int] = (16, 32, 32)

    @nn.compact
    def __call__(self, images, *, training):
        """Returns the logits."""
        x = (images - 0.3) / 0.4  # mean and standard deviation of the pixels
        for width, pooled in zip(self.widths, (False, True, True), strict=True):
            x = nn.Conv(width, (3, 3), use_bias=False)(x)
            x = nn.relu(nn.BatchNorm(use_running_average=not training, momentum=self.kept)(x))
            x = nn.max_pool(x, (2, 2), (2, 2)) if pooled else x
        return nn.Dense(10)(x.reshape(len(x), -1))


def logits_and_statistics(params, statistics, images, kept=KEPT):
    """Of a batch of training."""
    variables = {"params": params, "batch_stats": statistics}
    logits, changed = CNN(kept).apply(variables, images, training=True, mutable=["batch_stats"])
    return logits, changed["batch_stats"]


@jax.jit
def begin(seed):
    """(params, running statistics)."""
    variables = CNN().init(jax.random.key(seed), np.zeros((1, 8, 8, 1), np.float32), training=False)
    return variables["params"], variables["batch_stats"]


@functools.partial(jax.jit, static_argnums=0)
def step(tx, params, statistics, state, batch):
    """(params, running statistics, state) after a step."""

    def loss(params):
        key, images, labels = batch
        logits, changed = logits_and_statistics(params, statistics, digits.random_shift(key, images))
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), changed

    gradients, statistics = jax.grad(loss, has_aux=True)(params)
    updates, state = tx.update(gradients, state, params)
    return optax.apply_updates(params, updates), statistics, state


@jax.jit
def of_batch(params, statistics, batch):
    """The statistics of one batch of training."""
    key, images, _ = batch
    return logits_and_statistics(params, statistics, digits.random_shift(key, images), kept=0.0)[1]


def estimated(params, statistics, batches):
    """Their mean over batches."""
    of_batches = [of_batch(params, statistics, batch) for batch in batches]
    return jax.tree.map(lambda *each: sum(each) / len(each), *of_batches)


@jax.jit
def loss_and_accuracy(params, statistics, images, labels):
    """On images that are not shifted."""
    logits = CNN().apply({"params": params, "batch_stats": statistics}, images, training=False)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    return loss, (logits.argmax(axis=-1) == labels).mean()


def batches_from(data, seed, position):
    """(key of the shifts, images, labels) without end."""
    key = jax.random.key(seed)
    return ((jax.random.fold_in(key, k), *digits.batch(data, seed, k, BATCH)) for k in itertools.count(position))


def tests_of(tx, data, seed, steps, batches):
    """Trains; an array [2 tests, points, statistics, (loss, accuracy)], after a third of the steps and at the end."""
    params, statistics = begin(seed)
    state, tests = tx.init(params), []
    for k, batch in enumerate(itertools.islice(batches_from(data, seed, 0), steps), start=1):
        params, statistics, state = step(tx, params, statistics, state, batch)
        if k in times(steps):
            few = list(itertools.islice(batches_from(data, seed, k), batches))
            test = functools.partial(loss_and_accuracy, images=data.test_images, labels=data.test_labels)
            points = (params, eval_params(state, params))
            tests.append([[test(p, s) for s in (statistics, estimated(p, statistics, few))] for p in points])
    return np.array(tests, np.float64)


def times(steps):
    """When it is tested."""
    return steps // 3, steps


def mean(x, digits_shown=4):
    """Of seeds, and its standard error."""
    return f"{x.mean():.{digits_shown}f} ± {x.std(ddof=1) / len(x) ** 0.5:.{digits_shown}f}"


def report(results: dict[Setting, np.ndarray], steps, batches):
    """The lines of the tables, from arrays of seeds of `tests_of`."""
    seeds = len(next(iter(results.values())))
    yield from heading("Batch normalisation and the base iterate", "benchmarks.batch_norm")
    yield (
        f"A CNN with three batch normalisations on scikit-learn's digits by `nag`, {steps} steps of {BATCH} shifted "
        f"images, learning rate constant or decayed to 0 by a cosine; mean of {seeds} seeds and its standard error. "
        f"Running statistics keep {KEPT} of themselves in every step; those that are re-estimated are the mean of "
        f"{batches} batches of training at the tested point. Differences are taken seed by seed."
    )
    places = [(setting, i, time, tests) for setting, tests in results.items() for i, time in enumerate(times(steps))]
    for title, which, scale, digits_shown in (("loss, nats", 0, 1, 4), ("accuracy, %", 1, 100, 2)):
        show = functools.partial(mean, digits_shown=digits_shown)
        yield from ("", f"## Test {title}", "")
        rows = []
        for setting, i, time, tests in places:
            for j, point in enumerate(POINTS):
                running, again = scale * tests[:, i, j, :, which].T
                rows.append([str(setting), str(time), point, show(running), show(again), show(again - running)])
        yield from table(["momentum, rate", "step", "point", *STATISTICS, "difference"], rows)
    yield from ("", "## Test loss at the base iterate less that at params", "")
    rows = []
    for setting, i, time, tests in places:
        at_params, at_base = tests[:, i, :, :, 0].transpose(1, 2, 0)
        rows.append([str(setting), str(time), *map(mean, at_base - at_params)])
    yield from table(["momentum, rate", "step", *STATISTICS], rows)


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description="Batch normalisation at params and at the base iterate.")
    parser.add_argument("--seeds", type=int, default=5, help="at least 2 (default: 5)")
    parser.add_argument("--steps", type=int, default=330, help="of a training, at least 3 (default: 330)")
    parser.add_argument("--batches", type=int, default=8, help="to estimate statistics by (default: 8)")
    add_out(parser, ".md")
    arguments = parser.parse_args()
    for name, least in (("seeds", 2), ("steps", 3), ("batches", 1)):
        if getattr(arguments, name) < least:
            parser.error(f"--{name}: must be at least {least}")
    files = outputs(parser, arguments)
    data, results = digits.load(), {}
    with tqdm(total=len(SETTINGS) * arguments.seeds, desc="trainings", unit="run", leave=False) as bar:
        for setting in SETTINGS:
            tx, of_seeds = setting.optimizer(arguments.steps), []
            for seed in range(arguments.seeds):
                of_seeds.append(tests_of(tx, data, seed, arguments.steps, arguments.batches))
                bar.update()
            results[setting] = np.stack(of_seeds)
    publish(files, report(results, arguments.steps, arguments.batches))


if __name__ == "__main__":
    main()
