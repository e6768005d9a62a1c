"""The language model of replicas: one program on virtual devices and on two processes, against an explicit loop over
replicas; killed, resumed, and told nonsense.
"""

import csv
import os
import time
from argparse import Namespace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

pytest.importorskip("flax.nnx")
pytest.importorskip("orbax.checkpoint")


from trainer.command_line import UsageError
from trainer.data import byte_text
from trainer.language_model.methods import adamw
from trainer.language_model.options import DEFAULTS, TEST_WINDOWS, complete, sizes
from trainer.networks import transformer

TRAIN_DILOCO = ("-m", "programs.train_diloco")
OPTIONS = {"methods": "diloco", "steps": 12, "period": 3, "batch_size": 8, "width": 32, "depth": 1}
ARGUMENTS = [text for name, value in OPTIONS.items() for text in (f"--{name.replace('_', '-')}", str(value))]
COLUMNS = ("train_loss", "test_loss", "base_loss", "bytes_sent", "syncs")


@pytest.fixture(scope="module")
def on_virtual_devices(start, tmp_path_factory):
    """The rows of an undisturbed run on two virtual devices of one process."""
    folder = tmp_path_factory.mktemp("run") / "whole"
    run = start(folder.parent, *TRAIN_DILOCO, *ARGUMENTS, "--out", folder)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    assert "diloco" in out and (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    return rows(folder)


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def assert_same(ours, theirs, tolerance):
    for column in COLUMNS:
        got, expected = ([float(row[column]) for row in table] for table in (ours, theirs))
        np.testing.assert_allclose(got, expected, rtol=tolerance, err_msg=column)


def test_virtual_devices_agree_with_an_explicit_loop_over_replicas(on_virtual_devices):
    options = Namespace(**DEFAULTS | OPTIONS)
    text, network = byte_text.load(), sizes(options)
    graph, slow = transformer.create(options.seed, **network)
    inner = adamw(options)
    outer = optax.sgd(options.outer_learning_rate, options.outer_momentum, nesterov=True)
    loss = jax.jit(lambda params, tokens: transformer.loss(graph, params, tokens))
    gradient = jax.jit(jax.value_and_grad(lambda params, tokens: transformer.loss(graph, params, tokens)))
    update = jax.jit(inner.update)
    fast, states, outer_state = [slow, slow], [inner.init(slow)] * 2, outer.init(slow)
    windows = byte_text.test_windows(text, TEST_WINDOWS, network["length"])
    losses, loop = [], []
    for k in range(options.steps):
        tokens = byte_text.batch(text, options.seed, k, options.batch_size, network["length"])
        for r, part in enumerate(np.split(tokens, 2)):
            value, gradients = gradient(fast[r], part)
            updates, states[r] = update(gradients, states[r], fast[r])
            fast[r] = optax.apply_updates(fast[r], updates)
            losses.append(value)
        if (k + 1) % options.period == 0:
            pseudo_gradient = jax.tree.map(lambda s, a, b: s - (a + b) / 2, slow, *fast)
            updates, outer_state = outer.update(pseudo_gradient, outer_state, slow)
            slow = optax.apply_updates(slow, updates)
            fast = [slow, slow]
            loop.append((float(jnp.stack(losses).mean()), float(loss(slow, windows))))
            losses = []
    found = [(float(row["train_loss"]), float(row["test_loss"])) for row in on_virtual_devices]
    np.testing.assert_allclose(found, loop, rtol=1e-6)


def test_two_processes_killed_and_resumed_end_where_virtual_devices_do(start, on_virtual_devices, tmp_path):
    folder = tmp_path / "killed"
    launcher = start(tmp_path, *TRAIN_DILOCO, *ARGUMENTS, "--processes", 2, "--out", folder)
    while not (folder / "metrics.csv").exists() and launcher.poll() is None:
        time.sleep(0.05)
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    os.kill(int(children[-1]), 9)
    killed = time.monotonic()
    _, err = launcher.communicate(timeout=60)
    assert launcher.returncode == 1 and time.monotonic() - killed < 60
    assert "SIGKILL" in err and "lost another process" in err and "--resume" in err

    resumed = start(tmp_path, *TRAIN_DILOCO, *ARGUMENTS, "--processes", 2, "--out", folder, "--resume")
    _, err = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, err
    assert_same(rows(folder), on_virtual_devices, 1e-6)


BAD = {
    "an unknown method": (["--methods", "sync,nonsense"], "--methods: must be of sync, diloco, snoo"),
    "half a place": (["--process-id", "1"], "give all three, or none"),
    "a place that does not exist": (
        ["--coordinator", "localhost:1", "--num-processes", "2", "--process-id", "2"],
        "--process-id: must be below 2, got 2",
    ),
    "both ways to start": (
        ["--coordinator", "localhost:1", "--num-processes", "2", "--process-id", "0", "--processes", "2"],
        "--processes: starts processes here",
    ),
    "period 0": (["--period", "0"], "--period: must be an integer at least 1, got 0"),
    "an outer momentum of 1": (["--outer-momentum", "1"], "--outer-momentum: must be a finite number"),
    "a learning rate that is none": (["--learning-rate", "fast"], "--learning-rate: must be a finite number"),
    "a typo": (["--perid", "3"], "unrecognized arguments: --perid 3"),
}


@pytest.mark.parametrize("case", BAD)
def test_nonsense_ends_with_one_line(case, call):
    arguments, message = BAD[case]
    status, _, errors = call("train_diloco", *arguments)
    assert status == 2
    assert message in errors


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": 100}, "--steps: must be a multiple of --period, 64, got 100"),
        ({"batch_size": 12}, "--batch-size: must be a multiple of the 8 replicas, got 12"),
        ({"width": 30}, "--width: must be a multiple of 4 heads, got 30"),
        ({"replicas": 3}, "--replicas: must be the number of devices, 8, got 3"),
    ],
)
def test_options_must_fit_one_another(given, message):
    with pytest.raises(UsageError, match=message):
        complete(given)
