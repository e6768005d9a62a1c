"""Accelerated methods that leave the learning rate to a later link of the chain."""

from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.engine.accelerate import AccelerateState
from nag_optax.readings import Question, Readings, scaled
from nag_optax.scalars import scalar_at, unwrapped


class DirectionState(NamedTuple):
    """State of an accelerated method without a learning rate, such as ``scale_by_nag``.

    Attributes:
      accelerated: state of the method at learning rate 1, whose readout is in units of the learning rate.
    """

    accelerated: AccelerateState

    def measured(self) -> dict[str, Array]:
        """Returns the method's scalars except the learning rate, which a later link applies."""
        return {name: x for name, x in self.accelerated.measured().items() if name != "learning_rate"}

    def readings(self, question: Question) -> Readings:
        """Returns the readings of the method at the learning rate in the question."""
        if question.learning_rate is None:
            raise ValueError(
                "state of scale_by_nag does not know the learning rate: pass learning_rate=, number or schedule."
            )
        at_one = self.accelerated.readings(question._replace(learning_rate=None))
        last_step = jnp.maximum(unwrapped(self.accelerated.step) - 1, 0)
        return scaled(at_one, scalar_at(question.learning_rate, last_step))


def as_direction(method: optax.GradientTransformationExtraArgs) -> optax.GradientTransformationExtraArgs:
    """An accelerated method at learning rate 1 as a ``scale_by_*`` link: it points uphill, and a later link applies the
    negative learning rate.
    """

    def init(params):
        return DirectionState(cast(AccelerateState, method.init(params)))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, DirectionState]:
        extra.pop("value_fn", None)  # the base iterate to evaluate depends on a later learning rate
        updates, accelerated = method.update(updates, state.accelerated, params, **extra)
        return jax.tree.map(jnp.negative, updates), DirectionState(cast(AccelerateState, accelerated))

    return optax.GradientTransformationExtraArgs(init, update)
