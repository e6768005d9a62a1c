"""Schedule-Free: averaging instead of a decaying learning rate.

Defazio et al. (2024), https://arxiv.org/abs/2405.15682, eq. (3)-(5), around any optimizer, with u its updates ::

    y_k     = (1 - b) z_k + b x_k
    z_{k+1} = z_k + u(y_k)
    x_{k+1} = (1 - c_{k+1}) x_k + c_{k+1} z_{k+1},      c_{k+1} = w_k / sum_{i <= k} w_i
    w_k     = (k + 1)^r (largest learning rate so far)^p

It is `primal_averaging` with mu_k = 1 - c_k: with a constant learning rate mu_k = (k - 1) / k, a momentum that grows
like Nesterov's.
"""

from typing import Any

import jax.numpy as jnp
import optax

from nag_optax.averaging.primal_averaging import primal_averaging
from nag_optax.momenta import MomentumSequence
from nag_optax.scalars import as_float, scalar_at
from nag_optax.validation import check_number, number_or_schedule


def schedule_free(
    inner: optax.GradientTransformation,
    learning_rate: optax.ScalarOrSchedule,
    interpolation: float = 0.9,
    *,
    weight_power: float = 0.0,
    learning_rate_power: float = 2.0,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Schedule-Free averaging around an inner optimizer.

    Args:
      inner: the optimizer, with its learning rate and without momentum: ``optax.sgd(lr)``,
        ``optax.adamw(lr, b1=0)``.
      learning_rate: the learning rate of ``inner``, a number or its schedule, usually a warm-up, at least 0; used only
        to weight the average.
      interpolation: b in [0, 1], the papers' beta.
      weight_power: r, at least 0.
      learning_rate_power: p, at least 0.
      accumulator_dtype: see `nag_optax.accelerate`.

    Returns:
      A gradient transformation. Params are y; `nag_optax.eval_params` returns x, the point to evaluate.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import eval_params, schedule_free
    >>> tx = schedule_free(optax.sgd(1.0), learning_rate=1.0)
    >>> params = jnp.zeros(())
    >>> state = tx.init(params)
    >>> for _ in range(3):  # z = -1, -2, -3
    ...     updates, state = tx.update(jnp.ones(()), state, params)
    ...     params = optax.apply_updates(params, updates)
    >>> eval_params(state, params).round(5)  # their mean
    Array(-2., dtype=float32)
    """
    learning_rate = number_or_schedule("learning_rate", learning_rate, at_least=0)
    check_number("weight_power", weight_power, at_least=0)
    check_number("learning_rate_power", learning_rate_power, at_least=0)

    def init():
        return 0.0, 0.0, 0.0  # mu_0, sum of weights, largest learning rate

    def values(age, carry):
        momentum, total, largest = carry
        rate = jnp.asarray(scalar_at(learning_rate, age))
        largest = jnp.maximum(largest, jnp.where(rate >= 0, rate, jnp.nan))  # or the average would stand still, unseen
        weight = (as_float(age) + 1) ** weight_power * largest**learning_rate_power
        total_next = total + weight
        momentum_next = jnp.where(total_next == 0, 1, total / jnp.where(total_next == 0, 1, total_next))
        return momentum, momentum_next, (momentum_next, total_next, largest)

    return primal_averaging(inner, MomentumSequence(init, values), interpolation, accumulator_dtype=accumulator_dtype)
