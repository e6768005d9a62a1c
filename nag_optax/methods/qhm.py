"""QHM, quasi-hyperbolic momentum: an average of a gradient step and a momentum step.

Ma & Yarats, https://arxiv.org/abs/1810.06801, Algorithm 1, with momentum beta ::

    m_{k+1} = beta m_k + (1 - beta) g_k
    y_{k+1} = y_k - alpha ((1 - nu) g_k + nu m_{k+1})

Every rule of five constant numbers with decay other than 1 is QHM with some (alpha, beta, nu): Nesterov's method with
learning rate eps and momentum mu is QHM with alpha = eps / (1 - mu) and nu = beta = mu. QHM has no base iterate of its
own; evaluate it at params.
"""

from typing import Any

import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Coefficients, Rule
from nag_optax.engine.restart import Restart
from nag_optax.scalars import scalar_at
from nag_optax.validation import number_or_schedule


def qhm(
    learning_rate: optax.ScalarOrSchedule,
    momentum: optax.ScalarOrSchedule = 0.999,
    nu: optax.ScalarOrSchedule = 0.7,
    *,
    restart: Restart = None,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Quasi-hyperbolic momentum.

    Args:
      learning_rate: alpha, at least 0. The momentum is dampened: the equivalent rate for ``optax.sgd`` is (1 -
        momentum) alpha.
      momentum: beta, in [0, 1).
      nu: weight of the momentum step: 0 is gradient descent, 1 is dampened momentum; at least 0.
      restart, accumulator_dtype: see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp
    >>> from nag_optax import qhm
    >>> tx = qhm(1.0, momentum=0.9, nu=0.7)
    >>> tx.update(jnp.array([1.0]), tx.init(jnp.array([0.0])))[0]  # -(0.3 + 0.7 * 0.1)
    Array([-0.37], dtype=float32)
    """
    learning_rate = number_or_schedule("learning_rate", learning_rate, at_least=0)
    momentum = number_or_schedule("momentum", momentum, at_least=0, below=1)
    nu = number_or_schedule("nu", nu, at_least=0)

    def numbers(count, age, carry):
        alpha, beta, weight = (scalar_at(x, count) for x in (learning_rate, momentum, nu))
        coefficients = Coefficients(
            decay=beta,
            gain=1 - beta,
            lead=alpha * weight,
            step_size=alpha * (1 - weight),
            readout=0,
            hyperparams={"learning_rate": alpha, "momentum": beta},
        )
        return coefficients, carry

    return accelerate(Rule(tuple, numbers), restart=restart, accumulator_dtype=accumulator_dtype)
