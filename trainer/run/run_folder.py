"""The folder of a run: its configuration, and what may change when it is resumed.

Files are replaced as a whole, so that a run may be killed at any moment: a reader, or the run when it is resumed, finds
the old file or the new one. Of two processes that train in one folder, the second is refused.
"""

import itertools
import json
import os
from argparse import Namespace
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import jax

from trainer.command_line import Parser, UsageError, flag
from trainer.run.storage import temporary, write_atomically

try:
    import fcntl
except ImportError:  # pragma: no cover (Windows, where nothing refuses the second process)
    fcntl = None

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


@contextmanager
def open_run(
    kind: str,
    arguments: list[str] | None,
    parser: Parser,
    complete: Callable[[Options], Options],
    may_grow: Collection[str] = (),
) -> Iterator[Run]:
    """Begins a run, or finds the one to resume, and holds its folder. Nothing is created or changed before everything
    is checked.

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
        with create(out, kind, config, resumable=True) as folder:
            yield Run(folder, Namespace(**options), resumed=False)
        return
    if out is None:
        raise UsageError("argument --resume: needs --out, the folder of the run")
    if not out.is_dir():
        raise UsageError(f"{out} is not a folder: there is no run to resume")
    with _held(out):
        config = _read_config(out, kind, parser, complete)
        options = complete(_merge(config["options"], given, out, may_grow))
        if options != config["options"]:
            _write_config(out, {**config, "options": options})
        if config["environment"] != _environment():
            then, now = (", ".join(f"{k} {v}" for k, v in e.items()) for e in (config["environment"], _environment()))
            print(f"The run began with {then}. With {now}, the last digits may differ.")
        yield Run(out, Namespace(**options), resumed=True)


@contextmanager
def create(out: Path | None, kind: str, config: Mapping[str, Any], *, resumable: bool = False) -> Iterator[Path]:
    """A new or empty folder with its configuration in it, and holds it; by default the next free runs/kind-001, -002,
    ...; ``resumable`` says whether the program has an option --resume.
    """
    with ExitStack() as stack:
        try:
            new = out is None or not out.exists()
            folder = _next_free(Path("runs"), kind) if out is None else out
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_held(folder))
            # A run that was killed while it wrote its first file has left nothing but this one.
            if {path.name for path in folder.iterdir()} - {temporary(folder / CONFIG).name}:
                resume = ", or add --resume to continue the run in it" if resumable and _kind(folder) == kind else ""
                raise UsageError(f"{folder} is not empty: choose another --out{resume}")
            try:
                _write_config(folder, config)
            except OSError:
                if new:
                    folder.rmdir()
                raise
        except OSError as error:
            raise UsageError(f"cannot create a run in {error.filename}: {error.strerror}") from None
        yield folder


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Holds a folder against other processes, until the end or the death of this one, and leaves no file in it."""
    descriptor = os.open(folder, os.O_RDONLY) if fcntl else None
    try:
        if fcntl and descriptor is not None:
            with suppress(OSError):  # where folders cannot be locked, as on NFS
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    words = f"another process is writing in {folder}: wait for its end, or choose another --out"
                    raise UsageError(words) from None
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


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
    other = f", but that of a {found} run" if isinstance(found := _kind(folder), str) and found != kind else ""
    raise UsageError(f"{folder} is not a {kind} run: {CONFIG} is not one that it wrote{other}")


def _kind(folder: Path) -> Any:
    """Of the run in a folder; None if there is none."""
    try:
        return json.loads((folder / CONFIG).read_bytes())["kind"]
    except (OSError, ValueError, LookupError, TypeError):
        return None


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
