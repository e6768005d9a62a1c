"""NAdam: Nesterov's momentum inside Adam, with its published momentum schedule.

Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016, counting updates from t = 1 ::

    mu_t  = b1 (1 - 0.96^(momentum_decay t) / 2)
    m_t   = b1 m_{t-1} + (1 - b1) g_t                       n_t = b2 n_{t-1} + (1 - b2) g_t^2
    d_t   = mu_{t+1} m_t / (1 - mu_1 ... mu_{t+1}) + (1 - mu_t) g_t / (1 - mu_1 ... mu_t)
    theta = theta - learning_rate d_t / (sqrt(n_t / (1 - b2^t)) + eps)

This is the form of ``torch.optim.NAdam``. ``optax.nadam`` has no schedule; Keras leaves out the 0.004. Five numbers per
step define the direction d. Evaluate it at params.
"""

from collections.abc import Callable
from typing import Any

import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Coefficients, Rule
from nag_optax.links.root_mean_square import over_root_mean_square
from nag_optax.links.weight_decay import own_decay
from nag_optax.momenta import dozat
from nag_optax.scalars import Scalar, increment, pair_at, scalar_at
from nag_optax.validation import check_number


def nadam(
    learning_rate: optax.ScalarOrSchedule,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    *,
    momentum_decay: Scalar = 0.004,
    weight_decay: optax.ScalarOrSchedule | None = None,
    mask: Any | Callable[[Any], Any] | None = None,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """NAdam with Dozat's momentum schedule.

    Args:
      learning_rate: at least 0; PyTorch's default is 2e-3.
      b1: final momentum, in [0, 1).
      b2: decay of the mean of squared gradients, in [0, 1). That mean is kept in float32 or better.
      eps: added to the root, positive.
      momentum_decay: speed of the momentum's warm-up, at least 0; psi in the paper.
      weight_decay, mask: decoupled weight decay, see `nag_optax.decayed`.
      accumulator_dtype: of m, see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp
    >>> from nag_optax import nadam
    >>> tx = nadam(0.1)
    >>> tx.update(jnp.array([2.0]), tx.init(jnp.array([0.0])))[0].round(4)  # more than the 0.1 of Adam's first step
    Array([-0.1056], dtype=float32)
    """
    check_number("b2", b2, at_least=0, below=1)
    check_number("eps", eps, above=0)
    check_number("momentum_decay", momentum_decay, at_least=0)
    momentum = dozat(b1, momentum_decay)

    def at(rate: Any) -> optax.GradientTransformationExtraArgs:
        def numbers(count, age, product):
            (mu, mu_next), eta = pair_at(momentum, increment(age)), scalar_at(rate, count)
            product = product * mu
            c = Coefficients(
                decay=b1,
                gain=1 - b1,
                lead=eta * mu_next / (1 - product * mu_next),
                step_size=eta * (1 - mu) / (1 - product),
                readout=0,
                hyperparams={"learning_rate": eta, "momentum": mu},
            )
            return c, product

        direction = accelerate(Rule(lambda: 1.0, numbers), accumulator_dtype=accumulator_dtype)
        return over_root_mean_square(direction, b2, eps)

    return own_decay(at, learning_rate, weight_decay, mask)
