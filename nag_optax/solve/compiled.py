"""No compilation twice: calls of `nag_optax.minimize` from outside of ``jax.jit`` that differ in numbers only.

A function may be made anew for every call, as a lambda is, and what it closes over may have changed. So what is
remembered is not the function, but what it computes: ``fun`` and ``prox`` are traced in every call, which takes a
millisecond or two, and calls whose traces read the same share one compiled program. What the functions close over is an
argument of it, as the strengths are. Of the functions nothing is kept.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from nag_optax.validation import is_concrete

KEPT = 64
"""Compiled programs that are kept: the one that has not been asked for the longest goes first."""

_programs: OrderedDict[Any, Any] = OrderedDict()


class Trace(NamedTuple):
    """A function by what it computes.

    Attributes:
      program: its operations.
      structure: of its result.
      text: tells it from others, but for what the arrays hold that it closes over; None where that does not tell all,
        because an operation calls the host or holds arrays of its own.
    """

    program: Any
    structure: Any
    text: str | None

    def over(self, consts: list[Any]) -> Callable[..., Any]:
        """The function, closing over these arrays in the place of its own."""
        flat = jaxpr_as_fun(ClosedJaxpr(self.program, consts))
        return lambda *arguments: jax.tree.unflatten(self.structure, flat(*jax.tree.leaves(arguments)))


def trace(function: Callable[..., Any], *examples: Any) -> tuple[Trace, list[Any]]:
    """A function of arrays as what it computes, and the arrays that it closes over."""
    closed, result = jax.make_jaxpr(function, return_shape=True)(*examples)
    hides = closed.effects or any(_hides(equation) for equation in _equations(closed.jaxpr))
    structure = jax.tree.structure(result)
    text = None if hides else f"{closed.jaxpr} {structure}"
    return Trace(closed.jaxpr, structure, text), closed.consts


def has_rules(traced: Trace) -> bool:
    """Whether a function has rules of derivatives, which its text names, but does not show."""
    return any(equation.primitive.name.startswith("custom_") for equation in _equations(traced.program))


def numbers_of(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The floating numbers and arrays in a pytree, and how to put others in their place; integers and all else shape a
    program.
    """
    leaves, structure = jax.tree.flatten(tree)
    dynamic = [isinstance(x, float | np.floating | np.ndarray | jax.Array) for x in leaves]

    def with_numbers(numbers: list[Any]) -> Any:
        given = iter(numbers)
        return structure.unflatten([next(given) if moves else x for x, moves in zip(leaves, dynamic, strict=True)])

    return [x for x, moves in zip(leaves, dynamic, strict=True) if moves], with_numbers


def shared(key: Any, make: Callable[[], Any]) -> Any:
    """What ``make`` has made for the first call with this key."""
    programs = _programs.pop(key, None) or make()
    _programs[key] = programs
    while len(_programs) > KEPT:
        _programs.popitem(last=False)
    return programs


def known(tree: Any) -> bool:
    """Whether every array in a pytree can be looked at: none is being traced, or lies with other processes."""
    return all(is_concrete(x) or not isinstance(x, jax.Array) for x in jax.tree.leaves(tree))


def _hides(equation: Any) -> bool:
    """Whether an operation is more than its text: it calls the host, or is a program with arrays of its own, such as
    a jitted function that closes over data.
    """
    return "callback" in equation.primitive.name or any(len(getattr(p, "consts", ())) for p in _parts(equation))


def _parts(equation: Any) -> list[Any]:
    return jax.tree.leaves(list(equation.params.values()))


def _equations(program: Any) -> Iterator[Any]:
    """The operations of a program, and those of programs inside of it."""
    for equation in program.eqns:
        yield equation
        for part in _parts(equation):
            inner = getattr(part, "jaxpr", part)
            if hasattr(inner, "eqns"):
                yield from _equations(inner)
