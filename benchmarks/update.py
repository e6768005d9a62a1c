"""The cost of one update, as ratios to ``optax.sgd(nesterov=True)`` in the same process.

    python -m benchmarks.update

Two questions: does the engine trace and compile a model of 1,000 parameters as fast, and does the jitted, donated
training step on 25 million float32 parameters run as fast? The two libraries take turns, and medians are compared, so
that a machine whose speed drifts is fair to both. The result is printed as a Markdown table and, with ``--out``,
written to a file.
"""

import argparse
import datetime
import platform
import shlex
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
import optax

from nag_optax import nag, schedules

BYTES_PER_PARAMETER = 20  # read the gradient, the buffer and params; write the buffer and params; 4 bytes each
PEER = "optax.sgd(nesterov=True)"
METHODS = {
    PEER: lambda: optax.sgd(0.1, 0.9, nesterov=True),
    "nag": lambda: nag(0.1, 0.9),
    "nag, velocity=step": lambda: nag(0.1, 0.9, velocity="step"),
    "nag, nesterov sequence": lambda: nag(0.1, schedules.nesterov()),
    "nag, restart=gradient": lambda: nag(0.1, schedules.nesterov(), restart="gradient"),
    # a peer that reduces over all leaves, as a restart test does
    "optax.sgd(nesterov=True), clip_by_global_norm": lambda: optax.chain(
        optax.clip_by_global_norm(1.0), optax.sgd(0.1, 0.9, nesterov=True)
    ),
}


def training_step(tx):
    """An update and its application: what a training step does after the gradient."""

    def step(params, state, gradients):
        updates, state = tx.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    return step


def take_turns(timers, repetitions):
    """Runs each timer once per round and returns the median seconds of each, in their order."""
    rounds = [[timer() for timer in timers] for _ in range(repetitions)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def compile_timer(make, leaves):
    """A function that measures the seconds to trace and compile a fresh step of ``leaves`` small parameters."""
    params = {f"layer_{i}": jnp.ones((8 + i % 4, 8)) for i in range(leaves)}

    def timer():
        jax.clear_caches()
        tx = make()
        state = tx.init(params)
        start = time.perf_counter()
        jax.jit(training_step(tx)).lower(params, state, params).compile()
        return time.perf_counter() - start

    return timer


def step_timer(make, parameters, steps):
    """A function that measures the seconds of one jitted, donated step, averaged over ``steps``."""
    tx = make()
    step = jax.jit(training_step(tx), donate_argnums=(0, 1))
    gradients = {"w": jnp.full((parameters,), 1e-3)}

    def timer():
        params = {"w": jnp.ones((parameters,))}
        carry = step(params, tx.init(params), gradients)
        jax.block_until_ready(carry)
        start = time.perf_counter()
        for _ in range(steps):
            carry = step(*carry, gradients)
        jax.block_until_ready(carry)
        return (time.perf_counter() - start) / steps

    return timer


def measure(leaves, parameters, repetitions, steps):
    """Rows of (method, seconds to compile, its ratio, seconds a step, its ratio)."""
    compile_seconds = take_turns([compile_timer(make, leaves) for make in METHODS.values()], repetitions)
    step_seconds = take_turns([step_timer(make, parameters, steps) for make in METHODS.values()], repetitions)
    return [
        (name, c, c / compile_seconds[0], s, s / step_seconds[0])
        for name, c, s in zip(METHODS, compile_seconds, step_seconds, strict=True)
    ]


def report(rows, leaves, parameters):
    """The table, and what it was measured on."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("nag_optax", "jax", "optax"))
    device = jax.devices()[0]
    lines = [
        f"# One update against `{PEER}`",
        "",
        f"{datetime.date.today()}, {device.device_kind} ({device.platform}, {platform.processor() or platform.machine()}, "
        f"{len(jax.devices())} device), Python {platform.python_version()}, {packages}.",
        f"Command: `python -m benchmarks.update {shlex.join(sys.argv[1:])}`".rstrip(" `") + "`",
        "",
        f"| method | trace and compile, {leaves:,} leaves | ratio | step, {parameters:,} float32 | ratio | GB/s |",
        "|---|---|---|---|---|---|",
    ]
    for name, c, c_ratio, s, s_ratio in rows:
        rate = BYTES_PER_PARAMETER * parameters / s / 1e9
        lines.append(f"| {name} | {c:.2f} s | {c_ratio:.2f} | {1e3 * s:.2f} ms | {s_ratio:.3f} | {rate:.1f} |")
    return "\n".join(lines) + "\n"


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--leaves", type=int, default=1000, help="leaves of the compile benchmark (default: %(default)s)"
    )
    parser.add_argument("--parameters", type=int, default=25_000_000, help="size of the step (default: %(default)s)")
    parser.add_argument(
        "--repetitions", type=int, default=7, help="rounds, of which the median is taken (default: %(default)s)"
    )
    parser.add_argument("--steps", type=int, default=10, help="steps of a round (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="Markdown file to write; it must not exist")
    arguments = parser.parse_args()
    if arguments.out and arguments.out.exists():
        parser.error(f"--out: {arguments.out} exists and is not overwritten")
    rows = measure(arguments.leaves, arguments.parameters, arguments.repetitions, arguments.steps)
    table = report(rows, arguments.leaves, arguments.parameters)
    print(table)
    if arguments.out:
        arguments.out.write_text(table)


if __name__ == "__main__":
    main()
