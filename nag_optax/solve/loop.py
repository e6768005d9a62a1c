"""The loop around a method: it stops, keeps the best point, writes the history and says how it ended."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax import trees
from nag_optax.solve.method import Method, Point, Problem
from nag_optax.solve.result import History, SolverState, Status

PATIENCE = 100
"""Steps without a new smallest error, near what the dtype resolves, after which there is nothing more to gain."""

RUNNING = -1


class End(NamedTuple):
    """How a run ended; attributes as in `nag_optax.Solution`."""

    error: Array
    steps: Array
    status: Array
    state: SolverState


class _Progress(NamedTuple):
    point: Point
    best: Any
    best_value: Array
    scale: Array
    error: Array
    smallest_error: Array
    since_smallest: Array
    steps: Array
    status: Array
    history: History | None


class Loop(NamedTuple):
    """A method, run until it stops.

    Attributes:
      method: what is run.
      tol: error at which it has converged.
      max_steps: steps at most.
      callback: called with (step, value, error) after every step, or None.
      keep_history: whether to keep value and error of every step.
    """

    method: Method
    tol: float
    max_steps: int
    callback: Callable[[Array, Array, Array], None] | None
    keep_history: bool

    def run(self, problem: Problem, params: Any, warm: SolverState | None) -> tuple[Any, End]:
        """The final params, those of the best point unless the run converged, and how it ended."""
        first = self._begin(problem, params, warm)
        if problem.unrolled:

            def maybe(progress, _):
                running = progress.status == RUNNING
                return jax.lax.cond(running, lambda p: self._advance(problem, p), lambda p: p, progress), None

            last, _ = jax.lax.scan(maybe, first, length=self.max_steps)
        else:
            last = jax.lax.while_loop(
                lambda progress: progress.status == RUNNING, lambda progress: self._advance(problem, progress), first
            )
        converged = last.status == Status.CONVERGED
        point = last.point
        state = SolverState(point.step_size, last.scale, point.gradients, point.values, last.history)
        return trees.where(converged, point.params, last.best), End(last.error, last.steps, last.status, state)

    def _begin(self, problem: Problem, params: Any, warm: SolverState | None) -> _Progress:
        dtype, zero = problem.dtype, jnp.zeros((), jnp.int32)
        infinite = jnp.asarray(jnp.inf, dtype)
        nothing = jnp.full((self.max_steps,), jnp.nan, dtype)
        return _Progress(
            point=_in_dtype(self.method.init(problem, params, warm.step_size if warm else None), "init", problem.dtype),
            best=params,
            best_value=infinite,
            scale=jnp.asarray(warm.scale if warm else 0, dtype),
            error=infinite,
            smallest_error=infinite,
            since_smallest=zero,
            steps=zero,
            status=zero + RUNNING,
            history=History(nothing, nothing) if self.keep_history else None,
        )

    def _advance(self, problem: Problem, progress: _Progress) -> _Progress:
        point = _in_dtype(self.method.advance(problem, progress.point), "advance", problem.dtype)
        steps = progress.steps + 1
        scale = jnp.where(progress.scale > 0, progress.scale, point.mapping)
        unit = jnp.maximum(scale, point.gradient)
        error = jnp.where(point.mapping > 0, point.mapping / jnp.where(unit > 0, unit, 1), point.mapping)

        finite = jnp.isfinite(point.value) & jnp.isfinite(point.mapping) & jnp.isfinite(point.gradient)
        better = finite & (point.value <= progress.best_value)
        smaller = error < progress.smallest_error
        since_smallest = jnp.where(smaller, 0, progress.since_smallest + 1)
        unresolved = (point.mapping <= 10 * point.resolution) & jnp.isfinite(point.resolution)
        exhausted = (since_smallest >= PATIENCE) & unresolved
        status = jnp.select(
            [~finite, (error <= self.tol) & ~point.stuck, point.stuck | exhausted, steps >= self.max_steps],
            [jnp.int32(s) for s in (Status.NONFINITE, Status.CONVERGED, Status.STALLED, Status.MAX_STEPS)],
            jnp.int32(RUNNING),
        )
        history = progress.history
        if history is not None:
            at = progress.steps
            history = History(history.value.at[at].set(point.value), history.error.at[at].set(error))
        if self.callback is not None:
            jax.debug.callback(self.callback, steps, point.value, error)
        return _Progress(
            point=point,
            best=trees.where(better, point.params, progress.best),
            best_value=jnp.where(better, point.value, progress.best_value),
            scale=scale,
            error=error,
            smallest_error=jnp.where(smaller, error, progress.smallest_error),
            since_smallest=since_smallest,
            steps=steps,
            status=status,
            history=history,
        )


def _in_dtype(point: Any, name: str, dtype: Any) -> Point:
    """The point that a method returned, its scalars in the dtype of the problem's."""
    if not isinstance(point, Point):
        raise TypeError(f"method: {name} of a Method must return a Point, got {type(point).__name__}.")
    scalars = ("value", "mapping", "resolution", "gradient", "step_size")
    return point._replace(**{scalar: jnp.asarray(getattr(point, scalar), dtype) for scalar in scalars})
