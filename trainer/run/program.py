"""A training program from its command line to its exit code."""

import shlex
from collections.abc import Callable, Collection

from trainer.command_line import Parser, UsageError
from trainer.run import run_folder
from trainer.run.run_folder import Options, Run


def run(
    kind: str,
    arguments: list[str] | None,
    parser: Parser,
    complete: Callable[[Options], Options],
    train: Callable[[Run], None],
    may_grow: Collection[str] = (),
) -> None:
    """Opens the folder of the run and trains. Exits with 2 where the user should change something, with 1 where the
    training diverged, and with 130 where it was interrupted.

    Args:
      kind: of the run, which names its folder.
      arguments: the command line; None is the one of this process.
      parser: of the program; parses it into what was given.
      complete: turns the options that were given into all options, or raises a `UsageError`.
      train: the training.
      may_grow: names of the options that a resumed run may have more of.
    """
    try:
        opened = run_folder.open_run(kind, arguments, parser, complete, may_grow)
    except UsageError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    try:
        train(opened)
    except UsageError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    except FloatingPointError as error:
        rate = opened.options.learning_rate
        parser.exit(1, f"{parser.prog}: {error}: try a --learning-rate below {rate:g} in a new folder\n")
    except KeyboardInterrupt:
        options = shlex.join(["--out", str(opened.folder), "--resume"])
        parser.exit(130, f"\nInterrupted. To continue: {parser.prog} {options}\n")
