"""Accelerated proximal gradient with full backtracking: the step grows as well as it shrinks.

Scheinberg, Goldfarb & Bai, Foundations of Computational Mathematics 14, 2014. A trial with step s, after a step s_k
that was taken with t_k ::

    t  = (1 + sqrt(1 + 4 t_k^2 s_k / s)) / 2                        the correction that a changing step needs
    y  = x_k + (t_k - 1) / t (x_k - x_{k-1})
    x  = prox_{s g}(y - s grad f(y))
    accepted if D(x, y) <= |x - y|^2 / (2 s)                        D(x, y) = f(x) - f(y) - <grad f(y), x - y>

A rejected step is cut by ``SHRINK``; where the test holds with room for that cut, the next trial is longer by 1 /
``GROW``. Where a restart test says so, by default after <y - x, x - x_k> > 0, t_k is 1: the next y is x_k.

Two things make it work at any scale and in float32. The first trial takes the curvature along the gradient, at a
distance f / |grad f|^2, which has the units of a step. And where |x - y|^2 / (2 s) is so small that the difference of
two values of f is rounding, the test asks the gradients: <grad f(x) - grad f(y), x - y> <= |x - y|^2 / s, as TFOCS does
(Becker, Candes & Grant, arXiv:1009.2065).

Where f is a function of A x, images are kept and combined as their points are: a trial costs one product with A and one
with its transpose.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax import trees
from nag_optax.engine.restart import Evidence, Restart, RestartTest, as_test
from nag_optax.solve.first_step import FirstStep, first_step
from nag_optax.solve.implicit import without_derivative
from nag_optax.solve.linear import pairing
from nag_optax.solve.method import Method, Point, Problem, start
from nag_optax.solve.while_loop import while_loop

SHRINK = 0.5
GROW = 0.9
MAX_TRIALS = 200  # from the largest float32 to the smallest


class Carry(NamedTuple):
    """Attributes:
    previous: x_{k-1}.
    t: t_k.
    room: whether the last test held with room for a longer step.
    steps: steps so far.
    age: steps since the last restart.
    reference: what the restart test has kept.
    images: A x_k and A x_{k-1}; None where nothing is known to be linear.
    """

    previous: Any
    t: Array
    room: Array
    steps: Array
    age: Array
    reference: Array
    images: tuple[Any, Any] | None


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


def full_backtracking(restart: Restart = "gradient") -> Method:
    """The default method of `nag_optax.minimize`.

    Args:
      restart: see `nag_optax.accelerate`; the loss that a test sees is f + g.
    """
    test = as_test(restart)
    return Method(partial(_init, test), partial(_advance, test))


def _init(test: RestartTest | None, problem: Problem, params: Any, step_size: Array | None) -> Point:
    image = problem.seen(params)
    taken = first_step(problem, params, image) if step_size is None else FirstStep(step_size, 0, 0)
    count = jnp.zeros((), jnp.int32)
    reference = jnp.asarray(test.reference if test else 0, problem.dtype)
    images = None if problem.linear is None else (image, image)
    carry = Carry(params, jnp.ones((), problem.dtype), jnp.asarray(False), count, count, reference, images)
    first = start(params, carry, problem.dtype, taken.size, taken.gradients, taken.values + (images is not None))
    return first._replace(potential=first.mapping, lower=None if problem.lower_bound is None else -first.mapping)


def _advance(test: RestartTest | None, problem: Problem, point: Point) -> Point:
    carry = point.carry
    first = jnp.where(carry.room, point.step_size / GROW, point.step_size)
    if problem.unrolled:  # the step size is a constant to derivatives, the step is not
        step_size, (values, gradients) = without_derivative(lambda s: _searched_step_size(problem, point, s), first)
        trial = _try(problem, point, step_size, _before(problem, point))
        trial = trial._replace(values=trial.values + values, gradients=trial.gradients + gradients)
    else:
        trial = _search(problem, point, first)
    accepted = trial.excess <= 1
    x = trees.where(accepted, trial.x, point.params)
    value = trial.f_x + problem.prox_value(x)
    t, age, reference = trial.t, carry.age + 1, carry.reference
    descent = trees.minus(trial.y, trial.x)
    if test:
        move = trees.minus(x, point.params)
        evidence = Evidence(
            updates=carry.steps,
            age=carry.age,
            reference=carry.reference,
            slope=lambda: trees.inner(descent, move),
            squared_speed=lambda: trees.squared_norm(move),
            value=lambda: value,
            gradients=trial.gradient,
            params=trial.y,
            extra={},
        )
        restarts, reference = test.verdict(evidence)
        t = jnp.where(evidence.just_restarted() if test.late else restarts, 1, t)
        age = jnp.where(restarts, 0, age)
        reference = jnp.asarray(reference, problem.dtype)
    length = trees.norm(trial.gradient)
    if problem.smooth:  # the mapping is the gradient, also where a step is so short that rounding makes it 0
        mapping, potential = length, trees.absolute_inner(trial.gradient, x)
    else:
        mapping = jnp.sqrt(trial.distance) / trial.step_size
        potential = trees.absolute_inner(descent, x) / trial.step_size
    unmoved = jnp.where(jnp.isfinite(trial.excess), point.value, jnp.nan)
    room = accepted & (trial.excess <= SHRINK)
    images = carry.images and (trees.where(accepted, trial.image, carry.images[0]), carry.images[0])
    return Point(
        params=x,
        value=jnp.where(accepted, value, unmoved),
        mapping=mapping,
        resolution=trees.rounding(trial.gradient) + trees.rounding(trial.y) / trial.step_size,
        gradient=length,
        step_size=trial.step_size,
        gradients=point.gradients + trial.gradients,
        values=point.values + trial.values,
        stuck=~accepted,
        carry=Carry(point.params, t, room, carry.steps + 1, age, reference, images),
        potential=potential,
        lower=trial.lower,
    )


def _searched_step_size(problem: Problem, point: Point, first: Array) -> tuple[Array, tuple[Array, Array]]:
    trial = _search(problem, point, first)
    return trial.step_size, (trial.values, trial.gradients)


def _search(problem: Problem, point: Point, first: Array) -> Trial:
    """The first trial that passes the test, or the last one before it is hopeless."""

    def goes_on(trial):
        hopeless = (trial.trials >= MAX_TRIALS) | (~jnp.isfinite(trial.f_y) & (trial.trials > 1))
        return ~(trial.excess <= 1) & ~hopeless

    def again(trial):
        return _try(problem, point, SHRINK * trial.step_size, trial)

    return while_loop(goes_on, again, _before(problem, point)._replace(step_size=first / SHRINK))


def _before(problem: Problem, point: Point) -> Trial:
    """What stands before the first trial: nothing accepted, nothing counted."""
    x, zero, count = point.params, jnp.zeros((), problem.dtype), jnp.zeros((), jnp.int32)
    image = point.carry.images and point.carry.images[0]
    lower = None if problem.lower_bound is None else zero - jnp.inf
    return Trial(zero, zero, x, x, zero, zero, x, zero, zero + jnp.inf, count, count, count, image, lower)


def _try(problem: Problem, point: Point, step_size: Array, before: Trial) -> Trial:
    x_k, previous, t_k, images = point.params, point.carry.previous, point.carry.t, point.carry.images
    t_k = jnp.where(jnp.isfinite(before.f_y), t_k, 1)  # momentum led out of f's domain: back to x_k
    t = (1 + jnp.sqrt(1 + 4 * t_k**2 * point.step_size / step_size)) / 2
    y = _extrapolated(x_k, previous, (t_k - 1) / t)
    seen_y = _extrapolated(images[0], images[1], (t_k - 1) / t) if images else y
    f_y, slope = problem.value_and_slope(seen_y)
    gradient = problem.gradient(y, slope)
    x = problem.prox(trees.plus(y, -step_size, gradient), step_size)
    seen_x = problem.seen(x)
    f_x = problem.value_at(seen_x)
    d = trees.minus(x, y)
    distance = jnp.asarray(trees.squared_norm(d), problem.dtype)
    allowed = distance / (2 * step_size)

    eps = jnp.finfo(problem.dtype).eps
    resolved = allowed > 100 * eps * jnp.maximum(jnp.abs(f_x), jnp.abs(f_y))
    by_values = f_x - f_y - trees.inner(gradient, d)

    def by_gradients():
        moved = trees.minus(seen_x, seen_y)
        difference = trees.minus(problem.value_and_slope(seen_x)[1], slope)
        rounding = 4 * eps * jnp.sqrt(pairing(slope, slope, f_x) * pairing(moved, moved, f_x))
        return (pairing(difference, moved, f_x) - rounding) / 2

    needs_gradients = ~resolved & jnp.isfinite(f_x)
    curvature = jax.lax.cond(
        needs_gradients, lambda: by_gradients().astype(problem.dtype), lambda: by_values.astype(problem.dtype)
    )
    finite = jnp.isfinite(f_x) & jnp.isfinite(f_y) & jnp.isfinite(distance)
    excess = jnp.where(finite, curvature / jnp.where(allowed > 0, allowed, 1), jnp.inf)
    excess = jnp.where(f_x == -jnp.inf, 0, excess)  # unbounded from below, which the loop reports
    again = 0 if images else needs_gradients.astype(jnp.int32)
    counts = before.trials + 1, before.values + 1, before.gradients + 1 + again
    image = seen_x if images else None
    lower = problem.lower_bound(y, seen_y, slope, gradient) if problem.lower_bound else None
    return Trial(step_size, t, y, x, f_y, f_x, gradient, distance, excess, *counts, image, lower)


def _extrapolated(x: Any, previous: Any, momentum: Array) -> Any:
    return trees.plus(x, momentum, trees.minus(x, previous))
