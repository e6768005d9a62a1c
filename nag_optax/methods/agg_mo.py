"""AggMo, aggregated momentum: several velocities, whose mean damps the oscillations of each.

Lucas, Sun, Zemel & Grosse, https://arxiv.org/abs/1804.00325, (4)-(5), with beta^(i) the K momenta ::

    v^(i)_{k+1} = beta^(i) v^(i)_k - g_k
    theta_{k+1} = theta_k + (gamma / K) sum_i v^(i)_{k+1}

It is the sum of K classical momenta at learning rate gamma / K, and is implemented as one. Evaluate it at params.
"""

from collections.abc import Sequence
from typing import Any

import optax

from nag_optax.engine.superpose import superpose
from nag_optax.methods.nag import nag
from nag_optax.momenta import as_sequence
from nag_optax.scalars import scalar_at
from nag_optax.validation import number_or_schedule


def agg_mo(
    learning_rate: optax.ScalarOrSchedule,
    momenta: Sequence[optax.ScalarOrSchedule] = (0.0, 0.9, 0.99),
    *,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Aggregated momentum: large momenta for speed, small ones to damp them. It keeps one buffer per momentum.

    The published restart tests are for one velocity, so there is no ``restart``.

    Args:
      learning_rate: gamma, at least 0.
      momenta: beta^(1), ..., beta^(K), each in [0, 1). The paper's default is 1 - 0.1^i for i = 0, 1, 2.
      accumulator_dtype: see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp
    >>> from nag_optax import agg_mo
    >>> tx, gradient = agg_mo(0.2, [0.0, 0.9]), jnp.array([1.0])
    >>> updates, state = tx.update(gradient, tx.init(gradient))
    >>> tx.update(gradient, state)[0]  # half of 0.2 times 1, and of 0.2 times 1 + 0.9
    Array([-0.29], dtype=float32)
    """
    if not isinstance(momenta, list | tuple):
        raise TypeError(f"momenta must be a list or tuple of momenta, got {type(momenta).__name__}.")
    if not momenta:
        raise ValueError("momenta must hold at least one momentum, got none.")
    learning_rate = number_or_schedule("learning_rate", learning_rate, at_least=0)

    def share(count):
        return scalar_at(learning_rate, count) / len(momenta)

    betas = [as_sequence(beta, f"momenta[{i}]: momentum") for i, beta in enumerate(momenta)]
    return superpose(*(nag(share, beta, lookahead=0.0, accumulator_dtype=accumulator_dtype) for beta in betas))
