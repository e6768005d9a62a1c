"""The cost of a step of Muon on a transformer of twelve layers, against Optax and PyTorch, in one process.

    python -m benchmarks.muon_step

What is timed is a jitted, donated training step after its gradient. Layers lie in stacks, as under ``jax.lax.scan``,
or are leaves of their own. All contestants take turns, and the median of the ratios to ``optax.contrib.muon`` of the
same round is reported. On a GPU, ``--width 2048`` is the size to run.
"""

import argparse
import math
import os
import statistics

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch wants memory of the same device

import jax
import numpy as np
import optax
import optax.contrib
from tqdm import tqdm

from benchmarks import steps
from benchmarks.report import add_out, heading, outputs, publish, table
from nag_optax import muon
from nag_optax.maps import MatrixAxes

LAYERS = 12
PEER, TORCH = "optax.contrib.muon", "torch.optim.Muon"


def matrices(width):
    """Of one layer: queries, keys and values; output; expansion; contraction."""
    return [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]


LAYOUTS = {
    "stacked layers": lambda width: [(LAYERS, *shape) for shape in matrices(width)],
    "a leaf a layer": lambda width: LAYERS * matrices(width),
}


def optax_muon(**options):
    """The peer, told which axes are matrices, and at the same scale."""

    def numbers(params):
        return jax.tree.map(lambda p: optax.contrib.MuonDimensionNumbers(np.ndim(p) - 2, np.ndim(p) - 1), params)

    return optax.contrib.muon(1e-3, muon_weight_dimension_numbers=numbers, consistent_rms=0.2, **options)


def our_muon(**options):
    """Ours; every leaf is a matrix, or a stack of them."""
    return muon(1e-3, axes=MatrixAxes(-2, -1), **options)


CONTESTANTS = {
    PEER: optax_muon,
    "muon, float32 products": lambda: our_muon(dtype="float32"),
    "muon, bfloat16 products": our_muon,
    "muon, float32 products, neurons": lambda: our_muon(dtype="float32", neurons=0.95),
}


def timers(layout, width):
    """Timers, by name; PyTorch knows no stacks."""
    shapes = LAYOUTS[layout](width)
    made = {name: steps.jax_timer(make, "float32", shapes) for name, make in CONTESTANTS.items()}
    if steps.torch and hasattr(steps.torch.optim, "Muon") and all(len(shape) == 2 for shape in shapes):
        made[TORCH] = steps.torch_timer(shapes, steps.torch.optim.Muon, lr=1e-3, adjust_lr_fn="match_rms_adamw")
    return made


def rows(layout, width, rounds):
    """A row for each contestant: milliseconds, ratio, bytes of state a parameter."""
    made = timers(layout, width)
    seconds = {name: [] for name in made}
    names = list(made)
    for turn in tqdm(range(rounds), desc=layout, unit="round", leave=False):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            seconds[name].append(made[name].seconds())
    for name in names:
        ratio = statistics.median(a / b for a, b in zip(seconds[name], seconds[PEER], strict=True))
        milliseconds = 1e3 * statistics.median(seconds[name])
        yield [layout, name, f"{milliseconds:.1f}", f"{ratio:.2f}x", f"{made[name].state_bytes:.2f}"]


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description="The cost of a step of Muon against its peers.")
    parser.add_argument("--width", type=int, default=256, help="of the transformer (default: 256)")
    parser.add_argument("--rounds", type=int, default=11, help="to take the median of (default: 11)")
    add_out(parser, ".md")
    arguments = parser.parse_args()
    files = outputs(parser, arguments)
    count = LAYERS * sum(map(math.prod, matrices(arguments.width)))
    columns = ["layout", "step", "ms", f"over {PEER}", "bytes of state a parameter"]
    body = [row for layout in LAYOUTS for row in rows(layout, arguments.width, arguments.rounds)]
    lines = [
        *heading("One step of Muon", "benchmarks.muon_step"),
        f"A transformer of {LAYERS} layers, {count / 1e6:.1f} million parameters, all of them in matrices.",
        "",
        *table(columns, body),
    ]
    publish(files, lines)


if __name__ == "__main__":
    main()
