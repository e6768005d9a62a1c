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
    """A momentum sequence that is defined by a recursion.

    Attributes:
      init: ``init() -> carry``, scalars.
      values: ``values(age, carry) -> (momentum(age), momentum(age + 1), carry)``.
    """

    init: Callable[[], Any]
    values: Callable[[Array, Any], tuple[Scalar, Scalar, Any]]


MomentumSequence.__new__ = renamed_arguments(step="values")(MomentumSequence.__new__)

Momentum = optax.ScalarOrSchedule | MomentumSequence


def as_sequence(momentum: Momentum, name: str = "momentum") -> MomentumSequence:
    """Any momentum, constant, schedule or sequence, as a `MomentumSequence`; errors name the argument.

    Raises:
      TypeError: if it is none of the three.
      ValueError: if it is a concrete number outside [0, 1).
    """
    if isinstance(momentum, MomentumSequence):
        return momentum
    checked = number_or_schedule(name, momentum, at_least=0, below=1)

    def values(age, carry):
        return *pair_at(checked, age), carry

    return MomentumSequence(tuple, values)


def tabulate(momentum: Momentum, steps: int) -> Array:
    """The first values of a momentum, shape [steps]: what decays the velocity in updates 0, 1, ... For plots and for
    the curious.
    """
    sequence = as_sequence(momentum)
    check_integer("steps", steps, at_least=1)

    def body(carry, age):
        value, _, carry = sequence.values(age, carry)
        return carry, jnp.asarray(value, jnp.result_type(float))

    carry = jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(float)), sequence.init())
    return jax.lax.scan(body, carry, jnp.arange(steps))[1]
