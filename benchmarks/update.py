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

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch wants memory of the same device

from tqdm import tqdm

from benchmarks import steps
from benchmarks.report import add_out, outputs, publish
from benchmarks.update_methods import BY_JAX, BY_TORCH, COMPILED, COPY, PEER, WIDTHS
from benchmarks.update_report import Row, lines, plot


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
    text = lines(rows, compiled, arguments.parameters, arguments.leaves)
    publish(files, text, [Row._fields, *rows], plot(rows))


if __name__ == "__main__":
    main()
