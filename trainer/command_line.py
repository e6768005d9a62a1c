"""Command lines that say in one line what to change."""

import argparse
import math
import os
from collections.abc import Callable
from operator import ge, gt, le, lt


class UsageError(Exception):
    """What the user should change; a program prints it and ends with code 2."""


class Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError`, and whose namespace holds only what was given: to resume a run, one has to
    tell an option from a default.

    Args:
      description: what ``--help`` says.
      module: the program, which is run as ``python -m MODULE``.
      add_help: whether there is ``--help``.
    """

    def __init__(self, description: str | None = None, *, module: str | None = None, add_help: bool = True):
        super().__init__(
            prog=module and command(module),
            description=description,
            add_help=add_help,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message):
        """Replaces argparse's own usage text and exit."""
        raise UsageError(message)


def command(module: str) -> str:
    """A program as it is started: ``sys.argv`` has its path, which would not find the packages beside it."""
    return f"python -m {module}"


def number(
    kind: type[int] | type[float],
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> Callable[[str], float]:
    """An argparse type: a finite number in a range."""
    comparisons = [("at least", ge, at_least), ("above", gt, above), ("at most", le, at_most), ("below", lt, below)]
    tests = [test for test in comparisons if test[2] is not None]
    limits = " and ".join(f"{words} {limit}" for words, _, limit in tests)
    noun = "an integer" if kind is int else "a finite number"

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and all(holds(value, limit) for _, holds, limit in tests)):
            raise argparse.ArgumentTypeError(f"must be {noun} {limits}, got {text}")
        return value

    return parse


def boolean(text: str) -> bool:
    """An argparse type: true or false, however it is written."""
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"must be true or false, got {text}")
    return text.lower() == "true"


def flag(name: str) -> str:
    """An option as it is typed."""
    return f"--{name.replace('_', '-')}"


def printable(name: str) -> str:
    """A name of a file as it can be shown: bytes that are no UTF-8 are replaced."""
    return os.fsencode(name).decode(errors="replace")
