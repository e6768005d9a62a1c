"""Weight decay beside the method, not through its velocity.

With eta_k the learning rate and lambda_k the weight decay, behind a finished update ::

    decoupled     params <- params + update - eta_k lambda_k params
    proximal      params <- (params + update) / (1 + eta_k lambda_k)

The first is Loshchilov & Hutter's, https://arxiv.org/abs/1711.05101; the second is the implicit step of the same
decay, stable for any strength, and Adan's, https://arxiv.org/abs/2208.06677. The update comes with its learning rate
applied, so this link is the one that knows the learning rate a second time.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.hyperparameters import Scalar, counter, hyperparameter_dtype, increment, scalar_at
from nag_optax.validation import check_number


class WeightDecayState(NamedTuple):
    """Attributes:
    step: updates so far, int32; drives the learning-rate schedule.
    """

    step: Array


def with_decoupled_weight_decay(
    method: optax.GradientTransformationExtraArgs,
    learning_rate: optax.ScalarOrSchedule,
    weight_decay: optax.ScalarOrSchedule,
    mask: Any | Callable[[Any], Any] | None,
) -> optax.GradientTransformationExtraArgs:
    """The method, with decoupled weight decay where ``mask`` (a pytree of booleans or a function of params) says so;
    the method itself for a static 0.

    Raises:
      TypeError: if ``weight_decay`` is no number.
      ValueError: if it is negative.
    """
    return _with_decay(method, learning_rate, weight_decay, mask, lambda u, p, shrink: u - shrink * p)


def with_proximal_weight_decay(
    method: optax.GradientTransformationExtraArgs,
    learning_rate: optax.ScalarOrSchedule,
    weight_decay: optax.ScalarOrSchedule,
    mask: Any | Callable[[Any], Any] | None,
) -> optax.GradientTransformationExtraArgs:
    """The method, with proximal weight decay; arguments and errors as in `with_decoupled_weight_decay`."""
    return _with_decay(method, learning_rate, weight_decay, mask, lambda u, p, shrink: (u - shrink * p) / (1 + shrink))


def _with_decay(
    method: optax.GradientTransformationExtraArgs,
    learning_rate: optax.ScalarOrSchedule,
    weight_decay: optax.ScalarOrSchedule,
    mask: Any,
    decayed: Callable[[Array, Array, Scalar], Array],
) -> optax.GradientTransformationExtraArgs:
    check_number("weight_decay", weight_decay, at_least=0)
    if isinstance(weight_decay, int | float) and weight_decay == 0:
        return method

    def init(params):
        return WeightDecayState(step=jnp.zeros((), jnp.int32))

    def update(updates, state, params=None, **extra):
        if params is None:
            raise ValueError("weight_decay needs params: call update(gradients, state, params).")
        step = counter(state.step, hyperparameter_dtype(params))
        shrink = scalar_at(learning_rate, step) * scalar_at(weight_decay, step)
        updates = jax.tree.map(lambda u, p: decayed(u, p, shrink).astype(u.dtype), updates, params)
        return updates, WeightDecayState(step=increment(state.step))

    link = optax.GradientTransformationExtraArgs(init, update)
    return optax.chain(method, link if mask is None else optax.masked(link, mask))
