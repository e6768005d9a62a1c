"""The argument ``method`` of `nag_optax.minimize` as a `Method`."""

from typing import Any

from jax import Array

from nag_optax import trees
from nag_optax.methods.ac_fgm import ac_fgm
from nag_optax.methods.adanag import adanag
from nag_optax.methods.fista import fista
from nag_optax.prox.operator import is_none
from nag_optax.scalars import scalar_at
from nag_optax.solve.backtracking import full_backtracking
from nag_optax.solve.by_transformation import by_transformation
from nag_optax.solve.method import Method, Problem
from nag_optax.validation import check_choice, is_transformation, number_or_schedule


def chosen_method(method: Any, prox: Any, step_size: Any) -> Method:
    """The method of a name, that of a transformation, or the `Method` itself.

    Raises:
      TypeError: if it is none of these.
      ValueError: for an unknown name, or one that cannot do what is asked.
    """
    if (step_size is not None) != (isinstance(method, str) and method == "fista"):
        raise ValueError(f"step_size is for method='fista', which needs it; got {step_size!r} with method {method!r}.")
    if isinstance(method, Method):
        return method
    if not isinstance(method, str):
        if not is_transformation(method):
            kind = type(method).__name__
            raise TypeError(f"method must be a name, a Method or a gradient transformation, got {kind}.")
        return by_transformation(method)
    check_choice("method", method, ("full_backtracking", "fista", "adanag", "ac_fgm"))
    match method:
        case "fista":
            step_size = number_or_schedule("step_size", step_size, above=0)
            return by_transformation(
                fista(step_size, prox),
                lambda problem, at, gradient, state: (state.base.params, scalar_at(step_size, state.step - 1)),
            )
        case "adanag":
            if not is_none(prox):
                raise ValueError("method: 'adanag' is for smooth problems; use another one, or prox=None.")
            return by_transformation(adanag())
        case "ac_fgm":
            return by_transformation(ac_fgm(prox), None if is_none(prox) else _proximal_step)
        case _:
            return full_backtracking()


def _proximal_step(problem: Problem, params: Any, gradient: Any, state: Any) -> tuple[Any, Array]:
    """From params themselves: those of ac_fgm are averages, which have no zeros."""
    return problem.prox(trees.plus(params, -state.step_size, gradient), state.step_size), state.step_size
