"""The cost of a step on an embedding: `lazy_nag` on the rows of a batch against `nag` on the whole table.

    python -m benchmarks.lazy_rows

What is timed is a jitted, donated step with its gradient: rows are looked up, moved towards 1, and updated. Both take
turns, and the median of the ratios of the same round is reported.
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tqdm import tqdm

from benchmarks.report import add_out, heading, outputs, publish, table
from nag_optax import lazy_nag, nag

WIDTH, STEPS = 64, 5
DENSE, LAZY = "nag", "lazy_nag"


def loss(rows):
    """Of the rows that a batch looks up."""
    return jnp.mean((rows - 1) ** 2)


def dense_step():
    """(init, step) of the whole table."""
    tx = nag(0.1, velocity="step")

    def step(params, state, ids):
        gradients = jax.grad(lambda p: loss(p[ids]))(params)
        updates, state = tx.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    return tx.init, step


def lazy_step():
    """(init, step) of the rows of a batch."""
    lazy = lazy_nag(0.1)

    def step(params, state, ids):
        gradients = jax.grad(loss)(lazy.rows(ids, params, state))
        return lazy.update(gradients, ids, params, state)

    return lazy.init, step


def timer(init, step, rows, batch):
    """A function that measures the mean seconds of a few steps."""
    step = jax.jit(step, donate_argnums=(0, 1))
    rng = np.random.default_rng(0)
    carry = [jnp.zeros((rows, WIDTH))]
    carry.append(init(carry[0]))

    def seconds():
        batches = [jnp.asarray(rng.integers(0, rows, batch)) for _ in range(STEPS)]
        begin = time.perf_counter()
        for ids in batches:
            carry[:] = step(*carry, ids)
        jax.block_until_ready(carry)
        return (time.perf_counter() - begin) / STEPS

    seconds()  # compiles
    return seconds


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description="The cost of a step on the rows of an embedding.")
    parser.add_argument("--batch", type=int, default=256, help="rows that a step looks up (default: 256)")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="of the table")
    parser.add_argument("--rounds", type=int, default=11, help="to take the median of (default: 11)")
    add_out(parser, ".md")
    arguments = parser.parse_args()
    files = outputs(parser, arguments)
    body = []
    for rows in tqdm(arguments.rows, desc="tables"):
        timers = {DENSE: timer(*dense_step(), rows, arguments.batch), LAZY: timer(*lazy_step(), rows, arguments.batch)}
        rounds = [{name: timed() for name, timed in timers.items()} for _ in range(arguments.rounds)]
        medians = [f"{1e3 * statistics.median(each[name] for each in rounds):.2f}" for name in timers]
        ratio = statistics.median(each[LAZY] / each[DENSE] for each in rounds)
        body.append([f"{rows:,}", *medians, f"{ratio:.3f}x"])
    lines = [
        *heading("One step on an embedding", "benchmarks.lazy_rows"),
        f"{arguments.batch} rows of {WIDTH} float32 a step.",
        "",
        *table(["rows of the table", f"{DENSE}, ms", f"{LAZY}, ms", "ratio"], body),
    ]
    publish(files, lines)


if __name__ == "__main__":
    main()
