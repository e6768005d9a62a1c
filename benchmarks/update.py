"""The cost of one update, against Optax, PyTorch and the memory itself, in one process.

    python -m benchmarks.update

What is timed is a jitted, donated training step after its gradient: update and application. All contestants take turns
on the same shapes, and the median of the ratios to ``optax.sgd(nesterov=True)`` of the same round is reported, so that
a machine whose speed drifts is fair to all. Bytes are those that a single pass must move: read gradient, state and
params, write state and params; a copy of the same size gives the bandwidth. A second table compiles a model of many
small parameters. On a GPU, ``--parameters 1000000000`` is the size to run.
"""

import argparse
import itertools
import math
import os
import statistics
from typing import NamedTuple

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch wants memory of the same device

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from tqdm import tqdm

from benchmarks import steps
from benchmarks.report import add_out, heading, outputs, publish
from nag_optax import compensated, momenta, nag, stochastic_rounding

PEER = "optax.sgd(nesterov=True)"
WIDTHS = {"float32": 4, "bfloat16": 2}


def optax_nesterov(**options):
    """The peer."""
    return lambda: optax.sgd(0.1, 0.9, nesterov=True, **options)


def ours(*links, **options):
    """``nag``, and what may follow it."""
    return lambda: optax.chain(nag(0.1, 0.9, **options), *links) if links else nag(0.1, 0.9, **options)


def restarting():
    """A sequence and a restart, which sums over all leaves."""
    return nag(0.1, momenta.nesterov(), restart="gradient")


def clipped():
    """A peer that sums over all leaves."""
    return optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1, 0.9, nesterov=True))


BY_JAX = {  # name: (dtype of params and gradients, transformation)
    PEER: ("float32", optax_nesterov()),
    "nag": ("float32", ours()),
    "nag, bfloat16 state": ("float32", ours(accumulator_dtype=jnp.bfloat16)),
    "nag, int8 state": ("float32", ours(accumulator_dtype=jnp.int8)),
    "nag, restart=gradient": ("float32", restarting),
    f"{PEER}, clip_by_global_norm": ("float32", clipped),
    f"{PEER}, float32 accumulator, bfloat16 params": ("bfloat16", optax_nesterov(accumulator_dtype=jnp.float32)),
    "nag, float32 state, bfloat16 params": ("bfloat16", ours(accumulator_dtype=jnp.float32)),
    "nag, bfloat16 params": ("bfloat16", ours()),
    "nag, int8 state, bfloat16 params": ("bfloat16", ours(accumulator_dtype=jnp.int8)),
    "nag, float32 state, bfloat16 params, stochastic_rounding": (
        "bfloat16",
        ours(stochastic_rounding(0), accumulator_dtype=jnp.float32),
    ),
    "nag, float32 state, bfloat16 params, compensated": (
        "bfloat16",
        ours(compensated(), accumulator_dtype=jnp.float32),
    ),
}
BY_TORCH = {"torch.optim.SGD, foreach": {"foreach": True}, "torch.optim.SGD, fused": {"fused": True}}
COPY = "copy"
COMPILED = {
    PEER: optax_nesterov(),
    "nag": ours(),
    "nag, velocity=step": ours(velocity="step"),
    "nag, nesterov sequence": lambda: nag(0.1, momenta.nesterov()),
    "nag, restart=gradient": restarting,
    f"{PEER}, clip_by_global_norm": clipped,
}


class Row(NamedTuple):
    """What was measured of one step on one layout; bytes are a parameter's."""

    layout: str
    step: str
    params: str
    milliseconds: float
    ratio: float
    gb_per_second: float
    share_of_copy: float
    state_bytes: float
    bytes_of_one_pass: float
    peak_bytes: float | None
    compile_seconds: float | None


def transformer_shapes(parameters):
    """Leaves of a decoder-only transformer whose depth is a 48th of its width, of at most so many parameters."""
    vocabulary = 32_000

    def shapes(width):
        block = [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width), (width,), (width,)]
        return [(vocabulary, width), *(max(1, width // 48) * block), (width,)]

    widths = itertools.count(128, 64)
    return shapes(next(w for w in widths if sum(map(math.prod, shapes(w + 64))) > parameters))


LAYOUTS = {
    "one leaf": lambda n: [(n // 1000, 1000)],
    "transformer": transformer_shapes,
    "1,000 leaves": lambda n: [(n // 1_000_000, 1000)] * 1000,
}


def contestants(shapes, only):
    """Timers, by name."""
    makers = {COPY: lambda: steps.copy_timer(shapes)}
    makers |= {name: lambda d=dtype, m=make: steps.jax_timer(m, d, shapes) for name, (dtype, make) in BY_JAX.items()}
    if steps.torch:
        makers |= {name: lambda o=options: steps.torch_timer(shapes, **o) for name, options in BY_TORCH.items()}
    return {name: make() for name, make in makers.items() if name in (PEER, COPY) or only in name}


def moved_bytes(name, timer):
    """Bytes a parameter that one pass moves."""
    if name == COPY:
        return 8.0
    width = WIDTHS[BY_JAX[name][0]] if name in BY_JAX else 4
    return 3 * width + 2 * timer.state_bytes


def measure(layout, parameters, rounds, only):
    """Rows of all contestants on one layout."""
    shapes = LAYOUTS[layout](parameters)
    timers = contestants(shapes, only)
    count = sum(map(math.prod, shapes))
    seconds = {name: [] for name in timers}
    names = list(timers)
    for turn in tqdm(range(rounds), desc=layout, unit="round", leave=False):
        first = turn % len(names)  # nobody always comes first
        for name in names[first:] + names[:first]:
            seconds[name].append(timers[name].seconds())
    bandwidth = 8 * count / statistics.median(seconds[COPY])
    for name, timer in timers.items():
        median, moved = statistics.median(seconds[name]), moved_bytes(name, timer)
        rate = moved * count / median
        yield Row(
            layout,
            name,
            BY_JAX[name][0] if name in BY_JAX else "float32",
            1e3 * median,
            statistics.median(a / b for a, b in zip(seconds[name], seconds[PEER], strict=True)),
            rate / 1e9,
            rate / bandwidth,
            timer.state_bytes,
            moved,
            timer.peak_bytes,
            timer.compile_seconds,
        )


def measure_compilation(leaves, rounds):
    """Rows of (method, seconds to compile, its ratio)."""
    for name, make in tqdm(COMPILED.items(), desc="compilation", leave=False):
        timer, peer = steps.compile_timer(make, leaves), steps.compile_timer(COMPILED[PEER], leaves)
        pairs = []
        for turn in range(rounds):
            mine, its = (timer(), peer()) if turn % 2 else reversed((peer(), timer()))
            pairs.append((mine, mine / its))
        yield name, *(statistics.median(column) for column in zip(*pairs, strict=True))


def report(rows, compiled, arguments):
    """The lines of the tables."""
    yield from heading(f"One update against `{PEER}`", "benchmarks.update")
    if not steps.torch:
        yield "PyTorch is not installed: its rows are missing."
    yield f"{arguments.parameters:,} parameters; GB/s and the share of a copy's are counted at the bytes of one pass."
    for layout in LAYOUTS:
        yield from ("", f"## {layout}", "")
        yield "| step | params | ms | ratio | GB/s | of a copy | state bytes | one pass | peak bytes | compile s |"
        yield "|---" * 10 + "|"
        for row in (row for row in rows if row.layout == layout):
            yield (
                f"| {row.step} | {row.params} | {row.milliseconds:.2f} | {row.ratio:.3f} | {row.gb_per_second:.1f} "
                f"| {row.share_of_copy:.0%} | {row.state_bytes:.2f} | {row.bytes_of_one_pass:.2f} "
                f"| {optional(row.peak_bytes)} | {optional(row.compile_seconds)} |"
            )
    if compiled:
        yield from ("", f"## Trace and compile, {arguments.leaves:,} leaves", "", "| step | seconds | ratio |")
        yield "|---|---|---|"
        for name, seconds, ratio in compiled:
            yield f"| {name} | {seconds:.2f} | {ratio:.2f} |"


def optional(x):
    """A number of two digits, if there is one."""
    return "-" if x is None else f"{x:.2f}"


def plot(rows, parameters):
    """The roofline: seconds a parameter over the bytes that it must move, and the line of a copy's bandwidth."""
    fig, axes = plt.subplots(1, len(LAYOUTS), figsize=(15, 5), sharey=True, layout="constrained")
    for ax, layout in zip(axes, LAYOUTS, strict=True):
        chosen = [row for row in rows if row.layout == layout]
        copy = next(row for row in chosen if row.step == COPY)
        moved = np.linspace(1, 1.05 * max(row.bytes_of_one_pass for row in chosen))
        ax.plot(moved, moved * copy.milliseconds / 8, color="#888888", lw=1, label="bandwidth of a copy")
        for i, row in enumerate(row for row in chosen if row.step != COPY):
            marker = "s" if row.step.startswith("optax") else "^" if row.step.startswith("torch") else "o"
            style = {"color": plt.colormaps["tab20"](i), "alpha": 0.85, "label": row.step}
            ax.plot(row.bytes_of_one_pass, row.milliseconds, marker, **style)
        ax.set(title=layout, xlabel="bytes a parameter, one pass", xlim=(0, None), yscale="log")
        ax.set_ylim(copy.milliseconds / 4)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel(f"milliseconds, {parameters:,} parameters")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    fig.suptitle(f"One update, {jax.devices()[0].device_kind}")
    return fig


def at_least(least):
    """An integer of the command line."""

    def parse(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"must be at least {least:,}")
        return int(text)

    return parse


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description="The cost of one update against its peers.")
    for name, default, least, meaning in (
        ("parameters", 25_000_000, 2_500_000, "of the model that is stepped"),
        ("leaves", 1000, 1, "of the model that is compiled"),
        ("rounds", 21, 1, "to take the median of"),
        ("compile-rounds", 5, 0, "of compilation; 0 leaves it out"),
    ):
        parser.add_argument(
            f"--{name}", type=at_least(least), default=default, help=f"{meaning} (default: {default:,})"
        )
    parser.add_argument("--only", default="", help="steps whose name contains this, besides the peer and the copy")
    add_out(parser, ".md", ".csv", ".png")
    arguments = parser.parse_args()
    files = outputs(parser, arguments)
    rows = [
        row for layout in LAYOUTS for row in measure(layout, arguments.parameters, arguments.rounds, arguments.only)
    ]
    compiled = list(measure_compilation(arguments.leaves, arguments.compile_rounds)) if arguments.compile_rounds else []
    publish(files, report(rows, compiled, arguments), [Row._fields, *rows], plot(rows, arguments.parameters))


if __name__ == "__main__":
    main()
