"""Lookahead: k steps forward, one step back.

Zhang, Lucas, Hinton & Ba (2019), https://arxiv.org/abs/1907.08610, Algorithm 1, around any inner optimizer ::

    slow <- slow + alpha (fast - slow),    fast <- slow         every k updates

It is `nag_optax.slow_weights` with a plain step outside.
"""

import optax
from jax import Array

from nag_optax.outer.slow_weights import slow_weights
from nag_optax.renamed import renamed_arguments
from nag_optax.validation import number_or_schedule


@renamed_arguments(k="period", alpha="slow_step_size")
def lookahead(
    inner: optax.GradientTransformation, period: int | Array = 5, slow_step_size: optax.ScalarOrSchedule = 0.5
) -> optax.GradientTransformationExtraArgs:
    """Lookahead around an inner optimizer; params stay an ordinary pytree, unlike with ``optax.lookahead``.

    Args:
      inner: the optimizer for every update.
      period: k, updates between two steps back, at least 1.
      slow_step_size: alpha, the fraction of the way forward to keep, in (0, 1]; a number or a schedule of the step
        back, counted from 0.

    Returns:
      A gradient transformation. `nag_optax.eval_params` returns the slow weights, which the paper evaluates.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import lookahead
    >>> tx = lookahead(optax.sgd(1.0), period=1, slow_step_size=0.5)
    >>> params = jnp.zeros(())
    >>> tx.update(jnp.ones(()), tx.init(params), params)[0]
    Array(-0.5, dtype=float32)
    """
    slow_step_size = number_or_schedule("slow_step_size", slow_step_size, above=0, at_most=1)
    return slow_weights(inner, optax.sgd(slow_step_size), period)
