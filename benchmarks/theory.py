"""Every exact worst case of the accelerated family: attained, never exceeded, and found by a semidefinite program.

    python -m benchmarks.theory
    python -m benchmarks.theory --plot worst_cases.png

For each row and number of gradients N: the closed form, what the library's method leaves on the function that attains
it, their relative difference, the largest error on a grid of other functions, as a share of the closed form, and how
far `nag_optax.theory.worst_case` is from it, which knows nothing but the method. `oracles.worst_cases` explains the
rows, `benchmarks.attained` runs the methods. The second command also draws some of them over N.
"""

import argparse
from pathlib import Path

import jax
from tqdm import tqdm

from benchmarks import theory_report
from benchmarks.attained import by_program, largest_on_a_grid, measured
from benchmarks.pictures import as_png
from benchmarks.report import add_out, check_new, outputs, publish
from benchmarks.theory_report import Line
from oracles.worst_cases import ROWS, worst_case


def measure(steps, q, program_steps=()):
    """The lines of the table; those of ``program_steps`` with a semidefinite program."""
    for name, n in tqdm([(name, n) for name in ROWS for n in steps], desc="worst cases", leave=False):
        row = ROWS[name]
        largest, functions = worst_case(row, q, n)
        attained = [measured(row, q, n, f)[0] for f in functions]
        value = max(attained, key=lambda v: abs(v - largest))  # where several functions attain it, the worst match
        program = by_program(row, q, n) if n in program_steps else None
        yield Line(name, row.rounded(n), largest, value, largest_on_a_grid(row, q, n, functions), program)


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description="Exact worst cases: attained, and never exceeded.")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 5, 10, 20], help="numbers of gradients N")
    parser.add_argument("--program-steps", type=int, nargs="*", default=[2, 5], help="those with a program (2 5)")
    parser.add_argument("--strong-convexity", type=float, default=0.01, help="q, with smoothness 1 (default: 0.01)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw a picture into a PNG, which must not exist")
    add_out(parser, ".md")
    arguments = parser.parse_args()
    if min(arguments.steps) < 1:
        parser.error("--steps: each must be at least 1")
    if not 0 < arguments.strong_convexity < 1:
        parser.error("--strong-convexity: must be above 0 and below 1")
    files = outputs(parser, arguments)
    if arguments.plot:
        check_new(parser, "--plot", arguments.plot)
    jax.config.update("jax_enable_x64", True)
    rows = list(measure(arguments.steps, arguments.strong_convexity, arguments.program_steps))
    publish(files, theory_report.lines(rows, arguments.strong_convexity))
    if arguments.plot:
        arguments.plot.write_bytes(as_png(theory_report.plot(arguments.strong_convexity)[0]))
    print(theory_report.summary(rows))


if __name__ == "__main__":
    main()
