"""A minimisation from outside of ``jax.jit``: by programs that similar calls share, in pieces between which the host
looks at the clock, at Ctrl-C and at a callback.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax.prox.operator import Prox, is_none, none
from nag_optax.scalars import hyperparameter_dtype
from nag_optax.solve.choice import chosen_method
from nag_optax.solve.compiled import Trace, has_rules, known, numbers_of, shared, trace
from nag_optax.solve.loop import Loop, Run, solution_at
from nag_optax.solve.method import Problem
from nag_optax.solve.problem import value_of, with_aux, with_gradient
from nag_optax.solve.result import Solution, SolverState
from nag_optax.solve.watch import Watch

BY_GRADIENTS = ("full_backtracking", "fista")
"""Methods that ask for gradients only, and differentiate nothing themselves."""


class Given(NamedTuple):
    """What may differ from call to call; attributes as in `nag_optax.minimize`."""

    params: Any
    warm: SolverState | None
    args: tuple[Any, ...]
    prox: Any
    step_size: Any
    tol: Any


class Options(NamedTuple):
    """What makes other programs; attributes as in `nag_optax.minimize`."""

    method: Any
    has_aux: bool
    max_steps: int
    history: bool


class Programs(NamedTuple):
    """A run in pieces; ``data`` are the numbers of the problem.

    Attributes:
      begin: ``begin(data, step_size, tol, params, warm) -> run``.
      go_on: ``go_on(data, step_size, tol, run, until) -> run``, at most so many steps in all.
      finish: ``finish(data, step_size, tol, run) -> solution``.
    """

    begin: Callable[..., Run]
    go_on: Callable[..., Run]
    finish: Callable[..., Solution]


def solve_eagerly(fun: Callable[..., Any], given: Given, options: Options, watch: Watch) -> Solution | None:
    """The solution; None where the call is part of what is being traced."""
    if not known(given):
        return None
    numbers, with_numbers = numbers_of((given.args, given.prox))
    dtype, smooth = hyperparameter_dtype(given.params), is_none(given.prox)

    def value_and_aux(numbers: Any, x: Any) -> tuple[Array, Any]:
        return with_aux(fun, with_numbers(numbers)[0], options.has_aux, dtype)(x)

    def prox(numbers: Any, x: Any, step_size: Array) -> Any:
        return with_numbers(numbers)[1](x, step_size)

    def prox_value(numbers: Any, x: Any) -> Array:
        return value_of(with_numbers(numbers)[1], dtype)(x)

    def value_and_gradient(numbers: Any, x: Any) -> tuple[Array, Any]:
        return with_gradient(partial(value_and_aux, numbers))(x)

    traces = [
        trace(value_and_aux, numbers, given.params),
        trace(prox, numbers, given.params, jnp.ones((), dtype)),
        trace(prox_value, numbers, given.params),
    ]
    ruled = has_rules(traces[0][0])  # then the gradient is a program of its own, in which the rules have been applied
    if ruled:
        traces.append(trace(value_and_gradient, numbers, given.params))
    consts = [of_trace for _, of_trace in traces]
    if not known(consts):
        return None
    schedule = given.step_size if callable(given.step_size) else None  # a function, of which nothing is known
    texts = [t.text for t, _ in traces]
    make = partial(_programs, [t for t, _ in traces], schedule, options, dtype, smooth)
    alone = schedule or None in texts or (ruled and options.method not in BY_GRADIENTS)
    programs = make() if alone else shared((*texts, options, dtype, smooth), make)
    constants = ((consts, numbers), None if schedule else given.step_size, given.tol)
    run = watch.through(partial(programs.go_on, *constants), programs.begin(*constants, given.params, given.warm))
    return programs.finish(*constants, run)


def _programs(traces: list[Trace], schedule: Any, options: Options, dtype: Any, smooth: bool) -> Programs:
    """They hold no number, nor a function of the user's."""

    def problem_of(data: Any) -> tuple[Problem, Callable[[Any], tuple[Array, Any]]]:
        consts, numbers = data
        over = [partial(t.over(c), numbers) for t, c in zip(traces, consts, strict=True)]
        value_and_aux, prox, prox_value, *own_gradient = over
        problem = Problem(
            value=lambda x: value_and_aux(x)[0],
            value_and_gradient=own_gradient[0] if own_gradient else with_gradient(value_and_aux),
            prox=lambda x, s: prox(x, jnp.asarray(s, dtype)),
            prox_value=prox_value,
            smooth=smooth,
            dtype=dtype,
        )
        return problem, value_and_aux

    def loop_of(problem: Problem, step_size: Any, tol: Any) -> Loop:
        prox = none() if smooth else Prox(problem.prox, problem.prox_value)
        chosen = chosen_method(options.method, prox, schedule or step_size)
        return Loop(chosen, tol, options.max_steps, None, options.history)

    def begin(data, step_size, tol, params, warm):
        problem, _ = problem_of(data)
        run = loop_of(problem, step_size, tol).begin(problem, params, warm)
        return jax.tree.map(lambda x: jax.lax.convert_element_type(x, x.dtype), run)  # as it is after a step

    def go_on(data, step_size, tol, run, until):
        problem, _ = problem_of(data)
        return loop_of(problem, step_size, tol).go_on(problem, run, until)

    def finish(data, step_size, tol, run):
        problem, value_and_aux = problem_of(data)
        return solution_at(*loop_of(problem, step_size, tol).finish(problem, run), problem, value_and_aux)

    return Programs(*map(jax.jit, (begin, go_on, finish)))
