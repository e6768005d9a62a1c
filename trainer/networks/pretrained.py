"""VGG16 weights from a safetensors file of torchvision or timm, as params of `vgg16.VGG16`.

The layers are the same. PyTorch writes a convolution's kernel as [out, in, rows, columns], Flax as [rows, columns, in,
out]; a dense one as [out, in], Flax as [in, out]; and PyTorch flattens activations channel by channel.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import safetensors

from trainer.command_line import UsageError
from trainer.networks import vgg16

DENSE_NAMES = {
    "torchvision": ("classifier.0", "classifier.3", "classifier.6"),
    "timm": ("pre_logits.fc1", "pre_logits.fc2", "head.fc"),
}
NORM_NAMES = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}


class Source(NamedTuple):
    """Where an array comes from: the name of a tensor, its shape, and what to do with it."""

    name: str
    shape: tuple[int, ...]
    converted: Callable[[np.ndarray], np.ndarray]


def load(path: Path, params: Any, statistics: Any) -> tuple[Any, Any, bool]:
    """Params and statistics of a file, and whether its last layer was left out, as it has other classes.

    Args:
      path: the safetensors file.
      params: of the network, arrays or ``jax.ShapeDtypeStruct``; the last layer is taken from here if it is left out.
      statistics: of its normalisations.

    Raises:
      UsageError: if the file cannot be read, or is not of this network: by a tensor's name, shape, or their number.
    """
    sources, other_classes = check(path, params, statistics)
    with safetensors.safe_open(path, framework="np") as file:
        loaded = jax.tree.map(
            lambda old, source: old if source is None else source.converted(file.get_tensor(source.name)),
            (params, statistics),
            sources,
        )
    return *loaded, other_classes


def check(path: Path, params: Any, statistics: Any) -> tuple[Any, bool]:
    """The `Source` of every array of (params, statistics), None for those left out; and whether there are such.

    Only the file's header is read.
    """
    try:
        with safetensors.safe_open(path, framework="np") as file:
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
    except (OSError, safetensors.SafetensorError) as error:
        raise UsageError(f"argument --pretrained: {path} is no safetensors file that can be read: {error}") from None
    found = {name: shape for name, shape in found.items() if not name.endswith("num_batches_tracked")}
    layout = next((layout for layout, names in DENSE_NAMES.items() if f"{names[0]}.weight" in found), None)
    if layout is None:
        raise UsageError(
            f"argument --pretrained: {path} is no VGG16 of torchvision or timm: of its {len(found)} tensors none is "
            + " or ".join(f"{names[0]}.weight" for names in DENSE_NAMES.values())
        )
    sources = _sources(layout, params, statistics)
    last = sources[0]["dense"][2]
    classes = found.get(last["bias"].name, last["bias"].shape)
    other_classes = classes != last["bias"].shape
    if other_classes:
        found = {name: shape for name, shape in found.items() if not name.startswith(DENSE_NAMES[layout][2] + ".")}
        last.update(kernel=None, bias=None)
    _compare(path, {source.name: source.shape for source in jax.tree.leaves(sources, is_leaf=_is_source)}, found)
    return sources, other_classes


def _sources(layout, params, statistics):
    """The `Source` of every array, in the structure of (params, statistics)."""
    places, place = [], 0
    for feature in vgg16.FEATURES:
        if feature != vgg16.POOL:
            places.append(place)
            place += 2 if statistics else 1  # convolution, perhaps normalisation, rectifier
        place += 1

    def convolution(i, leaf, shape):
        name = f"features.{places[i]}"
        if leaf == "bias":
            return Source(f"{name}.bias", shape, np.asarray)
        rows, columns, inputs, outputs = shape
        return Source(f"{name}.weight", (outputs, inputs, rows, columns), lambda x: x.transpose(2, 3, 1, 0))

    def dense(i, leaf, shape):
        name = DENSE_NAMES[layout][i]
        if leaf == "bias":
            return Source(f"{name}.bias", shape, np.asarray)
        inputs, outputs = shape
        channels = params["convolutions"][len(places) - 1]["bias"].shape[0]
        grid = round((inputs / channels) ** 0.5) if i == 0 else 1
        as_convolution = (outputs, inputs // grid**2, grid, grid)
        written = as_convolution if layout == "timm" and i < 2 else (outputs, inputs)
        return Source(
            f"{name}.weight",
            written,
            lambda x: x.reshape(as_convolution).transpose(2, 3, 1, 0).reshape(inputs, outputs),
        )

    def norm(i, leaf, shape):
        return Source(f"features.{places[i] + 1}.{NORM_NAMES[leaf]}", shape, np.asarray)

    makers = {"convolutions": convolution, "dense": dense, "norms": norm}
    return tuple(
        {
            kind: {
                i: {leaf: makers[kind](i, leaf, tuple(x.shape)) for leaf, x in leaves.items()}
                for i, leaves in layers.items()
            }
            for kind, layers in tree.items()
        }
        for tree in (params, statistics)
    )


def _is_source(x: Any) -> bool:
    return isinstance(x, Source)


def _compare(path: Path, expected: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]]) -> None:
    """Raises a `UsageError` that names what differs."""
    problems = [f"{name} is missing" for name in expected if name not in found]
    problems += [f"{name} is unknown" for name in found if name not in expected]
    problems += [
        f"{name} has shape {list(found[name])}, not {list(shape)}"
        for name, shape in expected.items()
        if found.get(name, shape) != shape
    ]
    if problems:
        shown = "; ".join(problems[:3]) + ("; ..." if len(problems) > 3 else "")
        raise UsageError(
            f"argument --pretrained: {path} has {len(found)} tensors of another architecture than the {len(expected)} "
            f"of this network: {shown}. See --normalization, --width and --image-size"
        )
