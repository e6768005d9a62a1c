"""What a momentum may be: a number, an Optax schedule, or a recursion."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.renamed import renamed_arguments
from nag_optax.scalars import Scalar, pair_at
from nag_optax.validation import check_integer, number_or_schedule


class MomentumSequence(NamedTuple):
    """A momentum sequence defined by a recursion.

    Attributes:
      init: ``init() -> carry``, scalars.
      values: ``values(age, carry) -> (momentum(age), momentum(age + 1), carry)``.

    A momentum that halves its distance to 1 in every update:

    >>> from nag_optax.momenta import MomentumSequence, tabulate
    >>> halving = MomentumSequence(lambda: 1.0, lambda age, far: (1 - far, 1 - far / 2, far / 2))
    >>> print(tabulate(halving, 4))
    [0.    0.5   0.75  0.875]
    """

    init: Callable[[], Any]
    values: Callable[[Array, Any], tuple[Scalar, Scalar, Any]]


MomentumSequence.__new__ = renamed_arguments(step="values")(MomentumSequence.__new__)

Momentum = optax.ScalarOrSchedule | MomentumSequence


def as_sequence(momentum: Momentum, name: str = "momentum") -> MomentumSequence:
    """Converts any momentum, a constant, schedule or sequence, to a `MomentumSequence`; errors name the argument.

    Raises:
      TypeError: if it is none of the three.
      ValueError: if it is a concrete number outside [0, 1).

    >>> from nag_optax.momenta import as_sequence
    >>> as_sequence(0.9).values(0, ())  # of update 0, of update 1, and nothing to carry
    (0.9, 0.9, ())
    """
    if isinstance(momentum, MomentumSequence):
        return momentum
    checked = number_or_schedule(name, momentum, at_least=0, below=1)

    def values(age, carry):
        return *pair_at(checked, age), carry

    return MomentumSequence(tuple, values)


def tabulate(momentum: Momentum, steps: int) -> Array:
    """The first values of a momentum, shape [steps]: the factors that decay the velocity in updates 0, 1, ... Useful
    for plots.

    Args:
      momentum: a number in [0, 1), an Optax schedule or a `MomentumSequence`.
      steps: at least 1.

    >>> from nag_optax import momenta
    >>> print(momenta.tabulate(momenta.polynomial(), 3))
    [0.   0.   0.25]
    """
    sequence = as_sequence(momentum)
    check_integer("steps", steps, at_least=1)

    def body(carry, age):
        value, _, carry = sequence.values(age, carry)
        return carry, jnp.asarray(value, jnp.result_type(float))

    carry = jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(float)), sequence.init())
    return jax.lax.scan(body, carry, jnp.arange(steps))[1]
