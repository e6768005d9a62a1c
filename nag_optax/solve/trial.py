"""One trial of a line search: a proximal step of some size, and whether f curves as little as that size assumes.

What is asked depends on what rounding leaves: two values of f, the slopes at two images, or two gradients.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax import trees
from nag_optax.solve.linear import pairing
from nag_optax.solve.method import Point, Problem
from nag_optax.solve.while_loop import while_loop

SHRINK = 0.5
MAX_TRIALS = 200  # from the largest float32 to the smallest


class Trial(NamedTuple):
    """Attributes:
    step_size: s.
    t: t that goes with it.
    y: where the gradient was taken.
    x: where prox led.
    f_y: f at y.
    f_x: f at x.
    gradient: grad f(y).
    distance: |x - y|^2.
    excess: how far the test is from holding, relative to |x - y|^2 / (2 s); at most 1 if it holds.
    trials: trials so far.
    values: evaluations of f alone.
    gradients: evaluations of f and its gradient.
    image: A x, or None.
    lower: a number that f + g nowhere falls below, or None.
    """

    step_size: Array
    t: Array
    y: Any
    x: Any
    f_y: Array
    f_x: Array
    gradient: Any
    distance: Array
    excess: Array
    trials: Array
    values: Array
    gradients: Array
    image: Any
    lower: Array | None


def search(problem: Problem, point: Point, first: Array) -> Trial:
    """The first trial that passes the test, or the last one before it is hopeless."""

    def goes_on(trial):
        hopeless = (trial.trials >= MAX_TRIALS) | (~jnp.isfinite(trial.f_y) & (trial.trials > 1))
        return ~(trial.excess <= 1) & ~hopeless

    def again(trial):
        return attempt(problem, point, SHRINK * trial.step_size, trial)

    return while_loop(goes_on, again, before(problem, point)._replace(step_size=first / SHRINK))


def before(problem: Problem, point: Point) -> Trial:
    """What stands before the first trial: nothing accepted, nothing counted."""
    x, zero, count = point.params, jnp.zeros((), problem.dtype), jnp.zeros((), jnp.int32)
    image = point.carry.images and point.carry.images[0]
    lower = None if problem.lower_bound is None else zero - jnp.inf
    return Trial(zero, zero, x, x, zero, zero, x, zero, zero + jnp.inf, count, count, count, image, lower)


def attempt(problem: Problem, point: Point, step_size: Array, last: Trial) -> Trial:
    """A step of this size from the point to which momentum leads."""
    x_k, previous, t_k, images = point.params, point.carry.previous, point.carry.t, point.carry.images
    t_k = jnp.where(jnp.isfinite(last.f_y), t_k, 1)  # momentum led out of f's domain: back to x_k
    t = (1 + jnp.sqrt(1 + 4 * t_k**2 * point.step_size / step_size)) / 2
    y = _extrapolated(x_k, previous, (t_k - 1) / t)
    seen_y = _extrapolated(images[0], images[1], (t_k - 1) / t) if images else y
    f_y, slope = problem.value_and_slope(seen_y)
    gradient = problem.gradient(y, slope)
    x = problem.prox(trees.plus(y, -step_size, gradient), step_size)
    seen_x = problem.seen(x)
    f_x = problem.value_at(seen_x)
    distance = jnp.asarray(trees.squared_norm(trees.minus(x, y)), problem.dtype)
    allowed = distance / (2 * step_size)

    begin, end = _End(y, seen_y, f_y, slope, gradient), _End(x, seen_x, f_x)
    curvature, gradients = _curvature(problem, begin, end, distance, allowed)
    finite = jnp.isfinite(f_x) & jnp.isfinite(f_y) & jnp.isfinite(distance)
    excess = jnp.where(finite, curvature / jnp.where(allowed > 0, allowed, 1), jnp.inf)
    excess = jnp.where(f_x == -jnp.inf, 0, excess)  # unbounded from below, which the loop reports
    counts = last.trials + 1, last.values + 1, last.gradients + 1 + gradients
    image = seen_x if images else None
    lower = problem.lower_bound(y, seen_y, slope, gradient) if problem.lower_bound else None
    return Trial(step_size, t, y, x, f_y, f_x, gradient, distance, excess, *counts, image, lower)


def _extrapolated(x: Any, previous: Any, momentum: Array) -> Any:
    return trees.plus(x, momentum, trees.minus(x, previous))


class _End(NamedTuple):
    """A point, what f sees of it, f, and what is known of f's slope and gradient there."""

    params: Any
    seen: Any
    f: Array
    slope: Any = None
    gradient: Any = None


def _curvature(problem: Problem, y: _End, x: _End, distance: Array, allowed: Array) -> tuple[Array, Array]:
    """D(x, y), or what stands for it where that is rounding, and how many more gradients that has cost."""
    eps, moved = jnp.finfo(problem.dtype).eps, trees.minus(x.seen, y.seen)

    def by_values():
        return x.f - y.f - pairing(y.slope, moved, x.f)

    def by_gradients():
        # An image that was combined is rounded otherwise than a product.
        here = y.gradient if problem.linear is None else problem.value_and_gradient(y.params)[1]
        there = problem.gradient(x.params, problem.value_and_slope(x.seen)[1])
        slope = trees.inner(trees.minus(there, here), trees.minus(x.params, y.params))
        return (slope - 4 * eps * trees.norm(y.gradient) * jnp.sqrt(distance)) / 2

    def by_slopes():
        return pairing(trees.minus(problem.value_and_slope(x.seen)[1], y.slope), moved, x.f) / 2

    values_tell = (allowed > 100 * eps * jnp.maximum(jnp.abs(x.f), jnp.abs(y.f))) | ~jnp.isfinite(x.f)
    tests, gradients = [by_values, by_gradients], jnp.where(values_tell, 0, 1)
    if problem.linear is not None:
        images_tell = distance > (100 * trees.rounding(y.params)) ** 2
        tests, gradients = [*tests, by_slopes], jnp.where(images_tell | ~jnp.isfinite(x.f), 0, 3)
        chosen = jnp.where(gradients > 0, 1, jnp.where(values_tell, 0, 2))
    else:
        chosen = gradients
    curvature = jax.lax.switch(chosen, [lambda test=test: test().astype(problem.dtype) for test in tests])
    return curvature, gradients.astype(jnp.int32)
