"""When a run is over: what converged, stalled and the unit of the error mean, for every method.

**Converged** asks two things. The gradient mapping is small beside what it is made of, |grad f| + |x| / s, and beside
the initial mapping where that is smaller, so that neither a start far away nor a poor one is the measure. And the value
has settled: in the last fifth of the steps, at least, its lowest fell by no more than ``tol``, relatively. A method
that converges at least as 1 / k is then that close to the minimum; and a mapping that is small because f is flat, far
from the minimum, does not pass. Nor does a plateau from which it could still fall far: by its potential, the sum of
|m_i| |x_i| over the mapping m, which no unit of a coordinate changes, and which bounds the fall of a convex function
where every coordinate's way is as long as x's. Where the value is far below its potential, the minimum is 0, and the
mapping alone decides.

**Stalled** asks that neither value nor error have found a new lowest for a fifth of all steps, at a mapping that is
rounding; `nag_optax.solve.rounding` then looks whether only the steps are lost in it. Nothing remembers where the run
began, but for a solution at 0, which has no size.
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

ZERO = 1e-3
"""A value so many times smaller than what it could fall by, at least, is on its way to 0."""

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


def judge(
    before: Progress, point: Point, tol: float, max_steps: int, certified: Array | None = None
) -> tuple[Progress, Array]:
    """The progress after a step, and the status; ``certified`` says what has converged in the place of the mapping."""
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
    potential = point.mapping * size if point.potential is None else point.potential
    plateau = falls_far(value, potential, tol**0.75) & ~unresolved(point)
    flat = (fall <= (tol + 10 * eps) * jnp.abs(value)) & ~plateau
    settled = flat | nearly_zero(value, potential, tol) | (size <= FAR * tol * largest)

    gain = (error < before.smallest) | (value < before.lowest)
    since = jnp.where(gain, 0, before.since + 1)
    exhausted = unresolved(point) & (since >= PATIENCE) & (since.astype(dtype) >= (1 - WINDOW) * taken)

    finite = jnp.isfinite(point.value) & jnp.isfinite(point.mapping) & jnp.isfinite(point.gradient)
    converged = (error <= tol) & settled & ~point.stuck if certified is None else certified
    status = jnp.select(
        [~finite, converged, point.stuck | exhausted, steps >= max_steps],
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


def falls_far(value: Array, potential: Array, share: float) -> Array:
    """Whether a value with this potential, see `Point`, could fall by more than so much of itself."""
    return potential > share * jnp.abs(value)


def nearly_zero(value: Array, potential: Array, tol: float) -> Array:
    """Whether a value is as far below its potential as on the way to a minimum of 0, where nothing is relative."""
    return jnp.abs(value) <= jnp.minimum(tol**0.5, ZERO) * potential


def unresolved(point: Point) -> Array:
    """Whether rounding may have made the mapping what it is."""
    return (point.mapping <= 10 * point.resolution) & jnp.isfinite(point.resolution)


def unit_without_units(progress: Progress, point: Point) -> Array:
    """What a warm start takes with it; 0 where the curvature is not known."""
    terms = point.gradient + trees.norm(point.params) * _curvature(point)
    return jnp.where(jnp.isfinite(terms) & (terms > 0), progress.unit / jnp.where(terms > 0, terms, 1), 0)


def _curvature(point: Point) -> Array:
    """Infinite where nobody knows it."""
    if point.curvature is not None:
        return point.curvature
    return jnp.where(point.step_size > 0, 1 / point.step_size, jnp.inf)
