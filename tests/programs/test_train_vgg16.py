"""VGG16 as a user trains it: the network of PyTorch, its weights, a folder of images, and runs that are killed."""

import csv
import functools
import json
import shutil
from argparse import Namespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.support.killing import finish, kill_when

pytest.importorskip("flax.nnx")
pytest.importorskip("grain")
pytest.importorskip("orbax.checkpoint")
pytest.importorskip("PIL.Image")
pytest.importorskip("safetensors.numpy")

import PIL.Image
import safetensors.numpy as safetensors_numpy

from trainer.command_line import UsageError
from trainer.data import image_folder, image_loader
from trainer.image_classifier.options import complete
from trainer.image_classifier.training import first_state, make_optimizer, make_step
from trainer.networks import pretrained, vgg16
from trainer.parallel import data_parallel

TRAIN_VGG16 = ("-m", "programs.train_vgg16")

SMALL = ("--width", "0.04", "--image-size", "32", "--batch-size", "8", "--normalization", "batch", "--threads", "2")
SMALL += ("--warmup-epochs", "1", "--dropout", "0.2", "--learning-rate", "0.01")


def write_pictures(folder, classes=("blue", "green", "red"), count=24, size=40):
    """Noise around a colour for each class."""
    rng = np.random.default_rng(0)
    for name, colour in zip(classes, np.eye(3)[::-1], strict=False):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = 100 * colour + rng.integers(0, 100, (size, size + i % 5, 3))
            PIL.Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{i:02}.png")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "pictures"
    write_pictures(folder / "train")
    write_pictures(folder / "val", count=5)
    return folder


@pytest.fixture
def ran(call):
    """Exit status, stdout and stderr of a command line."""
    return functools.partial(call, "train_vgg16")


# The network.


def random_weights(batch_norm=False, width=1 / 16, classes=1000, grid=7):
    """Tensors with the names and shapes of torchvision's VGG16."""
    rng, tensors, place, inputs = np.random.default_rng(0), {}, 0, 3
    for feature in vgg16.FEATURES:
        if feature == vgg16.POOL:
            place += 1
            continue
        outputs = vgg16.scaled(feature, width)
        tensors[f"features.{place}.weight"] = rng.normal(0, (2 / 9 / inputs) ** 0.5, (outputs, inputs, 3, 3))
        tensors[f"features.{place}.bias"] = rng.normal(0, 0.1, outputs)
        if batch_norm:
            for leaf in ("weight", "bias", "running_mean", "running_var"):
                tensors[f"features.{place + 1}.{leaf}"] = rng.uniform(0.5, 1.5, outputs)
            tensors[f"features.{place + 1}.num_batches_tracked"] = np.array(7)
        place, inputs = place + 2 + batch_norm, outputs
    dense = vgg16.scaled(vgg16.DENSE, width)
    for i, (n, m) in zip((0, 3, 6), ((inputs * grid**2, dense), (dense, dense), (dense, classes)), strict=True):
        tensors[f"classifier.{i}.weight"] = rng.normal(0, n**-0.5, (m, n))
        tensors[f"classifier.{i}.bias"] = rng.normal(0, 0.1, m)
    return {k: v if v.ndim == 0 else v.astype(np.float32) for k, v in tensors.items()}


def as_timm(tensors):
    """The same weights as timm names and shapes them."""
    renamed = dict(tensors)
    for ours, theirs in zip(pretrained.DENSE_NAMES["torchvision"], pretrained.DENSE_NAMES["timm"], strict=True):
        weight, bias = renamed.pop(f"{ours}.weight"), renamed.pop(f"{ours}.bias")
        if ours != "classifier.6":
            side = 7 if ours == "classifier.0" else 1
            weight = weight.reshape(len(weight), -1, side, side)
        renamed |= {f"{theirs}.weight": weight, f"{theirs}.bias": bias}
    return renamed


@pytest.mark.parametrize(
    ("batch_norm", "width", "size"), [(False, 1.0, 224), (True, 1 / 16, 64), (False, 1 / 16, 256), (False, 1 / 16, 100)]
)
def test_logits_are_those_of_pytorch(batch_norm, width, size, tmp_path):
    torch = pytest.importorskip("torch")
    layers, inputs = [], 3
    for feature in vgg16.FEATURES:
        if feature == vgg16.POOL:
            layers.append(torch.nn.MaxPool2d(2, 2))
            continue
        outputs = vgg16.scaled(feature, width)
        norm = [torch.nn.BatchNorm2d(outputs)] if batch_norm else []
        layers += [torch.nn.Conv2d(inputs, outputs, 3, padding=1), *norm, torch.nn.ReLU()]
        inputs = outputs
    dense = vgg16.scaled(vgg16.DENSE, width)
    rectified = (torch.nn.ReLU(), torch.nn.Dropout())

    class Torch(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.features = torch.nn.Sequential(*layers)
            first = (torch.nn.Linear(inputs * 49, dense), *rectified)
            self.classifier = torch.nn.Sequential(
                *first, torch.nn.Linear(dense, dense), *rectified, torch.nn.Linear(dense, 1000)
            )

        def forward(self, x):
            return self.classifier(torch.nn.functional.adaptive_avg_pool2d(self.features(x), 7).flatten(1))

    tensors = random_weights(batch_norm, width)
    theirs = Torch().eval()
    theirs.load_state_dict({name: torch.from_numpy(np.asarray(x)) for name, x in tensors.items()})
    images = np.random.default_rng(1).normal(size=(2, size, size, 3)).astype(np.float32)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(images.transpose(0, 3, 1, 2))).numpy()

    safetensors_numpy.save_file(tensors, tmp_path / "vgg16.safetensors")
    graph, *of_ours = vgg16.create(0, 1000, width=width, batch_norm=batch_norm)
    params, statistics, other = pretrained.load(tmp_path / "vgg16.safetensors", *of_ours)
    logits, _ = jax.jit(vgg16.apply, static_argnums=0)(graph, params, statistics, images)
    assert not other and np.std(expected) > 0.1
    np.testing.assert_allclose(logits, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("batch_norm", [False, True])
def test_timm_and_torchvision_give_the_same_params(batch_norm, tmp_path):
    tensors, loaded = random_weights(batch_norm), []
    _, *of_ours = vgg16.create(0, 1000, width=1 / 16, batch_norm=batch_norm)
    for name, renamed in (("torchvision", tensors), ("timm", as_timm(tensors))):
        safetensors_numpy.save_file(renamed, tmp_path / name)
        loaded.append(pretrained.load(tmp_path / name, *of_ours)[:2])
    jax.tree.map(np.testing.assert_array_equal, *loaded)
    assert jax.tree.structure(loaded[0]) == jax.tree.structure(tuple(of_ours))
    assert jax.tree.map(jnp.shape, loaded[0]) == jax.tree.map(jnp.shape, tuple(of_ours))


def test_a_last_layer_of_other_classes_stays_random(tmp_path):
    safetensors_numpy.save_file(random_weights(), tmp_path / "weights")
    _, params, statistics = vgg16.create(0, 5, width=1 / 16)
    loaded, _, other = pretrained.load(tmp_path / "weights", params, statistics)
    assert other
    jax.tree.map(np.testing.assert_array_equal, loaded["dense"][2], params["dense"][2])
    assert not np.array_equal(loaded["dense"][1]["kernel"], params["dense"][1]["kernel"])


def changed(**changes):
    tensors = random_weights() | changes
    return {name: x for name, x in tensors.items() if x is not None}


WRONG_WEIGHTS = [
    (lambda: {"conv1.weight": np.ones(3, np.float32)}, "is no VGG16 of torchvision or timm: of its 1 tensors none is"),
    (lambda: random_weights(batch_norm=True), "of another architecture than the 32 of this network"),
    (lambda: random_weights(width=1 / 8), "features.0.weight has shape [8, 3, 3, 3], not [4, 3, 3, 3]"),
    (lambda: changed(**{"features.28.bias": None}), "features.28.bias is missing"),
    (lambda: changed(extra=np.ones(1, np.float32)), "extra is unknown"),
]


@pytest.mark.parametrize(("tensors", "message"), WRONG_WEIGHTS)
def test_weights_of_another_architecture_are_refused(tensors, message, tmp_path):
    safetensors_numpy.save_file(tensors(), tmp_path / "weights")
    _, *of_ours = vgg16.create(0, 1000, width=1 / 16)
    with pytest.raises(UsageError) as error:
        pretrained.load(tmp_path / "weights", *of_ours)
    assert message in str(error.value)


# The images.


def test_a_folder_with_train_and_val_and_one_without(pictures):
    folder = image_folder.scan(pictures)
    assert folder.classes == ["blue", "green", "red"] and len(folder.train) == 72 and len(folder.test) == 15
    split = image_folder.scan(pictures / "train")
    assert split == image_folder.scan(pictures / "train")
    assert len(split.train) == 57 and len(split.test) == 15 and not {*split.train} & {*split.test}
    assert {*split.train, *split.test} == {*folder.train}


def empty(folder):
    shutil.rmtree(folder / "train")
    shutil.rmtree(folder / "val")


BAD_FOLDERS = [
    (lambda f: shutil.rmtree(f), "is not a folder"),
    (empty, "has no images: it takes <class>/<image>"),
    (lambda f: shutil.rmtree(f / "val"), "has a folder train, but none of the name val"),
    (lambda f: shutil.rmtree(f / "val" / "green"), "val lacks the class green"),
    (lambda f: shutil.rmtree(f / "train" / "green"), "train lacks the class green"),
    (lambda f: [p.unlink() for p in (f / "val" / "red").iterdir()], "val has no images of the class red"),
    (lambda f: [shutil.rmtree(f / n / c) for n in ("train", "val") for c in ("red", "green")], "has one class, blue"),
]


@pytest.mark.parametrize(("spoil", "message"), BAD_FOLDERS)
def test_bad_folders_are_refused_in_one_line_and_nothing_is_made(spoil, message, pictures, tmp_path, ran):
    data = tmp_path / "data"
    shutil.copytree(pictures, data)
    spoil(data)
    assert ran("--data", data, "--out", tmp_path / "run")[0] == 2
    errors = ran("--data", data, "--out", tmp_path / "run")[2]
    assert message in errors and errors.count("\n") == 1 and not (tmp_path / "run").exists()


def test_a_stream_is_set_back_to_the_bit_and_differs_from_epoch_to_epoch(pictures):
    images = image_folder.scan(pictures).train
    augmentation = image_loader.Augmentation(0.3, 0.5)
    stream = image_loader.Loader(32, 8, 3).train(images, 5, augmentation)
    first = [next(stream) for _ in range(9)]
    place = json.loads(json.dumps(stream.get_state()))
    second = [next(stream) for _ in range(9)]
    other = image_loader.Loader(32, 8, 1).train(images, 5, augmentation)
    other.set_state(place)
    jax.tree.map(np.testing.assert_array_equal, second, [next(other) for _ in range(9)])
    labels = [np.concatenate([labels for _, labels in epoch]) for epoch in (first, second)]
    assert np.array_equal(*map(np.bincount, labels)) and not np.array_equal(*labels)
    assert first[0][0].shape == (8, 32, 32, 3) and first[0][0].dtype == np.float32


def test_testing_shows_every_image_once(pictures):
    batches = list(image_loader.Loader(32, 8, 2).test(image_folder.scan(pictures).test))
    assert [pixels.shape for pixels, _ in batches] == [(8, 32, 32, 3)] * 2
    assert np.array_equal(np.bincount(np.concatenate([labels for _, labels in batches]) + 1), [1, 5, 5, 5])


def test_a_corrupt_image_is_named_once_and_left_out(pictures, tmp_path, capfd):
    shutil.copytree(pictures, tmp_path / "data")
    whole = tmp_path / "data" / "train" / "red" / "00.png"
    whole.write_bytes(whole.read_bytes()[:200])
    images = image_folder.scan(tmp_path / "data").train
    loader = image_loader.Loader(32, 8, 2)
    stream = loader.train(images, 0, image_loader.Augmentation(1.0, 0.0))
    counts = sum(np.bincount(next(stream)[1], minlength=3) for _ in range(71))  # 568 = 8 times around 71 images
    assert np.array_equal(counts, [192, 192, 184])
    assert loader.corrupt == {str(whole)}
    assert capfd.readouterr().err.count(f"Left out {whole}, which cannot be decoded") == 1
    with pytest.raises(UsageError, match=r"00\.png cannot be decoded"):
        list(image_loader.Loader(32, 8, 2, stop_at_corrupt=True).test(images))


def test_images_that_are_all_corrupt_end_the_stream(pictures, tmp_path):
    def spoiled(place):
        paths = [tmp_path / place / "red" / f"{i}.png" for i in range(3)]
        paths[0].parent.mkdir(parents=True)
        for path in paths:
            path.write_bytes(b"")
        return [image_folder.Image(str(path), 0) for path in paths]

    loader, augmentation = image_loader.Loader(32, 2, 1), image_loader.Augmentation(1.0, 0.0)
    with pytest.raises(UsageError, match=r"none of the 3 images in .*val can be decoded"):
        list(loader.test(spoiled("val")))
    training = spoiled("train")
    with pytest.raises(UsageError, match=r"none of the 3 images in .*train can be decoded"):
        next(loader.train(training, 0, augmentation))
    one_more = [*training, image_folder.scan(pictures).train[0]]
    pixels, _ = next(loader.train(one_more, 0, augmentation))  # the same picture twice
    assert len(loader.corrupt) == 6 and pixels.shape == (2, 32, 32, 3)


# The training.


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
