"""How replicas train together, by name."""

from argparse import Namespace
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import optax

from nag_optax import diloco, snoo
from trainer.parallel import replicas

COMMUNICATION = {"float32": None, "bfloat16": jnp.bfloat16, "int8": jnp.int8}


class Method(NamedTuple):
    """How replicas train together.

    Attributes:
      optimizer: the transformation, of AdamW and the options.
      averages_gradients: whether every step takes the mean of the replicas' gradients.
      has_base_iterate: whether `nag_optax.eval_params` finds one.
    """

    optimizer: Callable[[optax.GradientTransformation, Namespace], optax.GradientTransformation]
    averages_gradients: bool
    has_base_iterate: bool


def _diloco(inner: optax.GradientTransformation, options: Namespace) -> optax.GradientTransformation:
    return diloco(
        inner,
        options.outer_learning_rate,
        options.outer_momentum,
        axis_name=replicas.AXIS,
        period=options.period,
        communication_dtype=COMMUNICATION[options.communication],
    )


def _snoo(inner: optax.GradientTransformation, options: Namespace) -> optax.GradientTransformation:
    return snoo(inner, options.outer_learning_rate, options.outer_momentum, period=options.period)


METHODS = {
    "sync": Method(lambda inner, options: inner, averages_gradients=True, has_base_iterate=False),
    "diloco": Method(_diloco, averages_gradients=False, has_base_iterate=True),
    "snoo": Method(_snoo, averages_gradients=True, has_base_iterate=True),
}


def adamw(options: Namespace) -> optax.GradientTransformation:
    """The inner optimizer: AdamW with warm-up and cosine decay."""
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, options.learning_rate, options.steps // 20, options.steps, options.learning_rate / 100
    )
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, b2=0.99, weight_decay=0.01))
