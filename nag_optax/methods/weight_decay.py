"""Decoupled weight decay: shrink the parameters beside the method, not through its velocity.

Loshchilov & Hutter, Decoupled weight decay regularization, https://arxiv.org/abs/1711.05101 ::

    params <- params + update - learning_rate_k * weight_decay * params

The update comes with its learning rate applied, so this link is the one that knows the learning rate a second time.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.hyperparameters import counter, hyperparameter_dtype, increment, scalar_at


class WeightDecayState(NamedTuple):
    """Attributes:
    step: updates so far, int32; drives the learning-rate schedule.
    """

    step: Array


def decoupled_weight_decay(
    learning_rate: optax.ScalarOrSchedule,
    weight_decay: optax.ScalarOrSchedule,
    mask: Any | Callable[[Any], Any] | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Subtracts ``learning_rate * weight_decay * params`` from finished updates, where ``mask`` (a pytree of booleans
    or a function of params) says so.
    """

    def init(params):
        return WeightDecayState(step=jnp.zeros((), jnp.int32))

    def update(updates, state, params=None, **extra):
        if params is None:
            raise ValueError("weight_decay needs params: call update(gradients, state, params).")
        step = counter(state.step, hyperparameter_dtype(params))
        factor = scalar_at(learning_rate, step) * scalar_at(weight_decay, step)
        updates = jax.tree.map(lambda u, p: (u - factor * p).astype(u.dtype), updates, params)
        return updates, WeightDecayState(step=increment(state.step))

    transformation = optax.GradientTransformationExtraArgs(init, update)
    return transformation if mask is None else optax.masked(transformation, mask)
