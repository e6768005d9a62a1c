"""Schedules from deep learning."""

import jax.numpy as jnp
import optax

from nag_optax.scalars import Scalar, as_float
from nag_optax.validation import check_integer, check_number


def sutskever(max_momentum: float = 0.99, period: int | None = None, *, steps: int | None = None) -> optax.Schedule:
    """The deep-learning schedule: momentum 1/2, 3/4, 5/6, ..., each for ``period`` updates, up to ``max_momentum`` ::

        momentum(t) = min(1 - 2^(-1 - log2(floor(t / period) + 1)), max_momentum)

    Args:
      max_momentum: in [0, 1); the paper tries 0, 0.9, 0.99, 0.995 and 0.999.
      period: updates per momentum value, at least 1; by default the paper's 250, which reaches 0.99 after 12,250
        updates of 750,000, and 0.999 after 124,750.
      steps: instead of a period, the number of updates of the whole run, at least 1: the schedule reaches
        ``max_momentum`` within the first sixth of them, as the paper's 0.999 does.

    Raises:
      ValueError: if both period and steps are given.

    >>> from nag_optax.momenta import sutskever
    >>> [round(float(sutskever(0.9)(t)), 4) for t in (0, 249, 250, 500, 10_000)]
    [0.5, 0.5, 0.75, 0.8333, 0.9]
    >>> [round(float(sutskever(0.99, steps=2000)(t)), 4) for t in (0, 100, 200, 334, 2000)]
    [0.5, 0.9667, 0.9833, 0.99, 0.99]

    References:
      Sutskever, Martens, Dahl & Hinton, On the importance of initialization and momentum in deep learning, ICML 2013.
    """
    check_number("max_momentum", max_momentum, at_least=0, below=1)
    if steps is not None:
        check_integer("steps", steps, at_least=1)
        if period is not None:
            raise ValueError("period and steps exclude each other: steps makes the period.")
        higher = jnp.ceil(0.5 / (1 - as_float(max_momentum)) - 1.1)  # momenta than the first one
        held = steps / 6 / jnp.maximum(higher, 1)
    else:
        check_integer("period", held := 250 if period is None else period, at_least=1)

    def schedule(count):
        return jnp.minimum(1 - 0.5 / (jnp.floor(as_float(count) / held) + 1), max_momentum)

    return schedule


def dozat(b1: Scalar = 0.9, decay: Scalar = 0.004) -> optax.Schedule:
    """Dozat's slow warm-up of momentum, from half of ``b1`` to ``b1`` ::

        momentum(t) = b1 (1 - 0.96^(decay t) / 2)

    NAdam counts its updates from t = 1. Keras leaves out the 0.004: ``dozat(b1, decay=1)``.

    Args:
      b1: final momentum, in [0, 1).
      decay: speed of the warm-up, at least 0; psi in the paper.

    >>> from nag_optax.momenta import dozat
    >>> round(float(dozat(0.9)(100)), 4), round(float(dozat(0.9, decay=1)(100)), 4)
    (0.4573, 0.8924)

    References:
      Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016.
    """
    check_number("b1", b1, at_least=0, below=1)
    check_number("decay", decay, at_least=0)

    def schedule(count):
        return b1 * (1 - 0.5 * 0.96 ** (decay * as_float(count)))

    return schedule
