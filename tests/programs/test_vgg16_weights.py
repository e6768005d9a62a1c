"""The network VGG16: that of PyTorch, and its published weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("flax.nnx")
pytest.importorskip("grain")
pytest.importorskip("orbax.checkpoint")
pytest.importorskip("PIL.Image")
pytest.importorskip("safetensors.numpy")

import safetensors.numpy as safetensors_numpy

from tests.support.vgg16 import random_weights
from trainer.command_line import UsageError
from trainer.networks import pretrained, vgg16


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
