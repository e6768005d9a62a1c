"""MaSS: Nesterov's method with a compensation term that keeps it fast under noise.

Liu & Belkin, https://arxiv.org/abs/1810.13395, with eta_1 the learning rate, kappa_m the memory and alpha in (0, 1) ::

    w_{k+1} = u_k - eta_1 g_k                                           base iterate
    u_{k+1} = (1 + gamma) w_{k+1} - gamma w_k + eta_2 g_k               params
    gamma = (1 - alpha) / (1 + alpha),   eta_2 = eta_1 (1 - 1 / kappa_m) / (1 + alpha)

eta_2 = 0 is Nesterov's method, which lacks this compensation term for stochastic gradients.
"""

from typing import Any

import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Rule, from_momentum_and_correction
from nag_optax.engine.restart import Restart
from nag_optax.scalars import scalar_at
from nag_optax.validation import check_number, number_or_schedule


def mass(
    learning_rate: optax.ScalarOrSchedule = 0.1,
    alpha: float = 0.05,
    kappa: float = 12.0,
    *,
    restart: Restart = None,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Momentum-added stochastic solver, with the defaults of the authors' code.

    Args:
      learning_rate: eta_1, at least 0.
      alpha: in (0, 1); 1 / sqrt(kappa kappa_m), kappa the condition number, as commonly stated.
      kappa: kappa_m, at least 1; 1 is Nesterov's method.
      restart, accumulator_dtype: see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp
    >>> from nag_optax import mass, nag
    >>> tx, peer, params = mass(0.1, alpha=0.05, kappa=1.0), nag(0.1, 0.95 / 1.05), jnp.array([1.0])
    >>> bool(tx.update(params, tx.init(params))[0] == peer.update(params, peer.init(params))[0])
    True
    """
    learning_rate = number_or_schedule("learning_rate", learning_rate, at_least=0)
    check_number("alpha", alpha, above=0, below=1)
    check_number("kappa", kappa, at_least=1)
    gamma = (1 - alpha) / (1 + alpha)
    compensation = (1 - 1 / kappa) / (1 + alpha)  # eta_2 / eta_1

    def numbers(count, age, carry):
        return from_momentum_and_correction(gamma, -compensation, scalar_at(learning_rate, count)), carry

    return accelerate(Rule(tuple, numbers), restart=restart, accumulator_dtype=accumulator_dtype)
