"""VGG16 as a user trains it: runs that are killed and resumed, FSDP, fine-tuning, and nonsense."""

import csv
import functools
import shutil
from argparse import Namespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

pytest.importorskip("flax.nnx")
pytest.importorskip("grain")
pytest.importorskip("orbax.checkpoint")
pytest.importorskip("PIL.Image")
pytest.importorskip("safetensors.numpy")

import safetensors.numpy as safetensors_numpy

from tests.support.killing import finish, kill_when
from tests.support.vgg16 import random_weights
from trainer.image_classifier.options import complete
from trainer.image_classifier.training import first_state, make_optimizer, make_step
from trainer.networks import vgg16
from trainer.parallel import data_parallel

TRAIN_VGG16 = ("-m", "programs.train_vgg16")

SMALL = ("--width", "0.04", "--image-size", "32", "--batch-size", "8", "--normalization", "batch", "--threads", "2")
SMALL += ("--warmup-epochs", "1", "--dropout", "0.2", "--learning-rate", "0.01")


@pytest.fixture
def ran(call):
    """Exit status, stdout and stderr of a command line."""
    return functools.partial(call, "train_vgg16")


def rows(folder):
    """The table, without what depends on the machine's pace."""
    with (folder / "metrics.csv").open() as file:
        return [row[:-3] for row in csv.reader(file)]


def test_killed_within_an_epoch_and_resumed_is_the_undisturbed_run(start, pictures, tmp_path):
    options = (*SMALL, "--data", pictures, "--epochs", 2, "--save-every", 4, "--accumulate", 3, "--flip", 0.5)
    whole = start(tmp_path, *TRAIN_VGG16, *options, "--out", "whole")
    process = start(tmp_path, *TRAIN_VGG16, *options, "--out", "killed")
    kill_when(process, tmp_path / "killed" / "checkpoints" / "4")
    assert "Test accuracy" in finish(whole)
    shown = finish(start(tmp_path, *TRAIN_VGG16, "--resume", "--out", "killed"))
    assert "from the checkpoint of step" in shown
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")
    made = {path.name for path in (tmp_path / "killed").iterdir()}
    assert made == {"config.json", "metrics.csv", "curves.png", "confusion.png", "tensorboard", "checkpoints"}
    assert rows(tmp_path / "whole")[0][:4] == ["epoch", "train_loss", "test_loss", "test_accuracy"]


def test_digits_are_the_data_of_those_who_have_none(start, tmp_path):
    shown = finish(start(tmp_path, *TRAIN_VGG16, "--epochs", 2, "--out", "run"))
    assert "digits: VGG16 x 0.125, 32x32" in shown
    assert float(rows(tmp_path / "run")[2][3]) > 0.5
    assert len(list((tmp_path / "run" / "digits").rglob("*.png"))) == 1797


def state_of(pictures, **given):
    """(step, state, batch, trees) of a training on the eight devices, before the first step."""
    options = {"data": str(pictures), "width": 1 / 16, "image_size": 32, "batch_size": 16, "dropout": 0.0} | given
    options = Namespace(**complete(options))
    tx = make_optimizer(options, steps_per_epoch=4)
    graph, state = first_state(options, tx)
    step = jax.jit(make_step(graph, tx, options))
    rng = np.random.default_rng(0)
    batch = (rng.normal(size=(16, 32, 32, 3)).astype(np.float32), rng.integers(0, 3, 16))
    return step, state, jax.device_put(batch, data_parallel.shardings()[1])


def test_fsdp_splits_params_and_state_and_trains_the_same(pictures):
    ends = {}
    for sharding in ("data", "fsdp"):
        step, state, batch = state_of(pictures, sharding=sharding, normalization="batch", warmup_epochs=0)
        kernel = state.params["dense"][1]["kernel"]
        momentum = optax.tree.get(state.opt_state, "momentum")["dense"][1]["kernel"]
        assert kernel.sharding == momentum.sharding and kernel.is_fully_replicated == (sharding == "data")
        state, _ = step(state, jax.random.key(0), *batch)
        state, (loss, _) = step(state, jax.random.key(0), *batch)
        ends[sharding] = jax.device_get((state.params, state.statistics, loss))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4), *ends.values())


def test_fine_tuning_leaves_the_features_alone_in_bfloat16(pictures, tmp_path):
    safetensors_numpy.save_file(random_weights(grid=1), tmp_path / "weights")
    step, state, batch = state_of(
        pictures, pretrained=str(tmp_path / "weights"), fine_tune=True, precision="bfloat16", warmup_epochs=0
    )
    after, (loss, _) = step(state, jax.random.key(0), *batch)
    jax.tree.map(np.testing.assert_array_equal, after.params["convolutions"], state.params["convolutions"])
    assert all(np.any(after.params["dense"][i]["kernel"] != state.params["dense"][i]["kernel"]) for i in range(3))
    assert np.isfinite(loss) and after.params["dense"][0]["kernel"].dtype == jnp.float32


def test_dropout_and_statistics_belong_to_training_only(pictures):
    graph, params, statistics = vgg16.create(0, 3, width=1 / 16, grid=1, batch_norm=True, dropout=0.5)
    images = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype(np.float32)
    logits, same = vgg16.apply(graph, params, statistics, images)
    np.testing.assert_array_equal(logits, vgg16.apply(graph, params, statistics, images)[0])
    jax.tree.map(np.testing.assert_array_equal, same, statistics)
    (a, seen), (b, _) = (vgg16.apply(graph, params, statistics, images, jax.random.key(k)) for k in range(2))
    assert np.any(a != b)
    assert all(np.any(x != y) for x, y in zip(*map(jax.tree.leaves, (seen, statistics)), strict=True))


NONSENSE = [
    ("--width 0", "argument --width: must be a finite number above 0, got 0"),
    ("--image-size 31", "argument --image-size: must be an integer at least 32, got 31"),
    ("--batch-size 80", "argument --batch-size: must be at most 72, the images to train on, got 80"),
    ("--batch-size 9", "argument --batch-size: must be a multiple of the 8 devices, got 9"),
    ("--epochs 2 --warmup-epochs 2", "argument --warmup-epochs: must be below the 2 epochs, got 2"),
    ("--fine-tune", "argument --fine-tune: needs --pretrained"),
    ("--fine-tune maybe", "argument --fine-tune: must be true or false, got maybe"),
    ("--pretrained missing.safetensors", "missing.safetensors is no safetensors file that can be read"),
    ("--normalization layer", "argument --normalization: invalid choice: 'layer'"),
    ("--optimizer gd --momentum 0.5", "argument --momentum: not an option of gd"),
    ("--resume --out nowhere", "nowhere is not a folder"),
]


@pytest.mark.parametrize(("arguments", "message"), NONSENSE)
def test_nonsense_is_refused_in_one_line(arguments, message, pictures, tmp_path, monkeypatch, ran):
    monkeypatch.chdir(tmp_path)
    status, _, errors = ran("--data", pictures, "--batch-size", 8, *arguments.split())
    assert status == 2 and message in errors and errors.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_model_or_of_other_images_is_refused_and_kept(pictures, tmp_path, ran):
    data = tmp_path / "data"
    shutil.copytree(pictures, data)
    options = ("--data", data, "--epochs", 1, "--warmup-epochs", 0, "--out", tmp_path / "run")
    assert ran(*SMALL, *options)[0] == 0
    config = tmp_path / "run" / "config.json"
    options = config.read_text()
    config.write_text(options.replace('"width": 0.04', '"width": 0.08'))
    before = (tmp_path / "run" / "metrics.csv").read_bytes()
    status, _, errors = ran("--resume", "--out", tmp_path / "run")
    assert status == 2 and errors.count("\n") == 1
    assert (
        "is no checkpoint of this model: params.convolutions.0.bias has float32[3] there and float32[5] here" in errors
    )
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == before
    status, _, errors = ran("--resume", "--out", tmp_path / "run", "--epochs", 5)
    assert status == 2 and "--epochs: 5 contradicts the run" in errors

    config.write_text(options)
    (data / "train" / "red" / "00.png").rename(data / "train" / "blue" / "99.png")
    status, _, errors = ran("--resume", "--out", tmp_path / "run")
    assert status == 2 and errors.count("\n") == 1 and "the data have changed since" in errors
    assert "train/blue had 24 images (" in errors and "has 25 images (" in errors and "train/red" in errors
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == before
    (data / "train" / "blue" / "99.png").rename(data / "train" / "red" / "00.png")
    log = next((tmp_path / "run" / "tensorboard").iterdir())
    status, printed, _ = ran("--resume", "--out", tmp_path / "run")  # of a run that is complete
    assert status == 0 and "from the checkpoint of step 9" in printed and "Test accuracy" in printed
    (new_log,) = (tmp_path / "run" / "tensorboard").iterdir()
    assert new_log != log and new_log.stat().st_size > 300
