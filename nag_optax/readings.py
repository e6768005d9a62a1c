"""How a state says which point to evaluate.

Training moves ``params``, and the theory of a method may speak about another point, which only its state knows. A state
that knows it says so in one method, and `nag_optax.eval_params` asks it ::

    class Velocity(NamedTuple):
        momentum: Any

        def readings(self, question):
            return ahead(self.momentum, question.readout({"base": 0.9}))        # params + 0.9 momentum

The states of a chain, a mask, a partition or a wrapper are pytrees, in which such a state is found wherever it stands
(`nag_optax.finding`). A point that nobody can know is refused: ``readings`` raises a ValueError whose words name the
way out. The state of a later link of the chain, whose updates the earlier ones do not see, has a method ``follow``: it
gets their readings, and returns them as they are, changed, or not at all.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.scalars import Scalar, unwrapped


class Reading(NamedTuple):
    """One leaf's way to the point: ``params + readout * buffer``, or the buffer itself where there is no readout."""

    buffer: Array
    readout: Scalar | None


Readings = dict[tuple[Any, ...], list[Reading]]
"""The readings of every leaf, by its path in params: each begins where the one before it has led."""


class Question(NamedTuple):
    """What `nag_optax.eval_params` was asked for.

    Attributes:
      output: "base", or the name of another point that the method's paper speaks about.
      learning_rate: what a state that does not know it is told, a number or a schedule; None where nothing was told.
      later_links: "harmless" where later links of unknown kinds are said to leave the point alone; None.
    """

    output: str = "base"
    learning_rate: optax.ScalarOrSchedule | None = None
    later_links: str | None = None

    def readout(self, readouts: Mapping[str, Scalar]) -> Array:
        """The one that is asked for, of the readouts that a state has.

        Raises:
          ValueError: if it has no such output, if it is told a learning rate and knows its own, or if the readouts
            are those of many states at once.
        """
        if self.learning_rate is not None:
            raise ValueError("learning_rate is for states of scale_by_nag only; this method knows its own.")
        if self.output not in readouts:
            names = ", ".join(map(repr, readouts))
            raise ValueError(f"output must be one of {names} for this method, got {self.output!r}.")
        readout = unwrapped(readouts[self.output])
        if jnp.ndim(readout):
            raise ValueError(
                f"state is a stack of {readout.shape[0]}, as jax.vmap or jax.pmap makes it: use jax.vmap(eval_params)."
            )
        return readout


@runtime_checkable
class Readable(Protocol):
    """A state that knows a point to evaluate."""

    def readings(self, question: Question) -> Readings:
        """How each of its leaves is read; raises ValueError where that cannot be known."""
        ...


@runtime_checkable
class Follower(Protocol):
    """The state of a link of a chain that says what becomes of the points of the links before it."""

    def follow(self, readings: Readings) -> Readings:
        """The readings behind this link; raises ValueError where they cannot be known."""
        ...


class BaseIterate(NamedTuple):
    """Part of the state of a method that keeps the base iterate itself, where reading it out would lose digits.

    Attributes:
      params: the base iterate, a pytree like params; ``()`` where params are the base iterate.
    """

    params: Any

    def readings(self, question: Question) -> Readings:
        """Returns the point as it is kept."""
        question.readout({"base": 1.0})
        return kept(self.params)


def ahead(buffer: Any, readout: Scalar) -> Readings:
    """The point ``params + readout * buffer``, the buffer a pytree like params or like some of them."""
    return {path: [Reading(leaf, readout)] for path, leaf in jax.tree_util.tree_leaves_with_path(buffer)}


def kept(point: Any) -> Readings:
    """A point that the state keeps itself, a pytree like params or like some of them."""
    return {path: [Reading(leaf, None)] for path, leaf in jax.tree_util.tree_leaves_with_path(point)}


def joined(*readings: Readings) -> Readings:
    """Readings of the same leaves, one after another."""
    paths = {path: None for of_one in readings for path in of_one}
    return {path: [reading for of_one in readings for reading in of_one.get(path, ())] for path in paths}


def scaled(readings: Readings, factor: Scalar) -> Readings:
    """The same readings where all moves are longer by a factor, such as that of a later learning rate.

    Raises:
      ValueError: if a point among them is kept: it does not move.
    """

    def of_leaf(reading: Reading) -> Reading:
        if reading.readout is None:
            raise ValueError("a state that keeps its point itself does not know it behind a link that scales updates.")
        return reading._replace(readout=factor * reading.readout)

    return {path: [of_leaf(reading) for reading in of_path] for path, of_path in readings.items()}
