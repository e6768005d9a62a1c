"""What every result says about itself, date, machine, versions and the command, and how it is written: no line of it
is longer than a reader's window.
"""

import csv
import datetime
import os
import platform
import shlex
import sys
import textwrap
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from benchmarks.pictures import as_png

WIDTH = 100


def add_out(parser, *suffixes):
    """Adds ``--out``, and what `outputs` needs to know about it."""
    names = " and ".join(f"OUT{suffix}" for suffix in suffixes)
    parser.add_argument("--out", type=Path, help=f"write {names}, which must not exist")
    parser.set_defaults(suffixes=suffixes)


def outputs(parser, arguments):
    """The files to write, by suffix; ends with an error where one exists: results are not overwritten."""
    files = {s: arguments.out.with_suffix(s) for s in arguments.suffixes} if arguments.out else {}
    for file in files.values():
        check_new(parser, "--out", file)
    return files


def check_new(parser, option, file):
    """Ends with an error where the file exists, or its folder does not."""
    if file.exists():
        parser.error(f"{option}: {file} exists and is not overwritten")
    if not file.parent.is_dir():
        parser.error(f"{option}: {file.parent} is no folder")


def heading(title, module):
    """The first lines of a result."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("nag_optax", "jax", "optax"))
    device = jax.devices()[0]
    machine = f"{device.device_kind} ({device.platform}, {platform.machine()}, {os.cpu_count()} cores)"
    return [
        f"# {title}",
        "",
        f"{datetime.date.today()}, {machine}, Python {platform.python_version()}, {packages}.",
        "",
        command(["python", "-m", module, *sys.argv[1:]]),
        "",
    ]


def command(words):
    """A code block that a shell reads as these words, broken before options only."""
    blank = "\0"  # no word has one, and no line breaks at it
    text = "".join((" " if word.startswith("--") else blank) + shlex.quote(word.replace(" ", blank)) for word in words)
    lines = fold(text.strip(blank), WIDTH - 2, initial_indent="    ", subsequent_indent="        ")
    return " \\\n".join(lines).replace(blank, " ")


def table(columns, rows):
    """The lines of a table whose cells are text."""
    yield from (f"| {' | '.join(columns)} |", "|---" * len(columns) + "|")
    yield from (f"| {' | '.join(cells)} |" for cells in rows)


def wrapped(line):
    """Prose and items of a list as lines that fit; tables, titles and code, which cannot be broken, as they are."""
    if line.startswith(("|", "#", "    ")):
        return [line]
    return fold(line, WIDTH, subsequent_indent="  " if line.startswith("* ") else "") or [""]


def fold(text, width, **options):
    """Lines that are broken at spaces only: a hyphen may belong to a name or to an option."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False, **options)


def publish(files: dict[str, Path], lines: Iterable[str], table: Iterable = (), figure: Any = None):
    """Prints the lines, each a paragraph or a row, and writes what ``--out`` asks for: the lines, a table of rows whose
    first is the heading, and a figure of matplotlib.
    """
    text = "\n".join(part for line in lines for part in wrapped(line)) + "\n"
    print(text)
    if files:
        files[".md"].write_text(text)
    if ".csv" in files:
        with files[".csv"].open("w", newline="") as file:
            csv.writer(file).writerows(table)
    if ".png" in files:
        files[".png"].write_bytes(as_png(figure))
