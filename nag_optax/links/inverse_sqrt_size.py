"""A step-size rule that one popular article prints under the name of Nesterov's method ::

    theta <- theta - alpha G / sqrt(N)                          N the total number of parameters

It is gradient descent with another learning rate. Nothing is accumulated, nothing looks ahead, nothing is accelerated;
it is here so that the claim can be tried.
"""

import math

import jax
import optax


def scale_by_inverse_sqrt_size() -> optax.GradientTransformation:
    """Divides updates by the square root of the total number of parameters. A step-size rule and no acceleration.

    It stands before ``optax.sgd`` or `nag_optax.nag` in a chain; with a learning rate alpha it is the same as the
    learning rate alpha / sqrt(N).

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax.links import scale_by_inverse_sqrt_size
    >>> tx = optax.chain(scale_by_inverse_sqrt_size(), optax.sgd(1.0))
    >>> gradient = {"w": jnp.ones((3, 5)), "b": jnp.ones(1)}
    >>> tx.update(gradient, tx.init(gradient))[0]["b"]  # N = 16
    Array([-0.25], dtype=float32)
    """

    def update(updates, params):
        size = sum(u.size for u in jax.tree.leaves(updates))
        return jax.tree.map(lambda u: u / math.sqrt(size), updates)

    return optax.stateless(update)
