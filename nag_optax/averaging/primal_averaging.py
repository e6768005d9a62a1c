"""Primal averaging: Nesterov acceleration of any optimizer.

An inner optimizer moves one of three sequences ::

    y_k     = (1 - b) z_k + b x_k                       params, where the gradient is taken
    z_{k+1} = z_k + inner(gradient at y_k)              output "z"
    x_{k+1} = mu_{k+1} x_k + (1 - mu_{k+1}) z_{k+1}     base iterate

with the interpolation b in [0, 1]. Like every method here, it is one buffer and five numbers. Eliminating x and z, with
u the inner updates ::

    m      <- mu_k m + u
    params <- params + (1 - mu_{k+1}) b m + (1 - b) u
    base iterate = params - (1 - b) mu_{k+1} m

So the inner updates replace the gradient. With plain gradient descent inside and mu = b this is Nesterov's method with
learning rate (1 - mu) times the inner learning rate. The weights are computed in float32 or better, whatever the dtype
of the parameters: an average over many steps needs more digits than bfloat16 has.
"""

from typing import Any

import optax

from nag_optax.averaging.average import around
from nag_optax.engine.coefficients import Coefficients, Rule
from nag_optax.momenta import Momentum, as_sequence
from nag_optax.validation import check_number


def primal_averaging(
    inner: optax.GradientTransformation,
    momentum: Momentum,
    interpolation: float,
    *,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Nesterov acceleration of any optimizer by averaging its iterates; it adds one buffer.

    Args:
      inner: the optimizer to accelerate, with its own learning rate. Its momentum, if any, should be off
        (``optax.adamw(..., b1=0)``): the averages replace it.
      momentum: mu_k in [0, 1), the decay of the average x: a number, an Optax schedule or a sequence of
        `nag_optax.momenta`. ``momentum(k + 1)`` averages in update k, counted from 0.
      interpolation: b in [0, 1]: 0 takes gradients at z (Polyak's averaging), 1 at x (primal averaging).
      accumulator_dtype: see `nag_optax.accelerate`; float32 for bfloat16 params.

    Returns:
      A gradient transformation. Params are y; `nag_optax.eval_params` returns x, and z with ``output="z"``.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import nag, primal_averaging
    >>> ours, nesterov = primal_averaging(optax.sgd(1.0), 0.9, 0.9), nag(0.1, 0.9)
    >>> gradient = params = jnp.ones(())
    >>> for tx in (ours, nesterov):
    ...     tx.update(gradient, tx.init(params), params)[0].round(6)
    Array(-0.19, dtype=float32)
    Array(-0.19, dtype=float32)
    """
    check_number("interpolation", interpolation, at_least=0, at_most=1)
    sequence = as_sequence(momentum)

    def numbers(count, age, carry):
        mu, mu_next, carry = sequence.values(age, carry)
        coefficients = Coefficients(
            decay=mu,
            gain=1,
            lead=-(1 - mu_next) * interpolation,
            step_size=interpolation - 1,
            readout=(interpolation - 1) * mu_next,
            outputs={"z": interpolation * mu_next},
            hyperparams={"momentum": mu},
        )
        return coefficients, carry

    return around(inner, Rule(sequence.init, numbers), accumulator_dtype)
