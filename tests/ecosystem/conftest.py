"""Examples in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts a script in a folder."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",  # most of the time is compiling: once for all processes
    }
    environment.setdefault("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
    processes = []

    def start(folder, script, *arguments, devices=1):
        command = [sys.executable, str(EXAMPLES / script), *map(str, arguments)]
        env, pipe = environment | {"JAX_NUM_CPU_DEVICES": str(devices)}, subprocess.PIPE
        processes.append(subprocess.Popen(command, cwd=folder, env=env, stdout=pipe, stderr=pipe, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()
