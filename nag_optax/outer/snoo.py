"""SNOO: step-K Nesterov outer optimizer.

Kallusky et al. (2025), https://arxiv.org/abs/2510.15830: Nesterov's momentum on the progress of any optimizer over K
updates. With w the slow weights and w_K the fast weights after K updates ::

    s <- w - w_K
    b <- mu b + s
    w <- w - eta (mu b + s)

It is `nag_optax.slow_weights` with `nag` outside, and DiLoCo on a single replica.
"""

import optax
from jax import Array

from nag_optax.methods.nag import nag
from nag_optax.momenta import Momentum, as_sequence
from nag_optax.outer.slow_weights import slow_weights
from nag_optax.renamed import renamed_arguments
from nag_optax.validation import number_or_schedule


@renamed_arguments(learning_rate="outer_learning_rate", momentum="outer_momentum")
def snoo(
    inner: optax.GradientTransformation,
    outer_learning_rate: optax.ScalarOrSchedule = 0.8,
    outer_momentum: Momentum = 0.75,
    *,
    period: int | Array = 100,
) -> optax.GradientTransformationExtraArgs:
    """SNOO around an inner optimizer, which keeps its own learning rate.

    Args:
      inner: the optimizer for every update.
      outer_learning_rate: eta, learning rate of the outer steps; at least 0, as in `nag`. A schedule counts outer
        steps.
      outer_momentum: mu, momentum of the outer steps, as in `nag`.
      period: K, updates between two outer steps, at least 1.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import snoo
    >>> tx = snoo(optax.sgd(1.0), outer_learning_rate=1.0, outer_momentum=0.5, period=1)
    >>> params = jnp.zeros(())
    >>> tx.update(jnp.ones(()), tx.init(params), params)[0]  # eta (mu b + s), with b = s
    Array(-1.5, dtype=float32)
    """
    return slow_weights(inner, outer_nag(outer_learning_rate, outer_momentum), period)


def outer_nag(
    outer_learning_rate: optax.ScalarOrSchedule, outer_momentum: Momentum
) -> optax.GradientTransformationExtraArgs:
    """`nag` outside, whose errors name the outer arguments."""
    rate = number_or_schedule("outer_learning_rate", outer_learning_rate, at_least=0)
    return nag(rate, as_sequence(outer_momentum, "outer_momentum"))
