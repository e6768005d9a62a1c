"""A step-size rule that one popular article prints under the name of Nesterov's method ::

    theta <- theta - alpha G / sqrt(N)                          N the total number of parameters

It is gradient descent with another learning rate, without velocity, lookahead or acceleration; it is here so that you
can test the claim.
"""

import math

import jax
import optax


def scale_by_inverse_sqrt_size() -> optax.GradientTransformation:
    """Divides updates by the square root of the total number of parameters: a step-size rule, not an acceleration.

    Put it before ``optax.sgd`` or `nag_optax.nag` in a chain; with a learning rate alpha it equals the learning rate
    alpha / sqrt(N).

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
