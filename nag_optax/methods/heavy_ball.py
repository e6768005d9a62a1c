"""The heavy ball: momentum without lookahead.

Polyak, Some methods of speeding up the convergence of iteration methods, 1964 ::

    x_{k+1} = x_k - alpha grad f(x_k) + beta (x_k - x_{k-1})

Params and base iterate are the same point x. It is fast on quadratics but not globally convergent: on a function of
Lessard, Recht & Packard (https://arxiv.org/abs/1408.3595, section 4.6) it cycles for ever.
"""

from typing import Any

import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Coefficients, Rule
from nag_optax.engine.restart import Restart
from nag_optax.scalars import scalar_at
from nag_optax.validation import number_or_schedule


def heavy_ball(
    learning_rate: optax.ScalarOrSchedule,
    momentum: optax.ScalarOrSchedule = 0.9,
    *,
    restart: Restart = None,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Polyak's heavy ball; each step keeps its own learning rate, as in ``nag(lookahead=0, velocity="step")``.

    Args:
      learning_rate: alpha, at least 0; 4 / (sqrt(L) + sqrt(mu))^2 is optimal on quadratics.
      momentum: beta, in [0, 1); ((sqrt(kappa) - 1) / (sqrt(kappa) + 1))^2 is optimal on quadratics.
      restart, accumulator_dtype: see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp
    >>> from nag_optax import heavy_ball
    >>> tx = heavy_ball(0.1, 0.5)
    >>> updates, state = tx.update(jnp.array([1.0]), tx.init(jnp.array([0.0])))
    >>> tx.update(jnp.array([1.0]), state)[0]  # -0.1 - 0.5 * 0.1
    Array([-0.15], dtype=float32)
    """
    learning_rate = number_or_schedule("learning_rate", learning_rate, at_least=0)
    momentum = number_or_schedule("momentum", momentum, at_least=0, below=1)

    def numbers(count, age, carry):
        beta, alpha = scalar_at(momentum, count), scalar_at(learning_rate, count)
        named = {"learning_rate": alpha, "momentum": beta}
        return Coefficients(decay=beta, gain=alpha, lead=1, step_size=0, readout=0, hyperparams=named), carry

    return accelerate(Rule(tuple, numbers), restart=restart, accumulator_dtype=accumulator_dtype)
