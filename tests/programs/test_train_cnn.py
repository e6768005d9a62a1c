"""The CNN on digits as a user trains it: killed and resumed, on several devices, and told nonsense.

Only what needs a process of its own gets one. The rest runs in this process, on its eight virtual devices.
"""

import csv
import functools
import json
import re
from argparse import Namespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.killing import finish, kill_when

pytest.importorskip("flax.linen")
pytest.importorskip("sklearn")
pytest.importorskip("orbax.checkpoint")

import orbax.checkpoint as ocp

from trainer.data import digits
from trainer.networks import cnn
from trainer.run import optimizers

TRAIN_CNN = ("-m", "programs.train_cnn")
HEADER = "epoch,train_loss,test_loss,test_accuracy,base_loss,base_accuracy,seconds,images_per_second,waiting"


# A process of its own, on one device.


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """Starts a run of three epochs that is never interrupted. A call waits for its end and returns its folder."""
    folder = tmp_path_factory.mktemp("whole")
    process = start(folder, *TRAIN_CNN, "--epochs", 3, "--out", "run")

    @functools.cache
    def whole():
        assert "Test accuracy" in finish(process)
        return folder / "run"

    return whole


def test_run_that_is_killed_before_and_after_its_first_checkpoint_and_then_grows_ends_with_the_same_bits(
    start, whole, tmp_path
):
    folder = tmp_path / "run"
    kill_when(start(tmp_path, *TRAIN_CNN, "--epochs", 2, "--out", "run"), folder / "config.json")
    assert not (folder / "checkpoints" / "11").exists()

    process = start(tmp_path, *TRAIN_CNN, "--out", "run", "--resume")
    title, resuming = process.stdout.readline(), process.stdout.readline()
    assert resuming == "Resuming run from the beginning: it has no complete checkpoint yet\n", title
    kill_when(process, folder / "checkpoints" / "11")
    (folder / "metrics.csv").write_text("of a run that was killed before it wrote this file")

    output = finish(start(tmp_path, *TRAIN_CNN, "--out", "run", "--resume", "--epochs", 3))
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
    output = finish(start(tmp_path, *TRAIN_CNN, "--epochs", 3, "--out", "run", devices=4))
    assert "on 4 cpu devices" in output
    four, one = (np.array(metrics(folder)[1:], float) for folder in (tmp_path / "run", whole()))
    np.testing.assert_allclose(four, one, rtol=1e-3, atol=1 / 360)  # one image of the test set; sums in another order


# In this process.


@pytest.fixture
def begin(train_cnn, monkeypatch):
    """Runs a command line up to where it would load the data: its exit status, stdout and stderr."""

    def interrupt():
        raise KeyboardInterrupt

    def begin(*arguments):
        with monkeypatch.context() as patch:
            patch.setattr(digits, "load", interrupt)
            return train_cnn(*arguments)

    return begin


def test_optimizer_without_a_base_iterate_leaves_its_columns_empty(train_cnn, tmp_path):
    assert train_cnn("--epochs", 1, "--optimizer", "gd", "--out", "run")[0] == 0
    assert metrics(tmp_path / "run")[1][-2:] == ["", ""]


def test_every_optimizer_descends_with_its_default_options():
    assert set(cnn.LEARNING_RATES) == set(optimizers.OPTIMIZERS)
    for name in optimizers.OPTIMIZERS:
        options = Namespace(**optimizers.complete({"optimizer": name}, cnn.LEARNING_RATES))
        tx, params = optimizers.build(options), jnp.ones(2)
        updates, _ = tx.update(params, tx.init(params), params)
        assert jnp.all(jnp.asarray(updates) < 0), name


def test_divergence_ends_the_run_and_is_not_saved(train_cnn, tmp_path):
    status, _, errors = train_cnn("--learning-rate", 1e38, "--epochs", 2, "--out", "run")
    assert status == 1
    assert (
        "loss of epoch 1 is" in errors
        and "try --learning-rate 0.02 in a new folder; it had --learning-rate 1e+38" in errors
    )
    assert not (tmp_path / "run" / "checkpoints" / "11").exists()


def test_interrupt_says_how_to_resume(begin):
    status, _, errors = begin("--out", "my run")
    assert status == 130
    assert "python -m programs.train_cnn --out 'my run' --resume" in errors


def test_folders_are_numbered(begin):
    folders = [re.findall(r"--out (\S+)", begin()[2]) for _ in range(3)]
    assert folders == [["runs/cnn-001"], ["runs/cnn-002"], ["runs/cnn-003"]]


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
def test_nonsense_is_refused_in_one_line_and_nothing_is_touched(train_cnn, tmp_path, arguments, message):
    for folder, config in (("empty", None), ("thesis", '{"kind": "thesis"}'), ("broken", '{"kind": "cnn"')):
        (tmp_path / folder).mkdir()
        if config:
            (tmp_path / folder / "config.json").write_text(config)
    before = contents(tmp_path)
    status, _, errors = train_cnn(*arguments.split())
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
def test_options_that_contradict_the_run_are_refused(begin, train_cnn, tmp_path, arguments, message):
    begin("--epochs", "3", "--out", "run")
    before = contents(tmp_path)
    status, _, errors = train_cnn("--resume", "--out", "run", *arguments.split())
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
