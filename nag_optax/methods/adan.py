"""Adan: Nesterov's lookahead written with gradient differences, inside an adaptive method.

Xie, Zhou, Li, Lin & Yan, https://arxiv.org/abs/2208.06677, Algorithm 1, with the decays b of the authors' code (1 -
beta of the paper), its bias corrections, and g_{-1} = g_0 ::

    m_k     = b1 m_{k-1} + (1 - b1) g_k
    v_k     = b2 v_{k-1} + (1 - b2) (g_k - g_{k-1})
    n_k     = b3 n_{k-1} + (1 - b3) (g_k + b2 (g_k - g_{k-1}))^2
    theta   = (theta - learning_rate (m_k + b2 v_k) / (sqrt(n_k) + eps)) / (1 + learning_rate weight_decay)

The coefficient of the lookahead is b2 = 0.92; ``optax.adan`` takes 1 - b2. A mean of differences equals the difference
from a mean: with u_{k+1} = b2 u_k + (1 - b2) g_k from u_0 = g_0, b2 v_k = (1 - b2) (g_k - u_{k+1}). So m + b2 v is a
sum of two velocities of the engine. Evaluate it at params.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Coefficients, Rule
from nag_optax.engine.superpose import superpose
from nag_optax.links.root_mean_square import over_root_mean_square
from nag_optax.links.weight_decay import own_decay
from nag_optax.scalars import Scalar, scalar_at
from nag_optax.validation import check_number


def adan(
    learning_rate: optax.ScalarOrSchedule,
    b1: Scalar = 0.98,
    b2: Scalar = 0.92,
    b3: Scalar = 0.99,
    eps: Scalar = 1e-8,
    weight_decay: optax.ScalarOrSchedule | None = None,
    *,
    mask: Any | Callable[[Any], Any] | None = None,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Adaptive Nesterov momentum, with the paper's lookahead and its proximal weight decay.

    Args:
      learning_rate: at least 0; 1e-3 in the authors' code.
      b1: decay of the mean of gradients, in [0, 1).
      b2: decay of the mean of gradient differences and coefficient of the lookahead, in [0, 1).
      b3: decay of the mean of squares, in [0, 1). That mean is kept in float32 or better.
      eps: added to the root, positive.
      weight_decay: at least 0; params are divided by 1 + learning_rate * weight_decay.
      mask: which parameters decay, see `nag_optax.decayed`.
      accumulator_dtype: of both velocities, see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp
    >>> from nag_optax import adan
    >>> params = jnp.array([1.0])
    >>> tx = adan(0.1, weight_decay=0.5)
    >>> updates, _ = tx.update(jnp.array([2.0]), tx.init(params), params)
    >>> round(float(params[0] + updates[0]), 4)  # (1 - 0.1) / (1 + 0.1 * 0.5)
    0.8571
    """
    for name, decay in (("b1", b1), ("b2", b2), ("b3", b3)):
        check_number(name, decay, at_least=0, below=1)
    check_number("eps", eps, above=0)

    def at(rate: Any) -> optax.GradientTransformationExtraArgs:
        def mean(count, age, weight):
            weight = b1 * weight + (1 - b1)  # 1 - b1^{k+1}, the bias correction
            eta = scalar_at(rate, count)
            named = {"learning_rate": eta, "momentum": b1}
            return Coefficients(b1, 1 - b1, lead=eta / weight, step_size=0, readout=0, hyperparams=named), weight

        def mean_difference(count, age, weight):
            first, weight = age == 0, b2 * weight + (1 - b2)
            c = scalar_at(rate, count) * (1 - b2) / weight
            decay, gain = jnp.where(first, 0, b2), jnp.where(first, 1, 1 - b2)
            return Coefficients(decay, gain, -c, step_size=c, readout=0, hyperparams={"momentum": decay}), weight

        velocities = (
            accelerate(Rule(lambda: 0.0, numbers), accumulator_dtype=accumulator_dtype)
            for numbers in (mean, mean_difference)
        )
        return over_root_mean_square(superpose(*velocities), b3, eps, lookahead=b2)

    return own_decay(at, learning_rate, weight_decay, mask, proximal=True)
