"""Which momentum for how many updates: the deep autoencoder of `benchmarks.training`, at several lengths.

    python -m benchmarks.momentum

Every momentum rises as ``momenta.sutskever(momentum, steps=updates)``, and has the same learning rates to choose from.
About a quarter of an hour on one core; `benchmarks.training` has 5,000 updates.
"""

import argparse
import itertools
import statistics

import jax
from tqdm import tqdm

from benchmarks.report import add_out, heading, outputs, publish, table
from benchmarks.tasks import TASKS, train
from nag_optax import eval_params, momenta, nag

TASK = "deep autoencoder"


def error(steps, momentum, learning_rate, seed):
    """The test loss at the base iterate after the last update."""
    tx = nag(learning_rate, momenta.sutskever(momentum, steps=steps))
    (end,) = train(TASKS[TASK](), tx, steps, seed, every=steps, evaluated=eval_params)
    return end.loss


def best(errors):
    """(median error, learning rate), by learning rate to the errors of the seeds."""
    medians = {rate: statistics.median(of_seeds) for rate, of_seeds in errors.items()}
    return min((x if x == x else float("inf"), rate) for rate, x in medians.items())


def cell(median, rate, rates):
    """A table's cell; a learning rate at the edge of what was tried is marked."""
    mark = "\\*" if rate in (min(rates), max(rates)) else ""
    return f"{median:.2f} ({rate:g}{mark})" if median < float("inf") else "diverges"


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description="Which momentum for how many updates.")
    parser.add_argument("--updates", type=int, nargs="+", default=[500, 2000], help="default: 500 2000")
    parser.add_argument("--momenta", type=float, nargs="+", default=[0.9, 0.97, 0.99, 0.995])
    parser.add_argument(
        "--rates", type=float, nargs="+", default=[0.01, 0.02, 0.04, 0.08], help="learning rates to try"
    )
    parser.add_argument("--seeds", type=int, default=3, help="default: 3")
    add_out(parser, ".md")
    arguments = parser.parse_args()
    files = outputs(parser, arguments)
    trainings = list(itertools.product(arguments.updates, arguments.momenta, arguments.rates))
    errors = {}
    for steps, momentum, rate in tqdm(trainings, desc="trainings", unit="setting"):
        of_seeds = [error(steps, momentum, rate, seed) for seed in range(arguments.seeds)]
        errors.setdefault((steps, momentum), {})[rate] = of_seeds
        jax.clear_caches()  # a process that compiles for hundreds of trainings runs out of memory maps
    rows = [
        [f"{steps:,}", *(cell(*best(errors[steps, mu]), arguments.rates) for mu in arguments.momenta)]
        for steps in arguments.updates
    ]
    lines = [
        *heading("Which momentum for how many updates", "benchmarks.momentum"),
        f"The {TASK} of `benchmarks.training`: the test error at the base iterate after the last update, median of "
        f"{arguments.seeds} seeds, and the best learning rate of {', '.join(f'{r:g}' for r in arguments.rates)} "
        "(\\*: at the edge of them). The momentum rises as `momenta.sutskever(momentum, steps=updates)`.",
        "",
        *table(["updates", *(f"{mu:g}" for mu in arguments.momenta)], rows),
    ]
    publish(files, lines)


if __name__ == "__main__":
    main()
