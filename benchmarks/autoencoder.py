"""The deep autoencoder of Sutskever et al. (2013) on images of curves, which are generated here.

784-400-200-100-50-25-6 units and back: logistic ones, but for the linear code. An image shows a smooth curve through
three random points, so that six numbers are what there is to know of it.

References:
  Hinton & Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 2006: curves and network.
  Martens, Deep learning via Hessian-free optimization, ICML 2010, section 5: the sparse initialisation.
  Sutskever, Martens, Dahl & Hinton, On the importance of initialization and momentum in deep learning, ICML 2013.
"""

import functools
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

SIDE = 28
SIZES = (SIDE * SIDE, 400, 200, 100, 50, 25, 6)
TRAIN_SIZE = 20_000
CONNECTIONS = 15  # that come into a unit at the beginning
PEN = 0.8  # pixels


@functools.cache
def curves() -> np.ndarray:
    """Images [20,000, 784] with values in [0, 1]."""
    points = jax.random.uniform(jax.random.key(0), (TRAIN_SIZE, 3, 2), minval=3.0, maxval=SIDE - 4.0)
    return np.asarray(jax.jit(lambda p: jax.lax.map(drawn, p, batch_size=100))(points))


def drawn(points: Array) -> Array:
    """The parabola that passes three points at times 0, 1/2 and 1, as an image [784]."""
    t = jnp.linspace(0, 1, 96)[:, None]
    path = 2 * (t - 0.5) * (t - 1) * points[0] - 4 * t * (t - 1) * points[1] + 2 * t * (t - 0.5) * points[2]
    near = jnp.exp(-((jnp.arange(SIDE)[:, None, None] - path) ** 2) / (2 * PEN**2))  # [pixel, time, axis]
    return jnp.max(near[:, None, :, 0] * near[None, :, :, 1], axis=-1).reshape(-1)


def init(seed: int) -> list[dict[str, Array]]:
    """Weights [in, out] and biases of the twelve layers; every unit listens to 15 units, through weights of N(0, 1)."""
    sizes = (*SIZES, *reversed(SIZES[:-1]))
    keys = jax.random.split(jax.random.key(seed), len(sizes) - 1)
    return [_layer(key, *of) for key, of in zip(keys, pairwise(sizes), strict=True)]


def _layer(key: Array, inputs: int, outputs: int) -> dict[str, Array]:
    which, how_much = jax.random.split(key)
    order = jax.vmap(lambda k: jax.random.permutation(k, inputs), out_axes=1)(jax.random.split(which, outputs))
    weights = jnp.where(order < CONNECTIONS, jax.random.normal(how_much, (inputs, outputs)), 0)
    return {"weights": weights, "biases": jnp.zeros(outputs)}


def reconstructed(params: list[dict[str, Array]], images: Array) -> Array:
    """What comes out, [N, 784]."""
    x = images
    for i, layer in enumerate(params):
        x = x @ layer["weights"] + layer["biases"]
        x = x if i == len(SIZES) - 2 else jax.nn.sigmoid(x)
    return x


def squared_error(params: list[dict[str, Array]], images: Array) -> Array:
    """Summed over the pixels, in the mean over images."""
    return jnp.sum((reconstructed(params, images) - images) ** 2, axis=-1).mean()
