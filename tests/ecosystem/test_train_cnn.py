"""The Flax examples as a user runs them: killed and resumed, on several devices, and told nonsense.

Only what needs a process of its own gets one. The rest runs in this process, on its eight virtual devices.
"""

import csv
import functools
import importlib
import json
import re
from argparse import Namespace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from killing import finish, kill_when

nn = pytest.importorskip("flax.linen")
pytest.importorskip("sklearn")
ocp = pytest.importorskip("orbax.checkpoint")

EXAMPLES = Path(__file__).parents[2] / "examples"
HEADER = "epoch,train_loss,test_loss,test_accuracy,base_loss,base_accuracy,seconds,images_per_second,waiting"


# A process of its own, on one device.


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """Starts a run of three epochs that is never interrupted. A call waits for its end and returns its folder."""
    folder = tmp_path_factory.mktemp("whole")
    process = start(folder, "train_cnn.py", "--epochs", 3, "--out", "run")

    @functools.cache
    def whole():
        assert "Test accuracy" in finish(process)
        return folder / "run"

    return whole


def test_run_that_is_killed_before_and_after_its_first_checkpoint_and_then_grows_ends_with_the_same_bits(
    start, whole, tmp_path
):
    folder = tmp_path / "run"
    kill_when(start(tmp_path, "train_cnn.py", "--epochs", 2, "--out", "run"), folder / "config.json")
    assert not (folder / "checkpoints" / "11").exists()

    process = start(tmp_path, "train_cnn.py", "--out", "run", "--resume")
    title, resuming = process.stdout.readline(), process.stdout.readline()
    assert resuming == "Resuming run from the beginning: it has no complete checkpoint yet\n", title
    kill_when(process, folder / "checkpoints" / "11")
    (folder / "metrics.csv").write_text("of a run that was killed before it wrote this file")

    output = finish(start(tmp_path, "train_cnn.py", "--out", "run", "--resume", "--epochs", 3))
    assert re.search("Resuming run from the checkpoint of step (11|22), epoch [12]\n", output)
    assert_same_bits(folder, whole())
    assert (folder / "config.json").read_bytes() == (whole() / "config.json").read_bytes()


def test_run_leaves_metrics_curves_configuration_and_checkpoints(whole):
    folder = whole()
    assert {path.name for path in folder.iterdir()} == {"checkpoints", "config.json", "curves.png", "metrics.csv"}
    lines = (folder / "metrics.csv").read_text().splitlines()
    assert lines[0] == HEADER and [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3"]
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "config.json").read_text())["options"]["epochs"] == 3
    assert (folder / "checkpoints" / "33").is_dir()


def test_four_devices_train_the_same_network_as_one(start, whole, tmp_path):
    output = finish(start(tmp_path, "train_cnn.py", "--epochs", 3, "--out", "run", devices=4))
    assert "on 4 cpu devices" in output
    four, one = (np.array(metrics(folder)[1:], float) for folder in (tmp_path / "run", whole()))
    np.testing.assert_allclose(four, one, rtol=1e-3, atol=1 / 360)  # one image of the test set; sums in another order


def test_nnx_example_learns(start, tmp_path):
    output = finish(start(tmp_path, "train_cnn_nnx.py", "--epochs", 6))
    accuracies = [float(percent) for percent in re.findall(r"test accuracy ([\d.]+)%", output)]
    assert len(accuracies) == 2 and min(accuracies) > 90  # at the parameters and at the base iterate
    assert not list(tmp_path.iterdir())


# In this process.


@pytest.fixture
def example(monkeypatch):
    """Imports a module of examples/."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module


@pytest.fixture
def train(example, monkeypatch, tmp_path, capsys):
    """Runs a command line of train_cnn.py in tmp_path, with a model that compiles in no time: its exit status, stdout
    and stderr.
    """

    class Linear(nn.Module):
        @nn.compact
        def __call__(self, images):
            return nn.Dense(10)(images.reshape(len(images), -1))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(example("train_cnn"), "CNN", Linear)

    def train(*arguments):
        status = 0
        try:
            example("train_cnn").main([str(argument) for argument in arguments])
        except SystemExit as exit:
            status = exit.code
        return status, *capsys.readouterr()

    return train


@pytest.fixture
def begin(example, monkeypatch, tmp_path):
    """Makes the folder of a run in tmp_path, and trains nothing."""
    monkeypatch.chdir(tmp_path)
    train_cnn, run_folder = example("train_cnn"), example("run_folder")
    return lambda *arguments: run_folder.open_run("cnn", list(arguments), train_cnn.make_parser(), train_cnn.complete)


def test_optimizer_without_a_base_iterate_leaves_its_columns_empty(train, tmp_path):
    assert train("--epochs", 1, "--optimizer", "gd", "--out", "run")[0] == 0
    assert metrics(tmp_path / "run")[1][-2:] == ["", ""]


def test_every_optimizer_descends_with_its_default_options(example):
    optimizers, rates = example("optimizers"), example("train_cnn").LEARNING_RATES
    assert set(rates) == set(optimizers.OPTIMIZERS)
    for name in optimizers.OPTIMIZERS:
        options = Namespace(**optimizers.complete({"optimizer": name}, rates))
        tx, params = optimizers.build(options), jnp.ones(2)
        updates, _ = tx.update(params, tx.init(params), params)
        assert jnp.all(updates < 0), name


def test_divergence_ends_the_run_and_is_not_saved(train, tmp_path):
    status, _, errors = train("--learning-rate", 1e38, "--epochs", 2, "--out", "run")
    assert status == 1
    assert "loss of epoch 1 is" in errors and "try a --learning-rate below 1e+38" in errors
    assert not (tmp_path / "run" / "checkpoints" / "11").exists()


def test_interrupt_says_how_to_resume(train, example, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(example("digits"), "load", interrupt)
    status, _, errors = train("--out", "my run")
    assert status == 130
    assert "--out 'my run' --resume" in errors


def test_folders_are_numbered(begin):
    assert [str(begin().folder) for _ in range(3)] == ["runs/cnn-001", "runs/cnn-002", "runs/cnn-003"]


NONSENSE = [
    ("--learning-rate -1", "argument --learning-rate: must be a finite number above 0, got -1"),
    ("--learning-rate nan", "argument --learning-rate: must be a finite number above 0, got nan"),
    ("--momentum 1", "argument --momentum: must be a finite number at least 0 and below 1, got 1"),
    ("--lookahead -0.5", "argument --lookahead: must be a finite number at least 0, got -0.5"),
    ("--optimizer adam --lookahead 1", "argument --lookahead: not an option of adam"),
    ("--optimizer gd --momentum 0.9", "argument --momentum: not an option of gd"),
    ("--optimizer nga", "argument --optimizer: invalid choice: 'nga'"),
    ("--batch-size 0", "argument --batch-size: must be an integer at least 1 and at most 1437, got 0"),
    ("--batch-size 1438", "at most 1437, got 1438"),
    ("--batch-size 12", "argument --batch-size: must be a multiple of the 8 devices, got 12"),
    ("--epochs 0", "argument --epochs: must be an integer at least 1, got 0"),
    ("--epochs 1.5", "argument --epochs: must be an integer at least 1, got 1.5"),
    ("--seed -1", "argument --seed"),
    ("--resume", "argument --resume: needs --out"),
    ("--resume --out missing", "missing is not a folder"),
    ("--resume --out empty", "empty is not a cnn run: config.json: No such file"),
    ("--resume --out thesis", "thesis is not a cnn run: config.json is not one that it wrote"),
    ("--resume --out broken", "broken is not a cnn run: config.json is not JSON"),
    ("--out thesis", "thesis is not empty"),
    ("--out thesis/config.json", "cannot create a run in thesis/config.json: File exists"),
]


@pytest.mark.parametrize(("arguments", "message"), NONSENSE)
def test_nonsense_is_refused_in_one_line_and_nothing_is_touched(train, tmp_path, arguments, message):
    for folder, config in (("empty", None), ("thesis", '{"kind": "thesis"}'), ("broken", '{"kind": "cnn"')):
        (tmp_path / folder).mkdir()
        if config:
            (tmp_path / folder / "config.json").write_text(config)
    before = contents(tmp_path)
    status, _, errors = train(*arguments.split())
    assert status == 2
    assert message in errors and errors.count("\n") == 1
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--learning-rate 0.5", "argument --learning-rate: 0.5 contradicts the run in run, which has 0.02"),
        ("--epochs 2", "argument --epochs: 2 contradicts the run in run, which has 3"),
        ("--optimizer adam", "argument --optimizer: adam contradicts the run in run, which has nag"),
    ],
)
def test_options_that_contradict_the_run_are_refused(begin, train, tmp_path, arguments, message):
    begin("--epochs", "3", "--out", "run")
    before = contents(tmp_path)
    status, _, errors = train("--resume", "--out", "run", *arguments.split())
    assert status == 2 and message in errors and errors.count("\n") == 1
    assert contents(tmp_path) == before


# What a run has left behind.


def metrics(folder):
    """The rows without the pace, which no two runs share."""
    with (folder / "metrics.csv").open() as file:
        return [row[:-3] for row in csv.reader(file)]


def assert_same_bits(folder, expected):
    """Same metrics, parameters and optimizer state after epoch 3."""
    assert metrics(folder) == metrics(expected)
    with ocp.StandardCheckpointer() as checkpointer:
        ours, theirs = (checkpointer.restore(f / "checkpoints" / "33" / "state") for f in (folder, expected))
    assert theirs["params"] and theirs["opt_state"]
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def contents(folder):
    """All files, with their bytes, and all folders."""
    return {p.relative_to(folder): p.is_file() and p.read_bytes() for p in folder.rglob("*")}
