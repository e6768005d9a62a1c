"""AccSGD: acceleration for least squares with noisy gradients.

Kidambi, Netrapalli, Jain & Kakade, https://arxiv.org/abs/1803.05591, after Jain et al.,
https://arxiv.org/abs/1704.08227. With c0 the small constant, kappa the long step and xi the advantage ::

    alpha = 1 - c0^2 xi / kappa,   beta = 1 - alpha,   zeta = c0 / (c0 + beta)
    w_{k+1} = alpha w_k + beta y_k - beta (lr kappa / c0) g_k
    y_{k+1} = zeta (y_k - lr g_k) + (1 - zeta) w_{k+1}

As coupled sequences, x is the short step and z = w: tau = 1 - zeta, mixing beta, a long step of c0 xi lr. Params are y,
the base iterate is x.
"""

from typing import Any

import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Rule, from_coupling
from nag_optax.engine.restart import Restart
from nag_optax.scalars import scalar_at
from nag_optax.validation import check_number, number_or_schedule


def acc_sgd(
    learning_rate: optax.ScalarOrSchedule,
    long_step: float = 1000.0,
    advantage: float = 10.0,
    small_constant: float = 0.7,
    *,
    restart: Restart = None,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Accelerated SGD of Kidambi et al., with the defaults of their code.

    Args:
      learning_rate: short step, at least 0.
      long_step: kappa, ratio of the long step to the short one; positive.
      advantage: xi, statistical advantage; at least 1; the authors advise at most sqrt(long_step).
      small_constant: c0, in (0, 1).
      restart, accumulator_dtype: see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp
    >>> from nag_optax import acc_sgd
    >>> tx = acc_sgd(0.1)
    >>> tx.update(jnp.array([1.0]), tx.init(jnp.array([0.0])))[0].round(4)  # the short step, and a little more
    Array([-0.1042], dtype=float32)
    """
    learning_rate = number_or_schedule("learning_rate", learning_rate, at_least=0)
    check_number("long_step", long_step, above=0)
    check_number("advantage", advantage, at_least=1)
    check_number("small_constant", small_constant, above=0, below=1)
    beta = small_constant**2 * advantage / long_step
    tau = beta / (small_constant + beta)

    def numbers(count, age, carry):
        rate = scalar_at(learning_rate, count)
        return from_coupling(tau, tau, beta, small_constant * advantage * rate, rate), carry

    return accelerate(Rule(tuple, numbers), restart=restart, accumulator_dtype=accumulator_dtype)
