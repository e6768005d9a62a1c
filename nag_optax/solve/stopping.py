"""When a run is over: what converged, stalled and the unit of the error mean, for every method.

**Converged** asks two things. The gradient mapping is small beside what it is made of, |grad f| + |x| / s, and beside
the initial mapping where that is smaller, so that neither a start far away nor a poor one is the measure. And the value
has settled: in the last fifth of the steps, at least, its lowest fell by no more than ``tol``, relatively. A method
that converges at least as 1 / k is then that close to the minimum; and a mapping that is small because f is flat, far
from the minimum, does not pass. Where the value is far below mapping |x|, by which a convex function could still fall
if the way were as long as x, its minimum is 0, and the mapping alone decides.

**Stalled** asks that neither value nor error have found a new lowest for a fifth of all steps, at a mapping that is
rounding. Both forget where the run began, but for a solution at 0, which has no size.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from nag_optax import trees
from nag_optax.solve.method import Point
from nag_optax.solve.result import SolverState, Status

PATIENCE = 100
"""Steps without a new lowest value or error, at least, after which there is nothing more to gain."""

WINDOW = 0.8
"""A window of values begins at this share of the step at which it ends."""

FAR = 1e-7
"""A solution so many times smaller than the largest x is 0, has no size, and the initial mapping is the unit; the value
is believed to be 0 as well only where x has become smaller by as much again."""

RUNNING = -1


class Progress(NamedTuple):
    """What has to be remembered of the way.

    Attributes:
      first: the initial gradient mapping.
      largest: the largest |x|.
      ratio: of a warm start, its unit of the error relative to |grad f| + |x| / s; 0 for none.
      unit: the unit of the error.
      error: the gradient mapping in this unit.
      smallest: the smallest error.
      lowest: the lowest value.
      lows: the lowest values of the last three windows, the last one unfinished.
      window: the step at which that began.
      since: steps since the lowest value or error.
      steps: steps taken.
    """

    first: Array
    largest: Array
    ratio: Array
    unit: Array
    error: Array
    smallest: Array
    lowest: Array
    lows: Array
    window: Array
    since: Array
    steps: Array


def begin(dtype: Any, warm: SolverState | None) -> Progress:
    """Before the first step."""
    zero, count, infinite = jnp.zeros((), dtype), jnp.zeros((), jnp.int32), jnp.asarray(jnp.inf, dtype)
    # In old checkpoints it is a gradient, whatever its size.
    ratio = jnp.minimum(jnp.asarray(warm.scale if warm else 0, dtype), 1)
    return Progress(
        zero, zero, ratio, zero, infinite, infinite, infinite, jnp.full(3, jnp.inf, dtype), count, count, count
    )


def judge(before: Progress, point: Point, tol: float, max_steps: int) -> tuple[Progress, Array]:
    """The progress after a step, and the status."""
    steps = before.steps + 1
    dtype = point.value.dtype
    eps = jnp.finfo(dtype).eps
    value = point.value if point.objective is None else point.objective

    size = jnp.asarray(trees.norm(point.params), dtype)
    terms = point.gradient + size * _curvature(point)
    first = jnp.where(before.first > 0, before.first, point.mapping)
    largest = jnp.maximum(before.largest, size)
    vanished = size <= FAR * largest
    ours = jnp.where(before.ratio > 0, before.ratio * terms, jnp.minimum(first, terms))
    unit = jnp.maximum(jnp.where(vanished, first, ours), point.gradient)
    error = jnp.where(point.mapping > 0, point.mapping / jnp.where(unit > 0, unit, 1), point.mapping)

    taken = steps.astype(dtype)
    rolls = (before.window == 0) | (before.window.astype(dtype) <= WINDOW * taken)
    current = jnp.where(rolls, value, jnp.minimum(before.lows[2], value))
    lows = jnp.where(rolls, jnp.roll(before.lows, -1), before.lows).at[2].set(current)
    lows = jnp.where(before.window == 0, value, lows)
    fall = lows[0] - jnp.minimum(lows[1], lows[2])
    nothing_left = jnp.abs(value) <= tol**0.5 * point.mapping * size
    settled = (fall <= (tol + 10 * eps) * jnp.abs(value)) | nothing_left | (size <= FAR * tol * largest)

    gain = (error < before.smallest) | (value < before.lowest)
    since = jnp.where(gain, 0, before.since + 1)
    unresolved = (point.mapping <= 10 * point.resolution) & jnp.isfinite(point.resolution)
    exhausted = unresolved & (since >= PATIENCE) & (since.astype(dtype) >= (1 - WINDOW) * taken)

    finite = jnp.isfinite(point.value) & jnp.isfinite(point.mapping) & jnp.isfinite(point.gradient)
    status = jnp.select(
        [~finite, (error <= tol) & settled & ~point.stuck, point.stuck | exhausted, steps >= max_steps],
        [jnp.int32(s) for s in (Status.NONFINITE, Status.CONVERGED, Status.STALLED, Status.MAX_STEPS)],
        jnp.int32(RUNNING),
    )
    return Progress(
        first=first,
        largest=largest,
        ratio=before.ratio,
        unit=unit,
        error=error,
        smallest=jnp.minimum(before.smallest, error),
        lowest=jnp.minimum(before.lowest, value),
        lows=lows,
        window=jnp.where(rolls, steps, before.window),
        since=since,
        steps=steps,
    ), status


def unit_without_units(progress: Progress, point: Point) -> Array:
    """What a warm start takes with it; 0 where the curvature is not known."""
    terms = point.gradient + trees.norm(point.params) * _curvature(point)
    return jnp.where(jnp.isfinite(terms) & (terms > 0), progress.unit / jnp.where(terms > 0, terms, 1), 0)


def _curvature(point: Point) -> Array:
    """Infinite where nobody knows it."""
    if point.curvature is not None:
        return point.curvature
    return jnp.where(point.step_size > 0, 1 / point.step_size, jnp.inf)
