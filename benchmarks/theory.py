"""Every exact worst case of the accelerated family: attained, and never exceeded.

    python -m benchmarks.theory

For each row and number of gradients N: the closed form, what the library's method leaves on the function that attains
it, their relative difference, and the largest error on a grid of other functions, as a share of the closed form.
`oracles.worst_cases` explains the rows, `benchmarks.attained` runs the methods.
"""

import argparse

import jax
import numpy as np
from tqdm import tqdm

from benchmarks.attained import largest_on_a_grid, measured
from benchmarks.report import add_out, heading, outputs, publish
from oracles.worst_cases import ROWS, worst_case


def measure(steps, q):
    """(row, N, closed form, measured, relative difference, largest of the grid / closed form)."""
    for name, n in tqdm([(name, n) for name in ROWS for n in steps], desc="worst cases", leave=False):
        row = ROWS[name]
        largest, functions = worst_case(row, q, n)
        attained = [measured(row, q, n, f)[0] for f in functions]
        value = max(attained, key=lambda v: abs(v - largest))  # where several functions attain it, the worst match
        yield name, n, largest, value, value / largest - 1, largest_on_a_grid(row, q, n, functions) / largest


def report(rows, q):
    """The lines of the table."""
    yield from heading("Exact worst cases of the accelerated family", "benchmarks.theory")
    yield f"Smoothness 1, |x_0 - x*| = 1, strong convexity {q:g} where the method knows it; float64."
    yield ""
    yield "| row | N | closed form | measured | relative difference | largest elsewhere / closed form |"
    yield "|---|---|---|---|---|---|"
    for name, n, largest, value, difference, elsewhere in rows:
        yield (
            f"| {name.replace('|', chr(92) + '|')} | {n} | {largest:.10g} | {value:.10g} | {difference:+.1e} "
            f"| {elsewhere:.10f} |"
        )


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description="Exact worst cases: attained, and never exceeded.")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 5, 10, 20], help="numbers of gradients N")
    parser.add_argument("--strong-convexity", type=float, default=0.01, help="q, with smoothness 1 (default: 0.01)")
    add_out(parser, ".md")
    arguments = parser.parse_args()
    if min(arguments.steps) < 1:
        parser.error("--steps: each must be at least 1")
    if not 0 < arguments.strong_convexity < 1:
        parser.error("--strong-convexity: must be above 0 and below 1")
    files = outputs(parser, arguments)
    jax.config.update("jax_enable_x64", True)
    rows = list(measure(arguments.steps, arguments.strong_convexity))
    publish(files, report(rows, arguments.strong_convexity))
    differences = np.abs([row[4] for row in rows])
    exceeded = [row for row in rows if row[5] > 1 + 1e-9]
    print(f"{len(rows)} values: largest relative difference {differences.max():.1e}, exceeded {len(exceeded)} times.")


if __name__ == "__main__":
    main()
