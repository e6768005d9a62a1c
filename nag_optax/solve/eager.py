"""A minimisation from outside of ``jax.jit``: by programs that similar calls share, in pieces between which the host
looks at the clock, at Ctrl-C and at a callback.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax.losses import Loss
from nag_optax.prox.operator import Prox, is_none, none
from nag_optax.scalars import hyperparameter_dtype
from nag_optax.solve.choice import chosen_method
from nag_optax.solve.compiled import Trace, has_rules, known, numbers_of, shared, trace
from nag_optax.solve.loop import Loop, Run, solution_at
from nag_optax.solve.method import Problem
from nag_optax.solve.problem import Parts, assembled, parts_of, with_gradient
from nag_optax.solve.result import Solution, SolverState
from nag_optax.solve.watch import Watch
from nag_optax.solve.working_set import Columns, Sight, WorkingSets, check_rows, look

BY_GRADIENTS = ("full_backtracking", "fista")
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


class Made(NamedTuple):
    """What programs are made of.

    Attributes:
      traces: of the parts of the problem, by their names in `Parts`.
      shifts: as in `Parts`.
      smooth: whether g = 0.
      dtype: of all scalars.
    """

    traces: dict[str, Trace]
    shifts: bool
    smooth: bool
    dtype: Any


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


def solve_eagerly(fun: Callable[..., Any], given: Given, options: Options, watch: Watch) -> Solution | None:
    """The solution; None where the call is part of what is being traced."""
    if not known(given):
        return None
    curvature = fun.curvature if isinstance(fun, Loss) else None
    numbers, with_numbers = numbers_of((given.args, given.prox, given.linear))
    dtype, smooth = hyperparameter_dtype(given.params), is_none(given.prox)

    def parts(numbers: Any) -> Parts:
        args, prox, linear = with_numbers(numbers)
        return parts_of(fun, args, options.has_aux, prox, linear, dtype)

    def traced(name: str, *examples: Any) -> tuple[Trace, list[Any]]:
        return trace(lambda numbers, *rest: getattr(parts(numbers), name)(*rest), numbers, *examples)

    present, one = parts(numbers), jnp.ones((), dtype)
    seen = jax.eval_shape(present.image, given.params) if present.image else given.params
    traces = {
        "value_and_aux": traced("value_and_aux", seen),
        "prox": traced("prox", given.params, one),
        "prox_value": traced("prox_value", given.params),
    }
    if present.image:
        traces["image"] = traced("image", given.params)
    if present.bound:
        traces["bound"] = traced("bound", seen, given.params, one)
    ruled = has_rules(traces["value_and_aux"][0])  # its slope is a program of its own, in which the rules are applied
    if ruled:
        traces["value_and_slope"] = traced("value_and_slope", seen)
    consts = {name: of_trace for name, (_, of_trace) in traces.items()}
    if not known(consts):
        return None
    schedule = given.step_size if callable(given.step_size) else None  # a function, of which nothing is known
    texts = tuple((name, t.text) for name, (t, _) in traces.items())
    made = Made({name: t for name, (t, _) in traces.items()}, present.shifts, smooth, dtype)
    make = partial(_programs, made, schedule, options)
    alone = schedule or any(text is None for _, text in texts) or (ruled and options.method not in BY_GRADIENTS)
    programs = make() if alone else shared((texts, *made[1:], options), make)
    constants = ((consts, numbers, curvature), None if schedule else given.step_size, given.tol)
    go_on = partial(programs.go_on, *constants)
    if options.screen:
        check_rows(partial(programs.prox, constants[0]), given.params)
        with_columns, seeing = partial(programs.go_on_with, constants[0]), partial(programs.look, constants[0])
        go_on = WorkingSets(given.linear, given.tol, with_columns, go_on, seeing)
    run = watch.through(go_on, programs.begin(*constants, given.params, given.warm))
    return programs.finish(*constants, run)


def _programs(made: Made, schedule: Any, options: Options) -> Programs:
    """They hold no number, nor a function of the user's."""

    def problem_of(data: Any, columns: Columns | None = None) -> tuple[Problem, Callable[[Any], tuple[Array, Any]]]:
        consts, numbers, curvature = data
        over = {name: partial(t.over(consts[name]), numbers) for name, t in made.traces.items()}
        parts = Parts(
            value_and_aux=over["value_and_aux"],
            value_and_slope=over.get("value_and_slope") or with_gradient(over["value_and_aux"]),
            prox=lambda x, s: over["prox"](x, jnp.asarray(s, made.dtype)),
            prox_value=over["prox_value"],
            image=columns.image if columns else over.get("image"),
            bound=over.get("bound"),
            shifts=made.shifts,
        )
        return assembled(parts, smooth=made.smooth, dtype=made.dtype, curvature=curvature)

    def loop_of(problem: Problem, step_size: Any, tol: Any) -> Loop:
        prox = none() if made.smooth else Prox(problem.prox, problem.prox_value)
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
