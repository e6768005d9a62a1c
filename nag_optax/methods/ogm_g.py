"""OGM-G: minimises the gradient norm in a given number of steps.

Kim & Fessler, https://arxiv.org/abs/1803.06600, with L the smoothness and N the horizon, backwards ::

    theta_N = 1,   theta_k = (1 + sqrt(1 + 4 theta_{k+1}^2)) / 2,   theta_0 = (1 + sqrt(1 + 8 theta_1^2)) / 2

As coupled sequences: tau_k = 1 - (theta_{k+1} / theta_k)^4 with tau_0 = 1 and tau_N = 1, and a long step of theta_k /
L, (theta_0 + 1) / (2 L) the first time. That is OGM run backwards, its H-dual (`nag_optax.theory.h_dual`). Params are
y; the guarantee holds for them after N gradients.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Rule, from_coupling
from nag_optax.methods.ogm import ogm_rule
from nag_optax.scalars import scalar_at
from nag_optax.theory.dual import dual_coupling
from nag_optax.validation import check_integer, number_or_schedule


def ogm_g(
    learning_rate: optax.ScalarOrSchedule, horizon: int, *, accumulator_dtype: Any = None
) -> optax.GradientTransformationExtraArgs:
    """The optimized gradient method for small gradients: |grad f(y_N)|^2 <= 2 L (f(y_0) - f*) / theta_0^2, exact.

    Args:
      learning_rate: 1 / L; at least 0.
      horizon: N, the number of updates, at least 1. Further updates are plain gradient steps; outside ``jax.jit``, they
        raise an error.
      accumulator_dtype: see `nag_optax.accelerate`.

    Raises:
      ValueError: in an eager ``update``, after ``horizon`` updates.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import ogm_g
    >>> params = jnp.array([1.0])
    >>> tx = ogm_g(1.0, horizon=1)
    >>> updates, state = tx.update(params, tx.init(params), params)  # one gradient of x^2 / 2
    >>> optax.apply_updates(params, updates)  # |g|^2 = 1/4 = 2 (1/2) / theta_0^2, the worst case
    Array([-0.5], dtype=float32)
    """
    return small_gradients(_dual_of_ogm, learning_rate, horizon, accumulator_dtype)


def small_gradients(
    coupling: Callable[[int], np.ndarray], learning_rate: optax.ScalarOrSchedule, horizon: int, accumulator_dtype: Any
) -> optax.GradientTransformationExtraArgs:
    """A method that ends with a small gradient.

    Args:
      coupling: ``coupling(horizon)``, its steps as coupled sequences at learning rate 1, see `dual_coupling`.
      learning_rate, horizon, accumulator_dtype: as in `ogm_g`.
    """
    learning_rate = number_or_schedule("learning_rate", learning_rate, at_least=0)
    check_integer("horizon", horizon, at_least=1)
    beyond = [[1.0, 0.0, 1.0, 1.0]]  # the plain step, from an empty buffer to an empty buffer
    table = np.concatenate([coupling(horizon), beyond])

    def numbers(count, age, carry):
        if not isinstance(count, Tracer) and int(count) >= horizon:
            raise ValueError(
                f"horizon must be at least the number of updates, got {horizon} and update {int(count) + 1}."
            )
        rate = scalar_at(learning_rate, count)
        tau, tau_next, long_step, step = jnp.asarray(table)[jnp.minimum(count, horizon)]
        return from_coupling(tau, tau_next, 0, long_step * rate, step * rate), carry

    return accelerate(Rule(tuple, numbers), accumulator_dtype=accumulator_dtype)


@functools.cache
def _dual_of_ogm(horizon: int) -> np.ndarray:
    return dual_coupling(ogm_rule(1.0), horizon, "last_step")
