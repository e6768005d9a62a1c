"""Linear coupling of gradient and mirror descent, with the Euclidean mirror map.

Allen-Zhu & Orecchia, https://arxiv.org/abs/1407.1537 ::

    y_k     = tau_k z_k + (1 - tau_k) x_k                   tau_k = 2 / (k + 2)
    x_{k+1} = y_k - g_k / L
    z_{k+1} = z_k - alpha_{k+1} g_k                         alpha_{k+1} = (k + 2) / (2 L)

Params are y, the base iterate is x. It equals ``nag`` with ``momenta.polynomial(2)``, up to rounding.
"""

from typing import Any

import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Rule, from_coupling
from nag_optax.engine.restart import Restart
from nag_optax.scalars import as_float, scalar_at
from nag_optax.validation import number_or_schedule


def linear_coupling(
    learning_rate: optax.ScalarOrSchedule, *, restart: Restart = None, accumulator_dtype: Any = None
) -> optax.GradientTransformationExtraArgs:
    """Linear coupling for smooth convex functions: f(x_N) - f* <= 2 L R^2 / ((N + 2) (N + 3)), numerically exact.

    Args:
      learning_rate: 1 / L; at least 0.
      restart, accumulator_dtype: see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp
    >>> from nag_optax import linear_coupling
    >>> tx = linear_coupling(1.0)
    >>> tx.update(jnp.array([1.0]), tx.init(jnp.array([0.0])))[0]  # the first step is a gradient step
    Array([-1.], dtype=float32)
    """
    learning_rate = number_or_schedule("learning_rate", learning_rate, at_least=0)

    def numbers(count, age, carry):
        rate, k = scalar_at(learning_rate, count), as_float(age)
        return from_coupling(2 / (k + 2), 2 / (k + 3), 0, rate * (k + 2) / 2, rate), carry

    return accelerate(Rule(tuple, numbers), restart=restart, accumulator_dtype=accumulator_dtype)
