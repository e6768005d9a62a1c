"""A method that moves params by a map of a velocity: learning_rate * map(lead m' + step g)."""

from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.engine.accelerate import AccelerateState, accelerate
from nag_optax.engine.coefficients import Rule
from nag_optax.maps.map_state import NO_POINT
from nag_optax.readings import Question, Readings
from nag_optax.scalars import mixing, scalar_at
from nag_optax.trees import beside, widened


class MappedState(NamedTuple):
    """State of a method that moves params by a map of a velocity; it has no base iterate.

    Attributes:
      direction: state of the velocity.
      map: state of the map.
    """

    direction: AccelerateState
    map: Any

    @property
    def step(self) -> Array:
        """Updates so far, int32."""
        return self.direction.step

    def readings(self, question: Question) -> Readings:
        """Raises ValueError."""
        raise ValueError(NO_POINT)


def mapped(
    rule: Rule, map: optax.GradientTransformation, learning_rate: optax.ScalarOrSchedule, accumulator_dtype: Any
) -> optax.GradientTransformationExtraArgs:
    """Applies a map to a direction, and a learning rate to what it makes.

    Args:
      rule: the direction, in five numbers at learning rate 1; it sees gradients in float32 or better.
      map: a link, whose updates point uphill.
      learning_rate: a number or a schedule of the update.
      accumulator_dtype: see `nag_optax.accelerate`.
    """

    def numbers(count, age, carry):
        c, carry = rule.numbers(count, age, carry)
        return c._replace(hyperparams={**c.hyperparams, "learning_rate": scalar_at(learning_rate, count)}), carry

    direction = accelerate(Rule(rule.init, numbers), accumulator_dtype=accumulator_dtype)

    def init(params: Any) -> MappedState:
        return MappedState(cast(AccelerateState, direction.init(params)), map.init(params))

    @mixing
    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, MappedState]:
        like = updates if params is None else beside(updates, params)
        moves, accelerated = direction.update(jax.tree.map(widened, updates), state.direction, **extra)
        of_direction = cast(AccelerateState, accelerated)
        rate = of_direction.last["last_learning_rate"]
        uphill, of_map = map.update(jax.tree.map(jnp.negative, moves), state.map)
        updates = jax.tree.map(lambda u, p: (-rate * u).astype(jnp.result_type(p)), uphill, like)
        return updates, MappedState(of_direction, of_map)

    return optax.GradientTransformationExtraArgs(init, update)
