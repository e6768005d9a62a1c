"""Finds the states that define how to read them, inside any wrapper.

The state of a chain is a tuple with one state for each link. So we can see which links follow an accelerated link, but
not what they do: most links have no state at all. A later link may scale, clip, project or replace the update, and then
the base iterate that the method computes is wrong. So a later link is accepted only if its state defines how it changes
the point (`nag_optax.readings.Follower`), if it is known not to change it, or if the caller says so.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import jax
import optax
import optax.contrib

from nag_optax.readings import Question, Readings, scaled
from nag_optax.scalars import unwrapped
from nag_optax.validation import leaf_name

HARMLESS = tuple(getattr(optax, name) for name in ("MonitorState", "SnapshotState") if hasattr(optax, name))
"""Of links that look at updates, and pass them on."""

TRANSPARENT = tuple(
    getattr(optax, name)
    for name in (
        "ApplyIfFiniteState",
        "ConditionallyMaskState",
        "InjectHyperparamsState",
        "InjectStatefulHyperparamsState",
        "MaskedState",
        "MultiStepsState",
        "MultiTransformState",
        "PartitionState",
    )
    if hasattr(optax, name)
)
"""Of Optax's wrappers whose updates are those of what they wrap, or none."""

INNER = ("inner_state", "inner_states", "inner_opt_state")
"""Fields of wrappers, which do not tell one state from another."""


def nothing_accelerated(state: Any) -> ValueError:
    """What to raise where a state holds no accelerated state."""
    return ValueError(
        f"state holds no accelerated method of nag_optax, got {type(state).__name__}; that of optax.sgd becomes one by "
        "nag_optax.from_optax."
    )


def readings_of(state: Any, question: Question) -> Readings | None:
    """The readings of all states inside a state, each with its own leaves; None if there is no such state.

    Raises:
      ValueError: if a state or a later link raises one, if the effect of a later link or a wrapper on the point is
        unknown, or if two states have a leaf in common.
    """
    return _found(state, question)[0]


def found(state: Any, method: str) -> Iterator[Any]:
    """The outermost states inside a state whose class has the given method."""
    if callable(getattr(type(state), method, None)):  # of the type: Flax's variables answer for the arrays inside
        yield state
        return
    for part in _parts(state):
        yield from found(part, method)


def _found(state: Any, question: Question) -> tuple[Readings | None, bool]:
    """The readings, and whether a later link still has to apply the learning rate in the question."""
    if callable(getattr(type(state), "readings", None)):
        readings = state.readings(question)
        if not isinstance(readings, dict):
            raise TypeError(f"readings of {type(state).__name__} must return readings, got {type(readings).__name__}.")
        return readings, question.learning_rate is not None
    readings, owed = None, False
    parts = _since_all_is_known(state)
    for i, part in enumerate(parts):
        try:
            of_part, owed_by_part = _found(part, question)
        except ValueError:
            for later in parts[i + 1 :] if _is_chain(state) else ():
                for follower in found(later, "follow"):
                    _followed(follower, {})  # a link behind which there is no point says so, whatever else is missing
            raise
        if of_part is not None:
            readings = of_part if readings is None else _disjoint(readings, of_part)
            owed |= owed_by_part
        elif readings is not None and _is_chain(state):
            readings, owed = _behind(part, readings, owed, question)
    if readings is not None and _replaces_the_point(state):
        raise ValueError(
            f"the point of a method inside of {type(state).__name__} is not known: that wrapper moves params by "
            "itself. See what its package evaluates, or use nag_optax's own (schedule_free, lookahead)."
        )
    return readings, owed


def _since_all_is_known(state: Any) -> list[Any]:
    """The parts of a state; of a chain, those from the last one on that knows its points whatever came before it."""
    parts = _parts(state)
    whole = [i for i, part in enumerate(parts) if _knows_all(part)]
    return parts[whole[-1] :] if whole and _is_chain(state) else parts


def _knows_all(state: Any) -> bool:
    """Whether this is a state that knows its points whatever came before it, or a chain with one."""
    return getattr(type(state), "knows_all", False) or (_is_chain(state) and any(map(_knows_all, _parts(state))))


def _behind(link: Any, readings: Readings, owed: bool, question: Question) -> tuple[Readings, bool]:
    """The readings after a later link, and whether the learning rate is still to be applied."""
    if callable(getattr(type(link), "follow", None)):
        return _followed(link, readings), owed
    if _is_chain(link):
        for part in _parts(link):
            readings, owed = _behind(part, readings, owed, question)
        return readings, owed
    followers = list(found(link, "follow"))
    if followers and all(_followed(follower, readings) is readings for follower in followers):
        return readings, owed  # perhaps on some leaves only, which makes no difference
    if isinstance(link, optax.contrib.ReduceLROnPlateauState):
        return scaled(readings, unwrapped(link.scale)), owed
    if isinstance(link, HARMLESS) or question.later_links == "harmless":
        return readings, owed
    if owed and all(getattr(leaf, "ndim", 0) == 0 for leaf in jax.tree.leaves(link)):
        return readings, False  # scale_by_learning_rate
    raise ValueError(
        f"a later link of the chain ({type(link).__name__}) may scale, clip, freeze or replace the updates of the "
        "accelerated method, and then its point is not known: make the method the last link, freeze by "
        "optax.partition, or pass later_links='harmless' if the link does nothing of the kind."
    )


def _followed(link: Any, readings: Readings) -> Readings:
    after = link.follow(readings)
    if not isinstance(after, dict):
        raise TypeError(f"follow of {type(link).__name__} must return readings, got {type(after).__name__}.")
    return after


def _is_chain(state: Any) -> bool:
    """Whether this holds the states of links in the order in which they act: ``optax.chain``, ``optax.named_chain``."""
    return type(state) is tuple or isinstance(state, OrderedDict)


def _replaces_the_point(state: Any) -> bool:
    """Whether this is a wrapper of Optax whose updates are not those of what it wraps."""
    return type(state).__module__.split(".")[0] == "optax" and not isinstance(state, TRANSPARENT)


def _parts(state: Any) -> list[Any]:
    """The parts of a pytree, one level down."""
    parts = jax.tree.leaves(state, is_leaf=lambda part: part is not state)
    return [part for part in parts if part is not state]


def _disjoint(one: Readings, other: Readings) -> Readings:
    if twice := one.keys() & other.keys():
        where = leaf_name(twice.pop())
        raise ValueError(f"two accelerated methods act on {where}: the base iterate is ambiguous.")
    return one | other
