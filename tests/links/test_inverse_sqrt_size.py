"""A step-size rule that is sometimes printed under Nesterov's name."""

import chex
import jax.numpy as jnp
import optax

from nag_optax.links import scale_by_inverse_sqrt_size


def test_inverse_sqrt_size_is_a_step_size_rule():
    gradients = {"w": jnp.ones((4, 6)), "b": jnp.ones(1)}
    scaled = optax.chain(scale_by_inverse_sqrt_size(), optax.sgd(0.5))
    plain = optax.sgd(0.5 / 5)
    chex.assert_trees_all_close(
        scaled.update(gradients, scaled.init(gradients))[0], plain.update(gradients, plain.init(gradients))[0]
    )
