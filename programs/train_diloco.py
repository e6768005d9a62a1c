"""Trains a small language model by replicas that seldom speak: synchronous data parallelism, DiLoCo and SNOO.

    python -m programs.train_diloco
    python -m programs.train_diloco --processes 2 --communication int8 --out runs/two
    python -m programs.train_diloco --out runs/two --resume --processes 2

The three see the same samples. Synchronous data parallelism averages gradients in every step; so does SNOO, which adds
Nesterov's momentum around AdamW. DiLoCo's replicas train alone, and average what they did every ``--period`` steps. The
optimizers are one line each ::

    diloco(adamw, axis_name="replica", period=64)
    snoo(adamw, period=64)

It prints and saves test loss, bytes sent and synchronisations, a table, curves and checkpoints. On CPUs, the replicas
are virtual devices. On several hosts, every process gets the same options and its place ::

    python -m programs.train_diloco --coordinator HOST:PORT --num-processes 4 --process-id 0 --out shared/run
"""

import json
import math
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from tqdm import tqdm

from trainer.command_line import Parser, UsageError
from trainer.data import byte_text
from trainer.language_model import report
from trainer.language_model.methods import METHODS
from trainer.language_model.options import LENGTH, add_arguments, complete
from trainer.language_model.training import prepare
from trainer.parallel import processes, replicas, traffic
from trainer.run import checkpoints, history, program, run_folder, storage
from trainer.run.run_folder import Options, Run

MODULE = "programs.train_diloco"


def train(
    name: str, run: Run, text: byte_text.Text, mesh: Mesh, save: Callable[[list[history.Row]], None]
) -> list[history.Row]:
    """The rows of one method, a period each, from its latest checkpoint if there is one; ``save`` gets them
    as they come.

    Raises:
      FloatingPointError: if the training loss is not finite. The checkpoints are of the periods before.
    """
    options = run.options
    data = byte_text.inventory(text)
    state, step, measure = prepare(METHODS[name], text, options, mesh)

    def batch(k):
        tokens = byte_text.batch(text, options.seed, k, options.batch_size, LENGTH)
        return replicas.split(tokens.reshape(mesh.size, -1, tokens.shape[1]), mesh)

    with checkpoints.open_manager(run.folder / "checkpoints" / name) as manager:
        state, record = checkpoints.restore_latest(manager, state, data)
        rows = record.get("rows", [])
        done = rows[-1]["step"] if rows else 0
        if run.resumed and processes.is_first():
            print(f"Resuming {name} from step {done}", flush=True)
        if done == options.steps:
            return rows
        compiled = step.lower(state, batch(0)).compile()
        every_step, every_period = (traffic.ring(b, mesh.size) for b in traffic.all_reduced_bytes(compiled))
        hidden = None if processes.is_first() else True  # None: only on a terminal
        bar = tqdm(total=options.steps, initial=done, desc=name, unit="step", leave=False, disable=hidden)
        with bar:
            for last in range(done + options.period, options.steps + 1, options.period):
                start, losses = time.perf_counter(), []
                for k in range(last - options.period, last):
                    state, loss = compiled(state, batch(k))
                    replicas.settle(loss)
                    losses.append(loss)
                    bar.update()
                train_loss = float(replicas.gathered(jnp.stack(losses, axis=1)).mean())
                if not math.isfinite(train_loss):
                    raise FloatingPointError(f"the training loss of {name} until step {last} is {train_loss}")
                row = {
                    "method": name,
                    "step": last,
                    "train_loss": train_loss,
                    **measure(state),
                    "bytes_sent": round(last * every_step + last // options.period * every_period),
                    "syncs": last if every_step else last // options.period,
                    "seconds": time.perf_counter() - start,
                }
                rows.append(row)
                checkpoints.save(manager, last, state, {"rows": rows, "data": data})
                save(rows)
                bar.set_postfix(loss=f"{row['test_loss']:.4f}", refresh=False)
    return rows


def train_all(run: Run) -> None:
    """Trains by every method, prints a table and writes the files."""
    options, mesh = run.options, replicas.make_mesh()
    text = byte_text.load()
    title = (
        f"{len(text.train):,} bytes of text, {mesh.size} replicas on {jax.process_count()} process(es), "
        f"{options.steps} steps, period {options.period}, {options.communication}, seed {options.seed}"
    )
    rows = []

    def save(latest):
        if processes.is_first():
            history.write_csv(run.folder / "metrics.csv", rows + latest)

    if processes.is_first():
        print(title, flush=True)
    for name in options.methods.split(","):
        of_method = train(name, run, text, mesh, save)
        rows += of_method
        if processes.is_first():
            print(report.as_text(of_method[-1], rows), flush=True)
    save([])
    if processes.is_first():
        report.draw(run.folder / "curves.png", rows, title)
        print(f"Wrote config.json, metrics.csv, curves.png and checkpoints to {run.folder}")


def make_parser() -> Parser:
    """The options, without defaults: `complete` adds them."""
    parser = Parser(__doc__, module=MODULE)
    add_arguments(parser)
    run_folder.add_arguments(parser, "diloco")
    processes.add_arguments(parser)  # for --help: they are parsed before
    return parser


@contextmanager
def open_run(arguments: list[str], parser: Parser) -> Iterator[Run]:
    """The run, which process 0 opens for all, and holds."""
    with ExitStack() as stack:
        found = {}
        if processes.is_first():
            try:
                run = stack.enter_context(run_folder.open_run("diloco", arguments, parser, complete))
                found = {"folder": str(run.folder), "options": vars(run.options), "resumed": run.resumed}
            except UsageError as error:
                found = {"error": str(error)}
        found = json.loads(processes.agree_on(json.dumps(found)))
        if "error" in found:
            raise UsageError(found["error"])
        yield Run(Path(found["folder"]), Namespace(**found["options"]), found["resumed"])


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _virtual_devices(given: Options) -> int:
    """How many replicas there are on CPUs: as many as asked for, or as the run to resume began with."""
    try:
        stored = json.loads((given["out"] / run_folder.CONFIG).read_bytes())["options"]["replicas"]
    except (OSError, ValueError, LookupError, TypeError):  # which open_run will name
        stored = 2
    return given.get("replicas", stored)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = make_parser()
    with program.in_words(parser):
        place, rest = processes.parse_place(arguments)
        given = vars(parser.parse_args(rest))
        if place.processes:
            sys.exit(processes.launch(place.processes, [sys.executable, "-m", MODULE, *rest]))
        processes.start(place, _virtual_devices(given))
        with open_run(rest, parser) as run:
            with program.in_words(parser, run.folder, lambda: program.advice(run.options, complete)):
                train_here(run, parser)


def train_here(run: Run, parser: Parser) -> None:
    """Trains. One of several processes that cannot go on ends at once: the others wait for it, or are dead."""
    try:
        train_all(run)
    except Exception as error:
        if jax.process_count() == 1:
            raise
        lost = isinstance(error, jax.errors.JaxRuntimeError)
        reason = f"lost another process ({_first_line(error)})" if lost else storage.refusal(error)
        if reason is None:
            raise
        to_continue = f"to continue, start again with --out {run.folder} --resume"
        print(f"{parser.prog}: {reason}; {to_continue}", file=sys.stderr)
        processes.leave(1)


if __name__ == "__main__":
    main()
