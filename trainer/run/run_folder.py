"""The folder of a run: its configuration, and what may change when it is resumed.

Files are replaced as a whole, so that a run may be killed at any moment: a reader, or the run when it is resumed, finds
the old file or the new one.
"""

import itertools
import json
import os
from argparse import Namespace
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from trainer.command_line import Parser, UsageError, flag

CONFIG = "config.json"
Options = dict[str, Any]


class Run(NamedTuple):
    """A run with its folder and all its options."""

    folder: Path
    options: Namespace
    resumed: bool


def add_arguments(parser: Parser, kind: str, grows: str = "") -> None:
    """Adds --out and --resume; ``grows`` says what may change in a run that is resumed."""
    parser.add_argument("--out", type=Path, help=f"new or empty folder; default: the next runs/{kind}-001, -002, ...")
    parser.add_argument(
        "--resume",
        action="store_true",
        help=f"continue the run in --out; its options are those that it began with{grows}",
    )


def open_run(
    kind: str,
    arguments: list[str] | None,
    parser: Parser,
    complete: Callable[[Options], Options],
    may_grow: Collection[str] = (),
) -> Run:
    """Begins a run, or finds the one to resume. Nothing is created or changed before everything is checked.

    Args:
      kind: names the folder; a run of another kind is not resumed.
      arguments: the command line; None is the one of this process.
      parser: parses it into what was given.
      complete: turns the options that were given into all options, or raises a `UsageError`.
      may_grow: names of the options that a resumed run may have more of.
    """
    given = vars(parser.parse_args(arguments))
    out, resume = given.pop("out", None), given.pop("resume", False)
    if not resume:
        options = complete(given)
        config = {"kind": kind, "options": options, "environment": _environment()}
        return Run(create(out, kind, config), Namespace(**options), resumed=False)
    if out is None:
        raise UsageError("argument --resume: needs --out, the folder of the run")
    config = _read_config(out, kind, parser, complete)
    options = complete(_merge(config["options"], given, out, may_grow))
    if options != config["options"]:
        _write_config(out, {**config, "options": options})
    if config["environment"] != _environment():
        then, now = (", ".join(f"{k} {v}" for k, v in e.items()) for e in (config["environment"], _environment()))
        print(f"The run began with {then}. With {now}, the last digits may differ.")
    return Run(out, Namespace(**options), resumed=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces the whole file at once."""
    temporary = _temporary(path)
    temporary.write_bytes(content)
    os.replace(temporary, path)


def create(out: Path | None, kind: str, config: Mapping[str, Any]) -> Path:
    """A new or empty folder with its configuration in it; by default the next free runs/kind-001, -002, ..."""
    try:
        if out is None:
            out = _next_free(Path("runs"), kind)
        out.mkdir(parents=True, exist_ok=True)
        # A run that was killed while it wrote its first file has left nothing but this one.
        if {path.name for path in out.iterdir()} - {_temporary(out / CONFIG).name}:
            raise UsageError(f"{out} is not empty: choose another --out, or add --resume to continue the run in it")
        _write_config(out, config)
    except OSError as error:
        raise UsageError(f"cannot create a run in {error.filename}: {error.strerror}") from None
    return out


def _next_free(runs: Path, kind: str) -> Path:
    runs.mkdir(exist_ok=True)
    for n in itertools.count(1):
        folder = runs / f"{kind}-{n:03}"
        try:
            folder.mkdir()
        except FileExistsError:  # even if another process was faster by a microsecond
            continue
        return folder
    raise AssertionError("unreachable: count never ends")


def _write_config(folder: Path, config: Mapping[str, Any]) -> None:
    write_atomically(folder / CONFIG, json.dumps(config, indent=2).encode() + b"\n")


def _read_config(folder: Path, kind: str, parser: Parser, complete: Callable[[Options], Options]) -> dict[str, Any]:
    """The configuration, checked as strictly as a command line: the file may be anybody's."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder: there is no run to resume")
    try:
        config = json.loads((folder / CONFIG).read_bytes())
    except OSError as error:
        raise UsageError(f"{folder} is not a {kind} run: {CONFIG}: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"{folder} is not a {kind} run: {CONFIG} is not JSON") from None
    match config:
        case {"kind": found, "options": dict(options), "environment": dict()} if found == kind:
            try:
                stored = vars(parser.parse_args([f"{flag(name)}={value}" for name, value in options.items()]))
            except UsageError as error:
                raise UsageError(f"{folder / CONFIG}: {error}") from None
            if stored == options == complete(stored):
                return config
    raise UsageError(f"{folder} is not a {kind} run: {CONFIG} is not one that it wrote")


def _merge(stored: Options, given: Options, folder: Path, may_grow: Collection[str]) -> Options:
    """The options of a resumed run: the stored ones, except those that have grown."""
    for name, value in given.items():
        was = stored.get(name, "no such option")
        if value != was and not (name in may_grow and value > was):
            raise UsageError(f"argument {flag(name)}: {value} contradicts the run in {folder}, which has {was}")
    return {**stored, **given}


def _environment() -> dict[str, Any]:
    """What the last digits of a result depend on, besides the options."""
    return {"jax": jax.__version__, "platform": jax.default_backend(), "devices": jax.local_device_count()}


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + ".tmp")
