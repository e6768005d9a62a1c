"""How a state defines which point to evaluate.

Training moves ``params``, but the theory of a method may be about another point, which only its state can compute. Such
a state implements one method, which `nag_optax.eval_params` calls ::

    class Velocity(NamedTuple):
        momentum: Any

        def readings(self, question):
            return ahead(self.momentum, question.readout({"base": 0.9}))        # params + 0.9 momentum

The states of a chain, a mask, a partition or a wrapper are pytrees, and such a state is found anywhere in them
(`nag_optax.finding`). If the point is unknown, ``readings`` raises a ValueError that says what to do. The state of a
later link in the chain may have a method ``follow``: it gets the readings of the earlier links, and returns them
unchanged or changed, or raises a ValueError. A state that computes its point from finished updates, whatever made them,
has a class attribute ``knows_all = True``: the links before it in the chain are not asked.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import optax
from jax import Array

from nag_optax.scalars import Scalar, of_one_state


class Reading(NamedTuple):
    """How one leaf gives the point: ``params + readout * buffer``, or the buffer itself if there is no readout."""

    buffer: Array
    readout: Scalar | None


Readings = dict[tuple[Any, ...], list[Reading]]
"""The readings of every leaf, by its path in params: each begins where the one before it has led."""


class Question(NamedTuple):
    """The arguments of a call of `nag_optax.eval_params`.

    Attributes:
      output: "base", or the name of another point that the method's paper analyses.
      learning_rate: for a state that does not store it, a number or a schedule; None if not given.
      later_links: "harmless" if the caller asserts that unknown later links do not change the point; else None.
    """

    output: str = "base"
    learning_rate: optax.ScalarOrSchedule | None = None
    later_links: str | None = None

    def readout(self, readouts: Mapping[str, Scalar]) -> Array:
        """The requested readout, out of those that a state has.

        Raises:
          ValueError: if it has no such output, if a learning rate is given but the state has its own, or if the
            readouts belong to a stack of states.
        """
        if self.learning_rate is not None:
            raise ValueError("learning_rate is for states of scale_by_nag only; this method knows its own.")
        if self.output not in readouts:
            names = ", ".join(map(repr, readouts))
            raise ValueError(f"output must be one of {names} for this method, got {self.output!r}.")
        return of_one_state(readouts[self.output], "eval_params")


@runtime_checkable
class Readable(Protocol):
    """A state that can compute a point to evaluate."""

    def readings(self, question: Question) -> Readings:
        """How to read each of its leaves; raises ValueError if that is unknown."""
        ...


@runtime_checkable
class Follower(Protocol):
    """The state of a link that defines how it changes the points of the links before it."""

    def follow(self, readings: Readings) -> Readings:
        """The readings after this link; raises ValueError if they are unknown."""
        ...


class BaseIterate(NamedTuple):
    """Part of the state of a method that stores the base iterate itself, because reading it out would lose digits.

    Attributes:
      params: the base iterate, a pytree like params; ``()`` where params are the base iterate.
    """

    params: Any

    def readings(self, question: Question) -> Readings:
        """Returns the stored point."""
        question.readout({"base": 1.0})
        return kept(self.params)


def ahead(buffer: Any, readout: Scalar) -> Readings:
    """The point ``params + readout * buffer``, the buffer a pytree like params or like some of them."""
    return {path: [Reading(leaf, readout)] for path, leaf in jax.tree_util.tree_leaves_with_path(buffer)}


def kept(point: Any) -> Readings:
    """A point that the state stores, a pytree like params or like some of them."""
    return {path: [Reading(leaf, None)] for path, leaf in jax.tree_util.tree_leaves_with_path(point)}


def joined(*readings: Readings) -> Readings:
    """Readings of the same leaves, one after another."""
    paths = {path: None for of_one in readings for path in of_one}
    return {path: [reading for of_one in readings for reading in of_one.get(path, ())] for path in paths}


def scaled(readings: Readings, factor: Scalar) -> Readings:
    """The same readings with all moves scaled by a factor, such as a later learning rate.

    Raises:
      ValueError: if one of the points is stored: it cannot be scaled.
    """

    def of_leaf(reading: Reading) -> Reading:
        if reading.readout is None:
            raise ValueError("a state that keeps its point itself does not know it behind a link that scales updates.")
        return reading._replace(readout=factor * reading.readout)

    return {path: [of_leaf(reading) for reading in of_path] for path, of_path in readings.items()}
