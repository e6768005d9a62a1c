"""A training program from its command line to its exit code."""

import io
import shlex
import sys
from argparse import Namespace
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainer.command_line import Parser, UsageError, flag
from trainer.run import run_folder, storage
from trainer.run.run_folder import Options, Run

MAKES_DIVERGE = ("learning_rate", "outer_learning_rate", "momentum", "outer_momentum", "lookahead", "weight_decay")


def run(
    kind: str,
    arguments: list[str] | None,
    parser: Parser,
    complete: Callable[[Options], Options],
    train: Callable[[Run], None],
    may_grow: Collection[str] = (),
) -> None:
    """Opens the folder of the run and trains. Exits as `in_words` does.

    Args:
      kind: of the run, which names its folder.
      arguments: the command line; None is the one of this process.
      parser: of the program; parses it into what was given.
      complete: turns the options that were given into all options, or raises a `UsageError`.
      train: the training.
      may_grow: names of the options that a resumed run may have more of.
    """
    with in_words(parser), run_folder.open_run(kind, arguments, parser, complete, may_grow) as opened:
        with in_words(parser, opened.folder, lambda: advice(opened.options, complete)):
            train(opened)


@contextmanager
def in_words(parser: Parser, folder: Path | None = None, advise: Callable[[], str] = str) -> Iterator[None]:
    """Ends the program in one line: with 2 where the user should change something, with 1 where the training diverged
    or its files cannot be written, and with 130 where it was interrupted.

    Args:
      parser: of the program.
      folder: of the run to continue, if there is one.
      advise: says what to do about a training that diverged.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a folder may have a name that is no UTF-8
    to_continue = f"{parser.prog} {shlex.join(['--out', str(folder), '--resume'])}"
    try:
        yield
    except UsageError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    except FloatingPointError as error:
        parser.exit(1, f"{parser.prog}: {error}: {advise()}\n")
    except KeyboardInterrupt:
        parser.exit(130, "\nInterrupted" + (f". To continue: {to_continue}\n" if folder else "\n"))
    except Exception as error:
        reason = storage.refusal(error)
        if reason is None:
            raise
        parser.exit(
            1, f"{parser.prog}: error: {reason}" + (f". Then, to continue: {to_continue}\n" if folder else "\n")
        )


def advice(options: Namespace, complete: Callable[[Options], Options]) -> str:
    """What to try where a training diverged: the defaults of options that are above them, or a tenth of the rate."""
    given = vars(options)
    kept: Mapping[str, Any] = {name: value for name, value in given.items() if name not in MAKES_DIVERGE}
    defaults = complete(dict(kept))
    large = [name for name in MAKES_DIVERGE if name in given and given[name] > defaults[name]]
    tries = {name: defaults[name] for name in large} or {"learning_rate": given["learning_rate"] / 10}
    had = "; it had " + ", ".join(f"{flag(name)} {given[name]:g}" for name in tries)
    return "try " + " ".join(f"{flag(name)} {value:g}" for name, value in tries.items()) + f" in a new folder{had}"
