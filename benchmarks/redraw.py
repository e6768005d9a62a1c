"""The picture of a result, drawn anew from its table: nothing is measured.

    python -m benchmarks.redraw update --table benchmarks/results/update-cpu.csv --out update

The tables of `benchmarks.training` and `benchmarks.maps` are their files of runs.
"""

import argparse
import csv
import itertools
from pathlib import Path

import numpy as np

from benchmarks import convex_report, precision, update_report
from benchmarks.maps import MAPS
from benchmarks.pictures import as_png
from benchmarks.report import add_out, outputs
from benchmarks.runs import Runs
from benchmarks.training import TRAINING


def convex(path):
    """Rows by problem."""
    rows = read(path)
    return convex_report.plot(
        {problem: [typed(convex_report.Row, row) for row in of] for problem, of in grouped(rows, "problem")}
    )


def low_precision(path):
    """Curves by task and precision, [seeds, tests, (step, train loss, test loss)]."""
    rows = read(path)
    columns = ("step", "train_loss", "test_loss")
    return precision.plot(
        {
            task: {
                name: np.array(
                    [[[float(row[c]) for c in columns] for row in seed] for _, seed in grouped(of_name, "seed")]
                )
                for name, of_name in grouped(of_task, "precision")
            }
            for task, of_task in grouped(rows, "task")
        }
    )


def of_trainings(comparison):
    """Outcomes by task."""
    return lambda path: comparison.plot(Runs(path, read_only=True))


def update(path):
    """Rows as they are."""
    return update_report.plot([typed(update_report.Row, row) for row in read(path)])


KINDS = {"convex": convex, "precision": low_precision, "update": update}
KINDS |= {"maps": of_trainings(MAPS), "training": of_trainings(TRAINING)}


def read(path):
    """Rows of text by column."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def grouped(rows, column):
    """(value, rows that have it), of rows that follow each other."""
    return [(value, list(of_value)) for value, of_value in itertools.groupby(rows, lambda row: row[column])]


def typed(kind, row):
    """A named tuple of a line of text, whose empty cells are None."""
    return kind(*(cell(row[field], kind.__annotations__[field]) for field in kind._fields))


def cell(text, annotation):
    """A value of the annotated type, or None."""
    if not text:
        return None
    return text if annotation is str else float(text)


def main():
    """Reads, draws, writes."""
    parser = argparse.ArgumentParser(description="The picture of a result, drawn anew from its table.")
    parser.add_argument("kind", choices=list(KINDS), help="the benchmark")
    parser.add_argument("--table", type=Path, required=True, help="CSV file that it has written")
    add_out(parser, ".png")
    arguments = parser.parse_args()
    if not arguments.table.is_file():
        parser.error(f"--table: {arguments.table} is no file")
    if not arguments.out:
        parser.error("--out: say where to")
    files = outputs(parser, arguments)
    files[".png"].write_bytes(as_png(KINDS[arguments.kind](arguments.table)))


if __name__ == "__main__":
    main()
