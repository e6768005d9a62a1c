"""EMA-Nesterov: Nesterov's step around any optimizer.

https://arxiv.org/abs/2605.25395, with A one step of the inner optimizer, and u its update ::

    y_k     = x_k + beta_k m_k                              params, where the gradient is taken
    x_{k+1} = A(y_k) = y_k + u_k                            base iterate
    m_{k+1} = decay m_k + (1 - decay) (x_{k+1} - x_k)       the mean of the last steps

decay = 0 is Nesterov's own step, y = x + beta (x - x_previous). Five numbers on inner updates, as in
`primal_averaging` ::

    m      <- (decay + (1 - decay) beta_k) m + (1 - decay) u
    params <- params + beta_{k+1} m + u
    base iterate = params - beta_{k+1} m

With a constant beta, params are those of `nag_optax.gpa` around the inner optimizer at learning rate / (1 - beta), with
mu_x = decay + (1 - decay) beta and mu_y = beta; the base iterates differ.
"""

from typing import Any

import optax

from nag_optax.averaging.average import around
from nag_optax.engine.coefficients import Coefficients, Rule
from nag_optax.scalars import Scalar, pair_at
from nag_optax.validation import check_number, number_or_schedule


def ema_nesterov(
    inner: optax.GradientTransformation,
    lookahead: optax.ScalarOrSchedule,
    decay: Scalar = 0.99,
    *,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Nesterov's step around any optimizer, whatever it does inside; it adds one buffer.

    Args:
      inner: the optimizer, with its own learning rate, momentum and maps, such as `nag_optax.muon`.
      lookahead: beta in [-1, 1): a number, or an Optax schedule of the update, counted from 0; below 0 it looks back.
        In the runs that it comes from: 0.6 times the learning rate over its largest, from 15 % to 76 % of the training,
        otherwise 0.
      decay: of the mean of steps, in [0, 1).
      accumulator_dtype: see `nag_optax.accelerate`; float32 for bfloat16 params.

    Returns:
      A gradient transformation. Params are y; `nag_optax.eval_params` returns x.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import ema_nesterov, eval_params
    >>> tx, params = ema_nesterov(optax.sgd(1.0), lookahead=0.5, decay=0.0), jnp.zeros(())
    >>> updates, state = tx.update(jnp.ones(()), tx.init(params), params)
    >>> updates, eval_params(state, params + updates)  # x = -1, and half of that step ahead
    (Array(-1.5, dtype=float32), Array(-1., dtype=float32))
    """
    lookahead = number_or_schedule("lookahead", lookahead, at_least=-1, below=1)
    check_number("decay", decay, at_least=0, below=1)

    def numbers(count, age, carry):
        beta, beta_next = pair_at(lookahead, count)
        c = Coefficients(
            decay=decay + (1 - decay) * beta,
            gain=1 - decay,
            lead=-beta_next,
            step_size=-1,
            readout=-beta_next,
            hyperparams={"lookahead": beta},
        )
        return c, carry

    return around(inner, Rule(tuple, numbers), accumulator_dtype)
