"""OGM, the optimized gradient method: half the worst case of Nesterov's method, at the same cost.

Kim & Fessler, https://arxiv.org/abs/1406.5468, Algorithm OGM1, with L the smoothness ::

    x_{k+1} = y_k - (1/L) g_k
    y_{k+1} = x_{k+1} + beta (x_{k+1} - x_k) + gamma (x_{k+1} - y_k)
    beta = (theta_k - 1) / theta_{k+1},   gamma = theta_k / theta_{k+1}
    theta_{k+1} = (1 + sqrt(1 + 4 theta_k^2)) / 2,   theta_0 = 1

Params are y, the base iterate is x. As coupled sequences: tau_k = 1 / theta_k and a long step of 2 theta_k / L. The
paper takes its last step with another theta, (1 + sqrt(1 + 8 theta_{N-1}^2)) / 2, so it needs the number of steps in
advance. That point is a combination of params and buffer, so you can read it out after any step: output "last_step".
"""

from typing import Any

import jax.numpy as jnp
import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Rule, from_coupling
from nag_optax.engine.restart import Restart
from nag_optax.scalars import scalar_at
from nag_optax.validation import number_or_schedule


def ogm(
    learning_rate: optax.ScalarOrSchedule, *, restart: Restart = None, accumulator_dtype: Any = None
) -> optax.GradientTransformationExtraArgs:
    """The optimized gradient method for smooth convex functions.

    With R = |x_0 - x*|, after N gradients ``eval_params(state, params, output="last_step")`` has
    f - f* <= L R^2 / (2 theta^2), theta that of the last step; no first-order method has a smaller worst case.

    Args:
      learning_rate: 1 / L; at least 0.
      restart, accumulator_dtype: see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import eval_params, ogm
    >>> params = jnp.array([1.0])
    >>> tx = ogm(1.0)
    >>> updates, state = tx.update(params, tx.init(params), params)  # one gradient of x^2 / 2
    >>> eval_params(state, optax.apply_updates(params, updates), output="last_step")  # f = 1/8, the worst case
    Array([-0.5], dtype=float32)
    """
    learning_rate = number_or_schedule("learning_rate", learning_rate, at_least=0)
    return accelerate(ogm_rule(learning_rate), restart=restart, accumulator_dtype=accumulator_dtype)


def ogm_rule(learning_rate: optax.ScalarOrSchedule) -> Rule:
    """OGM in five numbers."""

    def numbers(count, age, theta):
        rate = scalar_at(learning_rate, count)
        theta_next, theta_last = ((1 + jnp.sqrt(1 + c * theta**2)) / 2 for c in (4, 8))
        coefficients = from_coupling(1 / theta, 1 / theta_next, 0, 2 * theta * rate, rate)
        return coefficients.with_output("last_step", 1 / theta_next - 1 / theta_last), theta_next

    return Rule(lambda: 1.0, numbers)
