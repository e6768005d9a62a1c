"""Signum: the sign of a momentum, with Nesterov's lookahead on request.

Bernstein et al., https://arxiv.org/abs/1802.04434, Algorithm 2 ::

    m_{k+1} = mu m_k + (1 - mu) g_k
    y_{k+1} = y_k - learning_rate sign(m_{k+1})

With a lookahead of 1, the sign is that of Nesterov's direction, mu m_{k+1} + (1 - mu) g_k: Lion with b1 = mu^2 and b2 =
mu. Five numbers and a map; evaluate it at params.
"""

from collections.abc import Callable
from typing import Any

import optax

from nag_optax.links.weight_decay import own_decay
from nag_optax.maps.mapped import mapped
from nag_optax.maps.sign import sign
from nag_optax.methods.nag import nag_rule
from nag_optax.momenta import Momentum


def signum(
    learning_rate: optax.ScalarOrSchedule,
    momentum: Momentum = 0.9,
    *,
    lookahead: optax.ScalarOrSchedule = 0.0,
    weight_decay: optax.ScalarOrSchedule | None = None,
    mask: Any | Callable[[Any], Any] | None = None,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Signum.

    Args:
      learning_rate: at least 0.
      momentum: mu in [0, 1), as in `nag_optax.nag`; the velocity is a mean of gradients.
      lookahead: at least 0, as in `nag_optax.nag`; 0 is the paper's method, 1 that of Nesterov.
      weight_decay, mask: decoupled weight decay, see `nag_optax.decayed`.
      accumulator_dtype: of m, see `nag_optax.accelerate`.

    Returns:
      A gradient transformation. There is no base iterate behind a sign: `nag_optax.eval_params` refuses.

    >>> import jax.numpy as jnp
    >>> from nag_optax import signum
    >>> tx = signum(0.1)
    >>> tx.update(jnp.array([3.0, -0.001]), tx.init(jnp.zeros(2)))[0]
    Array([-0.1,  0.1], dtype=float32)
    """
    rule = nag_rule(1.0, momentum, lookahead, "mean")
    return own_decay(lambda rate: mapped(rule, sign(), rate, accumulator_dtype), learning_rate, weight_decay, mask)
