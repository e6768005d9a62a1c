"""The loop around a method: it stops, keeps the best point, writes the history and says how it ended."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_optax import trees
from nag_optax.solve.method import Method, Point, Problem
from nag_optax.solve.result import History, Solution, SolverState, Status
from nag_optax.solve.rounding import lost_in_rounding
from nag_optax.solve.stopping import RUNNING, Progress, begin, judge, unit_without_units, unresolved
from nag_optax.solve.while_loop import while_loop


class End(NamedTuple):
    """How a run ended; attributes as in `nag_optax.Solution`, and a number that f + g nowhere falls below, or NaN."""

    error: Array
    steps: Array
    status: Array
    state: SolverState
    bound: Array


def solution_at(found: Any, end: End, problem: Problem, value_and_aux: Callable[[Any], tuple[Array, Any]]) -> Solution:
    """What a run has found, with f + g and aux there."""
    value, aux = value_and_aux(found)
    value += problem.prox_value(found)
    return Solution(found, value, end.error, end.steps, end.status, end.state, aux, value - end.bound)


class Run(NamedTuple):
    """A run on its way.

    Attributes:
      point: where the method is.
      best: params of the lowest value so far, that value, and the error there.
      progress: what stopping remembers.
      status: `RUNNING`, or how it ended.
      history: so far, or None.
      bound: the largest number so far that f + g nowhere falls below; None where nobody knows one.
    """

    point: Point
    best: Any
    best_value: Array
    best_error: Array
    progress: Progress
    status: Array
    history: History | None
    bound: Array | None


class Loop(NamedTuple):
    """A method, run until it stops.

    Attributes:
      method: what is run.
      tol: error at which it has converged.
      max_steps: steps at most.
      callback: called with (step, value, error) after every step, or None; True and StopIteration end the run.
      keep_history: whether to keep value and error of every step.
      by_gap: whether the duality gap decides what has converged.
    """

    method: Method
    tol: float
    max_steps: int
    callback: Callable[[Array, Array, Array], Any] | None
    keep_history: bool
    by_gap: bool = False

    def run(self, problem: Problem, params: Any, warm: SolverState | None) -> tuple[Any, End]:
        """The final params, those of the best point unless the run converged, and how it ended."""
        return self.finish(problem, self.go_on(problem, self.begin(problem, params, warm)))

    def go_on(self, problem: Problem, first: Run, until: Array | None = None) -> Run:
        """A run that has ended, or has taken so many steps."""
        if problem.unrolled:

            def maybe(run, _):
                running = run.status == RUNNING
                return jax.lax.cond(running, lambda r: self._advance(problem, r), lambda r: r, run), None

            return jax.lax.scan(maybe, first, length=self.max_steps)[0]

        def goes_on(run):
            running = run.status == RUNNING
            return running if until is None else running & (run.progress.steps < until)

        return while_loop(goes_on, lambda run: self._advance(problem, run), first)

    def finish(self, problem: Problem, last: Run) -> tuple[Any, End]:
        """The final params, those of the best point unless the run converged, and how it ended."""
        point, progress = last.point, last.progress
        state = SolverState(
            point.step_size, unit_without_units(progress, point), point.gradients, point.values, last.history
        )
        found = trees.where(last.status == Status.CONVERGED, point.params, last.best)
        status = self._after_rounding(problem, found, last.status, point)
        bound = jnp.asarray(jnp.nan, problem.dtype)
        if last.bound is not None:
            lower, _ = bound_at(problem, found)
            bound = jnp.fmax(last.bound, jnp.asarray(lower))
        return found, End(progress.error, progress.steps, status, state, bound)

    def _after_rounding(self, problem: Problem, found: Any, status: Array, point: Point) -> Array:
        """The status, where steps that are rounded away do not pass for an end."""
        certified = (status == Status.CONVERGED) & self.by_gap
        stands = (status == Status.STALLED) | ((status == Status.CONVERGED) & unresolved(point) & ~certified)
        look = partial(lost_in_rounding, problem, found, point.step_size, self.tol)
        lost = jax.lax.cond(stands, look, lambda: stands)
        return jnp.where(lost, jnp.int32(Status.BADLY_SCALED), status)

    def begin(self, problem: Problem, params: Any, warm: SolverState | None) -> Run:
        """A run before its first step."""
        nothing = jnp.full((self.max_steps,), jnp.nan, problem.dtype)
        first = self.method.init(problem, params, warm.step_size if warm else None)
        return Run(
            point=_in_dtype(first, "init", problem.dtype),
            best=params,
            best_value=jnp.asarray(jnp.inf, problem.dtype),
            best_error=jnp.asarray(jnp.inf, problem.dtype),
            progress=begin(problem.dtype, warm),
            status=jnp.asarray(RUNNING, jnp.int32),
            history=History(nothing, nothing) if self.keep_history else None,
            bound=None if problem.lower_bound is None else jnp.asarray(-jnp.inf, problem.dtype),
        )

    def _certified(self, problem: Problem, run: Run, point: Point) -> tuple[Array | None, Array | None]:
        """The best bound so far, and whether it ends the run; None where nobody knows a bound, or asks for it."""
        lower, value = point.lower, point.value
        if self.by_gap and lower is None:
            lower, value = bound_at(problem, point.params)
        if run.bound is None or lower is None:
            return run.bound, None
        bound = jnp.fmax(run.bound, lower)
        return bound, value - bound <= self.tol * jnp.abs(value) if self.by_gap else None

    def _advance(self, problem: Problem, run: Run) -> Run:
        point = _in_dtype(self.method.advance(problem, run.point), "advance", problem.dtype)
        bound, certified = self._certified(problem, run, point)
        progress, status = judge(run.progress, point, self.tol, self.max_steps, certified)
        # Values that differ by rounding say nothing of their points, and then the error does.
        rounding = 10 * jnp.finfo(problem.dtype).eps * jnp.abs(point.value)
        lower = point.value < run.best_value - rounding
        nearer = (point.value <= run.best_value + rounding) & (progress.error <= run.best_error)
        better = (status != Status.NONFINITE) & (lower | nearer)
        history = run.history
        if history is not None:
            at = run.progress.steps
            history = History(history.value.at[at].set(point.value), history.error.at[at].set(progress.error))
        if self.callback is not None:
            seen = progress.steps, point.value, progress.error
            if problem.unrolled:  # derivatives do not go through what asks the host for an answer
                jax.debug.callback(self.callback, *seen)
            else:
                asked, answer = partial(wants_to_stop, self.callback), jax.ShapeDtypeStruct((), bool)
                stops = jax.pure_callback(asked, answer, *seen, vmap_method="sequential")
                status = jnp.where(stops & (status == RUNNING), jnp.int32(Status.STOPPED), status)
        return Run(
            point=point,
            best=trees.where(better, point.params, run.best),
            best_value=jnp.where(better, point.value, run.best_value),
            best_error=jnp.where(better, progress.error, run.best_error),
            progress=progress,
            status=status,
            history=history,
            bound=bound,
        )


def bound_at(problem: Problem, params: Any) -> tuple[Array | None, Array]:
    """A number that f + g nowhere falls below, None where nobody knows one, and f + g at params."""
    seen = problem.seen(params)
    f, slope = problem.value_and_slope(seen)
    bound = problem.lower_bound and problem.lower_bound(params, seen, slope, problem.gradient(params, slope))
    return bound, f + problem.prox_value(params)


def _in_dtype(point: Any, name: str, dtype: Any) -> Point:
    """The point that a method returned, its scalars in the dtype of the problem's."""
    if not isinstance(point, Point):
        raise TypeError(f"method: {name} of a Method must return a Point, got {type(point).__name__}.")
    measured = {name: x for name, x in point._asdict().items() if name not in ("params", "carry") and x is not None}
    wide = {name: x for name, x in measured.items() if jnp.issubdtype(jnp.result_type(x), jnp.floating)}
    return point._replace(**{name: jnp.asarray(x, dtype) for name, x in wide.items()})


def wants_to_stop(callback: Callable[[Array, Array, Array], Any], *seen: Array) -> np.ndarray:
    """Whether a callback ends the run, by True, StopIteration or TimeoutError."""
    try:
        answer = callback(*seen)
        is_boolean = isinstance(answer, bool) or getattr(answer, "dtype", None) == np.bool_
        return np.asarray(is_boolean and bool(answer))
    except (StopIteration, TimeoutError):
        return np.asarray(True)
