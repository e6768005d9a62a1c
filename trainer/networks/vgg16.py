"""VGG16 with `flax.nnx` (Simonyan & Zisserman, https://arxiv.org/abs/1409.1556): images [N, H, W, 3] to logits.

Thirteen convolutions and three dense layers, as in torchvision: the names of the layers count along `FEATURES` and
`CLASSIFIER` as its do. Widths can be multiplied; batch normalisation and dropout are optional.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

POOL = 0
FEATURES = (64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL, 512, 512, 512, POOL, 512, 512, 512, POOL)
DENSE = 4096
GRID = 7
"""Rows and columns of the last activations of a 224x224 image."""


class VGG16(nnx.Module):
    """The network.

    Args:
      classes: how many logits.
      width: what all widths are multiplied by; they are rounded up to whole numbers.
      grid: rows and columns that the last activations are averaged to, 7 for images of 224x224 and 1 for 32x32.
      batch_norm: whether every convolution is followed by a normalisation, which then has the bias.
      dropout: share of the dense activations that training leaves out.
      dtype: of the computation; params are float32.
      rngs: for the random beginning.
    """

    def __init__(
        self,
        classes: int,
        *,
        width: float = 1.0,
        grid: int = GRID,
        batch_norm: bool = False,
        dropout: float = 0.5,
        dtype: Any = jnp.float32,
        rngs: nnx.Rngs,
    ):
        options = {"dtype": dtype, "rngs": rngs, "kernel_init": nnx.initializers.he_normal()}
        widths = [scaled(w, width) for w in FEATURES if w]
        self.convolutions = nnx.List(nnx.Conv(*of, (3, 3), **options) for of in zip([3, *widths], widths, strict=False))
        self.norms = nnx.List(nnx.BatchNorm(w, momentum=0.9, dtype=dtype, rngs=rngs) for w in widths if batch_norm)
        dense = scaled(DENSE, width)
        self.dense = nnx.List(
            nnx.Linear(*of, **options) for of in ((widths[-1] * grid**2, dense), (dense, dense), (dense, classes))
        )
        self.grid, self.dropout = grid, nnx.Dropout(dropout)

    def __call__(self, images: Array, key: Array | None = None) -> Array:
        """Logits [N, classes], float32. With a ``key``, as in training: dropout is drawn from it, and batches are
        normalised by their own statistics, which are remembered.
        """
        x, layer = images, 0
        for feature in FEATURES:
            if feature == POOL:
                x = nnx.max_pool(x, (2, 2), (2, 2))
                continue
            x = self.convolutions[layer](x)
            if self.norms:
                x = self.norms[layer](x, use_running_average=key is None)
            x = nnx.relu(x)
            layer += 1
        x = averaged(x, self.grid).reshape(len(x), -1)
        for i, dense in enumerate(self.dense):
            x = dense(x)
            if i < len(self.dense) - 1:
                rngs = None if key is None else nnx.Rngs(dropout=jax.random.fold_in(key, i))
                x = self.dropout(nnx.relu(x), deterministic=key is None, rngs=rngs)
        return x.astype(jnp.float32)


def scaled(channels: int, width: float) -> int:
    """A width, multiplied."""
    return max(1, round(channels * width))


def averaged(x: Array, grid: int) -> Array:
    """Means over a grid of regions, [N, grid, grid, C]: PyTorch's adaptive average pooling.

    Args:
      x: activations [N, H, W, C].
      grid: rows and columns.
    """
    if x.shape[1:3] == (grid, grid):
        return x
    rows, columns = (_shares(size, grid).astype(x.dtype) for size in x.shape[1:3])
    return jnp.einsum("ih,jw,nhwc->nijc", rows, columns, x)


def _shares(size: int, grid: int) -> Array:
    """How much each of ``size`` pixels counts in each of ``grid`` means, [grid, size]."""
    i, pixel = jnp.arange(grid)[:, None], jnp.arange(size)
    inside = (pixel >= i * size // grid) & (pixel < -((i + 1) * size // -grid))
    return inside / inside.sum(axis=1, keepdims=True)


def create(seed: int, classes: int, **options: Any):
    """(graph definition, params, statistics of the normalisations): the network as a function and two pytrees."""
    model = VGG16(classes, **options, rngs=nnx.Rngs(seed))
    graph, params, statistics = nnx.split(model, nnx.Param, nnx.BatchStat)
    return graph, nnx.to_pure_dict(params), nnx.to_pure_dict(statistics)


def apply(graph, params, statistics, images: Array, key: Array | None = None):
    """Logits and the next statistics; `VGG16.__call__` has the shapes."""
    model = nnx.merge(graph, params, statistics)
    logits = model(images, key)
    return logits, nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))
