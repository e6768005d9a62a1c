"""GPA, generalized primal averaging.

Defazio et al. (2025), https://arxiv.org/abs/2512.17131, around any optimizer, with u its updates ::

    y_k     = mu_y x_k + (1 - mu_y) z_k
    z_{k+1} = z_k + u(y_k)
    x_{k+1} = mu_x x_k + (1 - mu_x) z_{k+1}

It is `primal_averaging` with a constant average, a smooth form of an outer Nesterov loop: the paper replaces a loop of
period H by mu_x = mu^(1/H), mu the outer momentum. Around SGD it is QHM, and with mu_x = mu_y it is Nesterov's method.
"""

from typing import Any

import optax

from nag_optax.averaging.primal_averaging import primal_averaging
from nag_optax.momenta import Momentum, as_sequence
from nag_optax.validation import check_number


def gpa(
    inner: optax.GradientTransformation, mu_x: Momentum = 0.9967, mu_y: float = 0.7, *, accumulator_dtype: Any = None
) -> optax.GradientTransformationExtraArgs:
    """GPA around an inner optimizer; the defaults are those of the authors' code for AdamW.

    Args:
      inner: the optimizer to accelerate, such as ``optax.adamw(..., b1=0)``.
      mu_x: decay of the average x, in [0, 1); a number or a schedule of the update, counted from 0.
      mu_y: weight of the average where the gradient is taken, in [0, 1].
      accumulator_dtype: see `nag_optax.accelerate`.

    Returns:
      A gradient transformation. Params are y; `nag_optax.eval_params` returns x, the point to evaluate.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import gpa
    >>> tx = gpa(optax.sgd(1.0), mu_x=0.5, mu_y=0.5)
    >>> tx.update(jnp.ones(()), tx.init(jnp.zeros(())), jnp.zeros(()))[0]  # z = -1, x = -0.5
    Array(-0.75, dtype=float32)
    """
    check_number("mu_y", mu_y, at_least=0, at_most=1)
    return primal_averaging(inner, as_sequence(mu_x, "mu_x"), mu_y, accumulator_dtype=accumulator_dtype)
