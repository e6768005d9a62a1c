"""Matrices, a network that has some, and a run of an optimizer on it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nag_optax import maps
from nag_optax.maps import MatrixAxes

RNG = np.random.default_rng(0)


def normal(*shape, dtype=jnp.float32):
    return jnp.asarray(RNG.standard_normal(shape), dtype)


def run(tx, params, gradients):
    """Params after each update."""
    state, points = tx.init(params), []
    update = jax.jit(tx.update)
    for gradient in gradients:
        updates, state = update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        points.append(params)
    return points, state


NETWORK = {
    "embed": {"embedding": normal(50, 8)},
    "layers": {"kernel": normal(3, 8, 16), "bias": normal(3, 16), "norm": {"scale": jnp.ones((3, 8))}},
    "dense": {"kernel": normal(8, 16), "bias": normal(16)},
    "head": {"kernel": normal(16, 50)},
}


def axes(path, leaf):
    return MatrixAxes(1, 2) if path == "['layers']['kernel']" else maps.hidden_matrices(path, leaf)
