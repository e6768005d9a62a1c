"""AGNES: accelerated gradient descent with noisy estimators, for multiplicative noise of any size.

Gupta, Siegel & Wojtowytsch, https://arxiv.org/abs/2302.05515 ::

    y_k     = x_k + alpha v_k                                           params
    x_{k+1} = y_k - eta g_k                                             base iterate
    v_{k+1} = rho_k (v_k - g_k)

Nesterov's method is alpha = eta. Gradient noise with E|g - grad f|^2 <= sigma^2 |grad f|^2 requires a smaller alpha:
Nesterov's method accelerates only for sigma < 1, AGNES for any sigma.
"""

from typing import Any

import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Coefficients, Rule
from nag_optax.engine.restart import Restart
from nag_optax.momenta import Momentum, as_sequence
from nag_optax.scalars import Scalar, pair_at, scalar_at
from nag_optax.validation import check_convexity, check_number, number_or_schedule


def agnes(
    learning_rate: optax.ScalarOrSchedule = 1e-3,
    correction: optax.ScalarOrSchedule = 0.1,
    momentum: Momentum = 0.99,
    *,
    restart: Restart = None,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """AGNES, with the defaults of the authors' code; `agnes_constants` returns the constants of the theory.

    Args:
      learning_rate: alpha, at least 0.
      correction: eta, at least 0.
      momentum: rho, in [0, 1): a number, a schedule or a sequence of the updates since the last restart.
      restart, accumulator_dtype: see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp
    >>> from nag_optax import agnes, agnes_constants
    >>> tx = agnes(**agnes_constants(smoothness=1.0, strong_convexity=0.25, noise=3.0))
    >>> tx.update(jnp.array([1.0]), tx.init(jnp.array([0.0])))[0].round(4)  # a tenth, where Nesterov's step is 1.33
    Array([-0.1048], dtype=float32)
    """
    learning_rate = number_or_schedule("learning_rate", learning_rate, at_least=0)
    correction = number_or_schedule("correction", correction, at_least=0)
    sequence = as_sequence(momentum)

    def numbers(count, age, carry):
        rho, _, carry = sequence.values(age, carry)
        (alpha, alpha_next), eta = pair_at(learning_rate, count), scalar_at(correction, count)
        named = {"learning_rate": alpha, "momentum": rho}
        return Coefficients(rho, gain=rho, lead=alpha_next, step_size=eta, readout=alpha_next, hyperparams=named), carry

    return accelerate(Rule(sequence.init, numbers), restart=restart, accumulator_dtype=accumulator_dtype)


def agnes_constants(smoothness: Scalar, strong_convexity: Scalar, noise: Scalar) -> dict[str, Scalar]:
    """The arguments of `agnes` for strongly convex functions, as in the authors' code.

    Args:
      smoothness: L, positive.
      strong_convexity: mu, positive and below L.
      noise: sigma, at least 0, with E|g - grad f|^2 <= sigma^2 |grad f|^2.

    >>> from nag_optax import agnes_constants
    >>> agnes_constants(smoothness=1.0, strong_convexity=0.25, noise=0.0)  # without noise, Nesterov's
    {'learning_rate': 1.0, 'correction': 1.0, 'momentum': 0.3333333333333333}
    """
    check_convexity(smoothness, strong_convexity)
    check_number("noise", noise, at_least=0)
    root, scale = (strong_convexity / smoothness) ** 0.5, 1 + noise**2
    eta = 1 / (smoothness * scale)
    return {
        "learning_rate": eta * (1 - root) / (1 - root + noise**2),
        "correction": eta,
        "momentum": (scale - root) / (scale + root),
    }
