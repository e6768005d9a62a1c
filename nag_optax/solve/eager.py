"""A minimisation from outside of ``jax.jit``: by programs that similar calls share, in pieces between which the host
looks at the clock, at Ctrl-C and at a callback.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
from jax import Array

from nag_optax.prox.operator import Prox, is_none, none
from nag_optax.scalars import hyperparameter_dtype
from nag_optax.solve.choice import chosen_method
from nag_optax.solve.compiled import known, shared
from nag_optax.solve.loop import Loop, Run, solution_at
from nag_optax.solve.method import Problem
from nag_optax.solve.problem import Parts, assembled
from nag_optax.solve.result import Solution, SolverState
from nag_optax.solve.source import source_of
from nag_optax.solve.watch import Watch
from nag_optax.solve.working_set import Columns, Sight, WorkingSets, check_rows, look

BY_GRADIENTS = ("full_backtracking", "fista", "pogm")
"""Methods that ask for gradients only, and differentiate nothing themselves."""


class Given(NamedTuple):
    """What may differ from call to call; attributes as in `nag_optax.minimize`."""

    params: Any
    warm: SolverState | None
    args: tuple[Any, ...]
    prox: Any
    linear: Any
    step_size: Any
    tol: Any


class Options(NamedTuple):
    """What makes other programs; attributes as in `nag_optax.minimize`."""

    method: Any
    has_aux: bool
    max_steps: int
    history: bool
    stop: str
    screen: bool


class Programs(NamedTuple):
    """A run in pieces; ``data`` are the numbers of the problem.

    Attributes:
      begin: ``begin(data, step_size, tol, params, warm) -> run``.
      go_on: ``go_on(data, step_size, tol, run, until) -> run``, at most so many steps in all.
      finish: ``finish(data, step_size, tol, run) -> solution``.
      go_on_with: ``go_on_with(data, columns, tol, run, until) -> run``, until the gap on a working set is small.
      look: ``look(data, run) -> sight``, at all columns.
      prox: ``prox(data, params, step_size) -> params``.
    """

    begin: Callable[..., Run]
    go_on: Callable[..., Run]
    finish: Callable[..., Solution]
    go_on_with: Callable[..., Run]
    look: Callable[..., Sight]
    prox: Callable[..., Any]


def solve_eagerly(
    fun: Callable[..., Any], given: Given, options: Options, watch: Watch, check: Callable[[], None]
) -> Solution | None:
    """The solution; None where the call is part of what is being traced. ``check()`` raises if the problem is none."""
    dtype, smooth = hyperparameter_dtype(given.params), is_none(given.prox)
    if not known(given):
        return None
    source = source_of(fun, given.args, options.has_aux, given.prox, given.linear, given.params, dtype, check)
    if source is None:
        return None
    schedule = given.step_size if callable(given.step_size) else None  # a function, of which nothing is known
    make = partial(_programs, source.parts, schedule, options, smooth, dtype)
    alone = schedule or source.key is None or (source.ruled and options.method not in BY_GRADIENTS)
    programs = make() if alone else shared((source.key, options, smooth), make)
    constants = (source.data, None if schedule else given.step_size, given.tol)
    go_on = partial(programs.go_on, *constants)
    if options.screen:
        check_rows(partial(programs.prox, source.data), given.params)
        with_columns, seeing = partial(programs.go_on_with, source.data), partial(programs.look, source.data)
        go_on = WorkingSets(given.linear, given.tol, with_columns, go_on, seeing)
    run = watch.through(go_on, programs.begin(*constants, given.params, given.warm))
    return programs.finish(*constants, run)


def _programs(
    parts_of_data: Callable[[Any], Parts], schedule: Any, options: Options, smooth: bool, dtype: Any
) -> Programs:
    """They hold no number, nor a function of the user's."""

    def problem_of(data: Any, columns: Columns | None = None) -> tuple[Problem, Callable[[Any], tuple[Array, Any]]]:
        parts = parts_of_data(data)
        if columns:
            parts = parts._replace(image=columns.image)
        *_, curvature = data
        return assembled(parts, smooth=smooth, dtype=dtype, curvature=curvature)

    def loop_of(problem: Problem, step_size: Any, tol: Any) -> Loop:
        prox = none() if smooth else Prox(problem.prox, problem.prox_value)
        chosen = chosen_method(options.method, prox, schedule or step_size)
        return Loop(chosen, tol, options.max_steps, None, options.history, options.stop == "gap")

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

    def go_on_with(data, columns, tol, run, until):
        problem, _ = problem_of(data, columns)
        return loop_of(problem, None, tol)._replace(by_gap=True).go_on(problem, run, until)

    def look_at_all(data, run):
        return look(problem_of(data)[0], run)

    def prox(data, params, step_size):
        return problem_of(data)[0].prox(params, step_size)

    return Programs(*map(jax.jit, (begin, go_on, finish, go_on_with, look_at_all, prox)))
