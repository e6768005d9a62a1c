"""Lion: the sign of a Nesterov momentum.

Chen et al., https://arxiv.org/abs/2302.06675, Algorithm 2 ::

    c       = b1 m_k + (1 - b1) g_k
    m_{k+1} = b2 m_k + (1 - b2) g_k
    y_{k+1} = y_k - learning_rate sign(c)

Its c is a combination of m_{k+1} and g_k: Nesterov's method with momentum b2, and with a lookahead of (b2 - b1) / (b2
(1 - b2)), which is 9.1 by default. Five numbers and a map; evaluate it at params.
"""

from collections.abc import Callable
from typing import Any

import optax

from nag_optax.engine.coefficients import Coefficients, Rule
from nag_optax.links.weight_decay import own_decay
from nag_optax.maps.mapped import mapped
from nag_optax.maps.sign import sign
from nag_optax.scalars import Scalar
from nag_optax.validation import check_number


def lion(
    learning_rate: optax.ScalarOrSchedule,
    b1: Scalar = 0.9,
    b2: Scalar = 0.99,
    *,
    weight_decay: optax.ScalarOrSchedule | None = 1e-3,
    mask: Any | Callable[[Any], Any] | None = None,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Lion: ``optax.lion``, in float32 and float64 to the bit, but for the rounding of a decay, of a direction that
    cancels, and NaN from infinite gradients.

    Args:
      learning_rate: at least 0; about a tenth of Adam's.
      b1: weight of the velocity in the direction, in [0, 1).
      b2: decay of the velocity, in (0, 1).
      weight_decay, mask: decoupled weight decay, see `nag_optax.decayed`; about ten times Adam's.
      accumulator_dtype: of m, see `nag_optax.accelerate`.

    Returns:
      A gradient transformation. There is no base iterate behind a sign: `nag_optax.eval_params` refuses.

    >>> import jax.numpy as jnp
    >>> from nag_optax import lion
    >>> tx = lion(0.1, weight_decay=None)
    >>> tx.update(jnp.array([3.0, -0.001]), tx.init(jnp.zeros(2)))[0]
    Array([-0.1,  0.1], dtype=float32)
    """
    check_number("b1", b1, at_least=0, below=1)
    check_number("b2", b2, above=0, below=1)

    def numbers(count, age, carry):
        c = Coefficients(
            decay=b2, gain=1 - b2, lead=b1 / b2, step_size=1 - b1 / b2, readout=0, hyperparams={"momentum": b2}
        )
        return c, carry

    rule = Rule(tuple, numbers)
    return own_decay(lambda rate: mapped(rule, sign(), rate, accumulator_dtype), learning_rate, weight_decay, mask)
