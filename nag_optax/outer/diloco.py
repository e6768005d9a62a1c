"""DiLoCo: data parallelism that communicates every few hundred updates.

Douillard et al. (2023), https://arxiv.org/abs/2311.08105, Algorithm 1. R replicas train on their own data, each with
its own inner optimizer (AdamW in the paper). Every H updates, Nesterov's momentum steps along the mean of their
progress::

    Delta <- mean over replicas of (theta - theta_r)
    theta <- theta - outer Nesterov step of Delta,    theta_r <- theta

It is `nag_optax.slow_weights` with `nag` outside and a mean over replicas in between.
"""

from collections.abc import Hashable
from typing import Any

import optax
from jax import Array

from nag_optax.momenta import Momentum
from nag_optax.outer.slow_weights import slow_weights
from nag_optax.outer.snoo import outer_nag
from nag_optax.renamed import renamed_arguments


@renamed_arguments(learning_rate="outer_learning_rate", momentum="outer_momentum")
def diloco(
    inner: optax.GradientTransformation,
    outer_learning_rate: optax.ScalarOrSchedule = 0.7,
    outer_momentum: Momentum = 0.9,
    *,
    axis_name: Hashable | tuple[Hashable, ...],
    period: int | Array = 500,
    communication_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """DiLoCo around an inner optimizer; use it inside ``jax.shard_map`` or ``jax.vmap`` over the replicas.

    Args:
      inner: the optimizer for every update, on every replica.
      outer_learning_rate: learning rate of the outer steps; at least 0, as in `nag`. A schedule counts outer steps.
      outer_momentum: momentum of the outer steps, as in `nag`.
      axis_name: the mapped axis or axes of the replicas.
      period: H, updates from one outer step to the next, at least 1.
      communication_dtype: None, a floating dtype or ``jnp.int8``, as in `nag_optax.slow_weights`.

    Raises:
      ValueError: in ``update``, if called outside the axis.

    >>> import jax, jax.numpy as jnp, optax
    >>> from nag_optax import diloco
    >>> tx = diloco(optax.sgd(1.0), outer_learning_rate=1.0, outer_momentum=0.0, axis_name="replica", period=1)
    >>> params = jnp.zeros(2)  # of two replicas
    >>> state = jax.vmap(tx.init)(params)
    >>> jax.vmap(tx.update, axis_name="replica")(jnp.array([1.0, 3.0]), state, params)[0]
    Array([-2., -2.], dtype=float32)
    """
    if axis_name is None:
        raise ValueError("axis_name must name the axis of the replicas; for a single one there is nag_optax.snoo.")
    return slow_weights(
        inner,
        outer_nag(outer_learning_rate, outer_momentum),
        period,
        axis_name=axis_name,
        communication_dtype=communication_dtype,
    )
