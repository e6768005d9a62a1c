"""What low precision costs in quality: states of 2 and 1 bytes, and params of 16 bits, against float32.

    python -m benchmarks.precision

Every row trains the same networks from the same seeds on the same batches by ``nag`` with warm-up, cosine decay and
clipping. Reported is the final test loss, its mean and standard error over the seeds, and how far the mean lies from
that of float32 state, in standard errors of the latter.
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from tqdm import tqdm

from benchmarks.pictures import BLACK, BLUE, GREEN, SKY
from benchmarks.report import add_out, heading, outputs, publish
from benchmarks.tasks import TASKS, train
from nag_optax import compensated, nag, stochastic_rounding

PEER = "float32 state"
STEPS = {"digits CNN": 330, "small transformer": 600}
LEARNING_RATES = {"digits CNN": 0.02, "small transformer": 0.2}
TESTS = 15  # of a run
TEST_LOSS = 2  # its place in what is measured


class Variant(NamedTuple):
    """A choice of precision: dtype of params, dtype of the state, and what ends the chain for a seed."""

    params: str = "float32"
    state: str | None = None
    link: Callable[[int], optax.GradientTransformation] | None = None


VARIANTS = {
    PEER: Variant(),
    "bfloat16 state": Variant(state="bfloat16"),
    "int8 state": Variant(state="int8"),
    "float8_e4m3fn state": Variant(state="float8_e4m3fn"),
    "bfloat16 params": Variant("bfloat16", "float32"),
    "bfloat16 params, stochastic_rounding": Variant("bfloat16", "float32", stochastic_rounding),
    "bfloat16 params, compensated": Variant("bfloat16", "float32", lambda seed: compensated()),
    "bfloat16 params, int8 state, stochastic_rounding": Variant("bfloat16", "int8", stochastic_rounding),
}


def optimizer(variant, task, seed):
    """The chain of a variant."""
    steps = STEPS[task]
    rate = optax.warmup_cosine_decay_schedule(0.0, LEARNING_RATES[task], steps // 20, steps)
    tx = optax.chain(optax.clip_by_global_norm(1.0), nag(rate, 0.9, accumulator_dtype=variant.state))
    return optax.chain(tx, variant.link(seed)) if variant.link else tx


def state_bytes(name, task):
    """Bytes of the whole state, a parameter."""
    params = jax.tree.map(lambda p: jnp.asarray(p, VARIANTS[name].params), TASKS[task]().init(0))
    held, count = (
        sum(getattr(x, what) for x in jax.tree.leaves(tree))
        for tree, what in ((optimizer(VARIANTS[name], task, 0).init(params), "nbytes"), (params, "size"))
    )
    return held / count


def measure(task, seeds):
    """The rows of a task: variant to curves [seeds, tests, (step, train loss, test loss, accuracy)]."""
    steps = STEPS[task]
    with tqdm(total=len(VARIANTS) * seeds, desc=task, unit="run", leave=False) as bar:
        for name, variant in VARIANTS.items():
            curves = []
            for seed in range(seeds):
                tx = optimizer(variant, task, seed)
                curves.append(list(train(TASKS[task](), tx, steps, seed, every=steps // TESTS, dtype=variant.params)))
                bar.update()
            yield name, np.array(curves)


def report(results, seeds):
    """The lines of the table."""
    yield from heading("Training in low precision", "benchmarks.precision")
    yield f"`nag` with momentum 0.9, warm-up, cosine decay and clipping; {seeds} seeds, the same batches for all."
    for task, curves in results.items():
        yield from ("", f"## {task}, {STEPS[task]:,} steps, learning rate {LEARNING_RATES[task]}", "")
        yield "| precision | state bytes a parameter | test loss | standard error | off, in standard errors |"
        yield "|---|---|---|---|---|"
        peer = curves[PEER][:, -1, TEST_LOSS]
        for name, of_seeds in curves.items():
            final = of_seeds[:, -1, TEST_LOSS]
            away = (final.mean() - peer.mean()) / standard_error(peer)
            yield (
                f"| {name} | {state_bytes(name, task):.3f} | {final.mean():.4f} | {standard_error(final):.4f} "
                f"| {away:+.2f} |"
            )


def standard_error(x):
    """Of the mean of independent numbers."""
    return x.std(ddof=1) / len(x) ** 0.5


def plot(results):
    """The test loss at the end: every seed, their mean and its standard error, beside those of float32."""
    names = list(VARIANTS)
    fig, axes = plt.subplots(1, len(results), figsize=(9, 3.8), sharey=True, squeeze=False)
    for ax, (task, curves) in zip(axes[0], results.items(), strict=True):
        peer = curves[PEER][:, -1, TEST_LOSS]
        mean, error = peer.mean(), standard_error(peer)
        ax.axvline(mean, ls="--", lw=0.8, color=BLACK, label="mean of float32")
        ax.axvspan(mean - error, mean + error, color=GREEN, alpha=0.15, lw=0, label="its standard error")
        for name, of_seeds in curves.items():
            final, y = of_seeds[:, -1, TEST_LOSS], names.index(name)
            ax.plot(final, [y] * len(final), ".", ms=4, color=SKY)
            ax.errorbar(final.mean(), y, xerr=standard_error(final), fmt="o", ms=5, capsize=3, color=BLUE)
        ax.plot([], [], ".", color=SKY, label="a seed")
        ax.errorbar([], [], xerr=[], fmt="o", ms=5, capsize=3, color=BLUE, label="mean and its standard error")
        ax.set(title=task, xlabel="test loss after the last step, nats", xmargin=0.05)
        ax.set(yticks=range(len(names)), yticklabels=names)
    axes[0, 0].invert_yaxis()
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return fig


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description="Training in low precision against float32.")
    parser.add_argument("--seeds", type=int, default=5, help="at least 2 (default: 5)")
    parser.add_argument("--tasks", nargs="+", choices=list(STEPS), default=list(STEPS), help="default: all")
    add_out(parser, ".md", ".csv", ".png")
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        parser.error("--seeds: must be at least 2")
    files = outputs(parser, arguments)
    results = {task: dict(measure(task, arguments.seeds)) for task in arguments.tasks}
    table = [["task", "precision", "seed", "step", "train_loss", "test_loss"]]
    table += [
        [task, name, seed, int(step), train_loss, test_loss]
        for task, curves in results.items()
        for name, of_seeds in curves.items()
        for seed, curve in enumerate(of_seeds)
        for step, train_loss, test_loss, _ in curve
    ]
    publish(files, report(results, arguments.seeds), table, plot(results))


if __name__ == "__main__":
    main()
