"""What a step of Muon is on a GPU, counted in XLA's program for it: no GPU is needed.

    pip install "jax[cuda12]" tqdm
    python -m benchmarks.muon_compiled

The contestants and networks of `benchmarks.muon_step`, compiled for an H200 as in `benchmarks.compiled`: how many
kernels a step starts, how many of them multiply matrices, and how many bytes they read and write together.
"""

import argparse
import math
import os

os.environ["JAX_PLATFORMS"] = "cpu"  # no GPU is looked for

import jax

from benchmarks.compiled import kernels, program
from benchmarks.muon_step import CONTESTANTS, LAYERS, LAYOUTS, PEER
from benchmarks.report import add_out, heading, outputs, publish, table


def rows(layout, width):
    """A row for each contestant."""
    shapes = LAYOUTS[layout](width)
    params = {f"p{i}": jax.ShapeDtypeStruct(shape, "float32") for i, shape in enumerate(shapes)}
    count, of_peer = sum(map(math.prod, shapes)), 1.0
    for name, make in CONTESTANTS.items():
        found = list(kernels(program(params, make())))
        moved = sum(kernel.moved for kernel in found) / count
        of_peer = moved if name == PEER else of_peer
        products = sum(kernel.is_product for kernel in found)
        yield [layout, name, str(len(found)), str(products), f"{moved:.0f}", f"{moved / of_peer:.2f}x"]


def main():
    """Counts, prints, writes."""
    parser = argparse.ArgumentParser(description="A step of Muon on a GPU, counted without one.")
    parser.add_argument("--width", type=int, default=1024, help="of the transformer (default: 1024)")
    add_out(parser, ".md")
    arguments = parser.parse_args()
    files = outputs(parser, arguments)
    columns = ["layout", "step", "kernels", "products", "bytes a parameter", f"over {PEER}"]
    lines = [
        *heading("One step of Muon in XLA's program for an NVIDIA H200", "benchmarks.muon_compiled"),
        f"A transformer of {LAYERS} layers, width {arguments.width:,}, params donated. Counted, not timed: no GPU was "
        "there.",
        "",
        *table(columns, [row for layout in LAYOUTS for row in rows(layout, arguments.width)]),
    ]
    publish(files, lines)


if __name__ == "__main__":
    main()
