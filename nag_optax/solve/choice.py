"""The argument ``method`` of `nag_optax.minimize` as a `Method`."""

from collections.abc import Callable
from typing import Any

from nag_optax import trees
from nag_optax.methods.ac_fgm import ac_fgm
from nag_optax.methods.adanag import adanag
from nag_optax.methods.fista import fista
from nag_optax.methods.pogm import pogm
from nag_optax.prox.operator import is_none
from nag_optax.scalars import Scalar, scalar_at
from nag_optax.solve.backtracking import full_backtracking
from nag_optax.solve.by_transformation import ProximalPoint, by_transformation
from nag_optax.solve.method import Method, Problem
from nag_optax.validation import check_choice, is_transformation, number_or_schedule

WITH_STEP_SIZE = ("fista", "pogm")


def chosen_method(method: Any, prox: Any, step_size: Any) -> Method:
    """The method of a name, that of a transformation, or the `Method` itself.

    Raises:
      TypeError: if it is none of these.
      ValueError: for an unknown name, or one that cannot do what is asked.
    """
    if (step_size is not None) != (isinstance(method, str) and method in WITH_STEP_SIZE):
        needed = f"step_size is for {' and '.join(f'method={name!r}' for name in WITH_STEP_SIZE)}, which need it"
        raise ValueError(f"{needed}; got {step_size!r} with method {method!r}.")
    if isinstance(method, Method):
        return method
    if not isinstance(method, str):
        if not is_transformation(method):
            kind = type(method).__name__
            raise TypeError(f"method must be a name, a Method or a gradient transformation, got {kind}.")
        return by_transformation(method)
    check_choice("method", method, ("full_backtracking", *WITH_STEP_SIZE, "adanag", "ac_fgm"))
    if method in WITH_STEP_SIZE:
        step_size = number_or_schedule("step_size", step_size, above=0)
    match method:
        case "fista":
            return by_transformation(
                fista(step_size, prox),
                lambda problem, at, gradient, state: (state.base.params, scalar_at(step_size, state.step - 1)),
            )
        case "pogm":
            proximal_point = _from_params(lambda state: scalar_at(step_size, state.step - 1))
            return by_transformation(pogm(step_size, prox), proximal_point)
        case "adanag":
            if not is_none(prox):
                raise ValueError("method: 'adanag' is for smooth problems; use another one, or prox=None.")
            return by_transformation(adanag())
        case "ac_fgm":
            proximal_point = None if is_none(prox) else _from_params(lambda state: state.step_size)
            return by_transformation(ac_fgm(prox), proximal_point)
        case _:
            return full_backtracking()


def _from_params(step_size_of: Callable[[Any], Scalar]) -> ProximalPoint:
    """The proximal step from params: that of the method begins elsewhere, or its params are averages without zeros."""

    def point(problem: Problem, params: Any, gradient: Any, state: Any) -> tuple[Any, Scalar]:
        step_size = step_size_of(state)
        return problem.prox(trees.plus(params, -step_size, gradient), step_size), step_size

    return point
