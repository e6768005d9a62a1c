"""Processes that form a group: how each finds its place, what they agree on, and how they end when one of them dies."""

import os
import signal
import socket
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Sequence

import jax
import numpy as np
from jax.experimental import multihost_utils

from trainer.command_line import Parser, UsageError, number

HEARTBEAT = 20
"""Seconds without a sign of life after which a process counts as dead."""
GRACE = 40
"""Seconds that the other processes have to end by themselves."""


def parse_place(arguments: list[str]) -> tuple[Namespace, list[str]]:
    """Where this process stands among others, and the arguments that say something else."""
    parser = Parser(add_help=False)
    add_arguments(parser)
    parser.set_defaults(coordinator=None, num_processes=None, process_id=None, processes=None)
    place, rest = parser.parse_known_args(arguments)
    given = [value is not None for value in (place.coordinator, place.num_processes, place.process_id)]
    if any(given) and not all(given):
        raise UsageError("arguments --coordinator, --num-processes, --process-id: give all three, or none")
    if any(given) and place.processes:
        raise UsageError("argument --processes: starts processes here, and takes no --coordinator")
    if all(given) and place.process_id >= place.num_processes:
        raise UsageError(f"argument --process-id: must be below {place.num_processes}, got {place.process_id}")
    return place, rest


def add_arguments(parser: Parser) -> None:
    """Adds --coordinator, --num-processes, --process-id and --processes."""
    group = parser.add_argument_group("several processes, each started with the same options, on a common file system")
    group.add_argument("--coordinator", help="HOST:PORT of process 0")
    group.add_argument("--num-processes", type=number(int, at_least=1), help="how many there are")
    group.add_argument("--process-id", type=number(int, at_least=0), help="which one this is, from 0")
    group.add_argument("--processes", type=number(int, at_least=1), help="start so many on this machine")


def start(place: Namespace, virtual_devices: int) -> None:
    """Joins the other processes, if there are others; ``virtual_devices`` counts those of all processes on CPUs."""
    processes = place.num_processes or 1
    if virtual_devices % processes:
        raise UsageError(f"argument --replicas: must be a multiple of the {processes} processes, got {virtual_devices}")
    jax.config.update("jax_num_cpu_devices", virtual_devices // processes)
    if place.coordinator:
        jax.distributed.initialize(
            place.coordinator, place.num_processes, place.process_id, heartbeat_timeout_seconds=HEARTBEAT
        )


def launch(count: int, command: Sequence[str]) -> int:
    """Starts a command so many times with its place in the group, and returns an exit code when all have ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    group = ("--coordinator", address, "--num-processes", str(count))
    processes = [subprocess.Popen([*command, *group, "--process-id", str(i)]) for i in range(count)]
    try:
        while all(process.poll() in (None, 0) for process in processes) and any(p.poll() is None for p in processes):
            time.sleep(0.1)
        end = time.monotonic() + GRACE
        while any(process.poll() is None for process in processes) and time.monotonic() < end:
            time.sleep(0.1)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    failed = [f"{i} ({_reason(p.returncode)})" for i, p in enumerate(processes) if p.returncode]
    if failed:
        print(
            f"Processes that ended badly: {', '.join(failed)}. --resume goes on from the last complete checkpoint.",
            file=sys.stderr,
        )
    return next((p.returncode if p.returncode > 0 else 1 for p in processes if p.returncode), 0)


def _reason(code: int) -> str:
    return f"exit code {code}" if code > 0 else signal.Signals(-code).name


def is_first() -> bool:
    """Whether this process prints and writes."""
    return jax.process_index() == 0


def agree_on(text: str) -> str:
    """What process 0 says, on every process: at most 4096 bytes."""
    message = np.zeros(4096, np.uint8)
    message[: len(text.encode())] = list(text.encode())
    return bytes(np.asarray(multihost_utils.broadcast_one_to_all(message))).rstrip(b"\0").decode()


def leave(code: int) -> None:
    """Ends this process without waiting for the others, which may be dead."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
