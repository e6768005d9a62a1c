"""Programs as a user reaches them: in processes of their own, and, where that costs too much, by name in this one."""

import functools
import os
import runpy
import subprocess
import sys
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts Python with arguments in a folder, such as ``-m programs.train_cnn``."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",  # most of the time is compiling: once for all processes
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    environment.setdefault("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
    processes = []

    def start(folder, *arguments, devices=1):
        command = [sys.executable, *map(str, arguments)]
        env, pipe = environment | {"JAX_NUM_CPU_DEVICES": str(devices)}, subprocess.PIPE
        processes.append(subprocess.Popen(command, cwd=folder, env=env, stdout=pipe, stderr=pipe, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def call(monkeypatch, capsys):
    """Runs a program in this process, on its eight virtual devices: its exit status, stdout and stderr."""

    def call(program, *arguments):
        status = 0
        monkeypatch.setattr(sys, "argv", [program, *map(str, arguments)])
        try:
            runpy.run_module(f"programs.{program}", run_name="__main__")
        except SystemExit as exit:
            status = exit.code
        finally:
            jax.config.update("jax_enable_x64", False)  # which a program may turn on
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def train_cnn(call, monkeypatch, tmp_path):
    """Runs a command line of train_cnn in tmp_path, with a model that compiles in no time: its exit status, stdout and
    stderr.
    """
    nn = pytest.importorskip("flax.linen")
    cnn = pytest.importorskip("trainer.networks.cnn")

    class Linear(nn.Module):
        @nn.compact
        def __call__(self, images):
            return nn.Dense(10)(images.reshape(len(images), -1))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cnn, "CNN", Linear)
    return functools.partial(call, "train_cnn")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of images of three classes, with train and val."""
    pytest.importorskip("PIL.Image")
    from tests.support.vgg16 import write_pictures  # it imports Pillow

    folder = tmp_path_factory.mktemp("data") / "pictures"
    write_pictures(folder / "train")
    write_pictures(folder / "val", count=5)
    return folder
