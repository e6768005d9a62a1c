"""Accelerated proximal gradient with full backtracking: the step grows as well as it shrinks.

Scheinberg, Goldfarb & Bai, Foundations of Computational Mathematics 14, 2014. A trial with step s, after a step s_k
that was taken with t_k ::

    t  = (1 + sqrt(1 + 4 t_k^2 s_k / s)) / 2                        the correction that a changing step needs
    y  = x_k + (t_k - 1) / t (x_k - x_{k-1})
    x  = prox_{s g}(y - s grad f(y))
    accepted if D(x, y) <= |x - y|^2 / (2 s)                        D(x, y) = f(x) - f(y) - <grad f(y), x - y>

A rejected step is cut by ``SHRINK``; where the test holds with room for that cut, the next trial is longer by 1 /
``GROW``. After <y - x, x - x_k> > 0 the momentum starts again from rest (O'Donoghue & Candes, arXiv:1204.3982).

Two things make it work at any scale and in float32. The first trial takes the curvature along the gradient, at a
distance f / |grad f|^2, which has the units of a step. And where |x - y|^2 / (2 s) is so small that the difference of
two values of f is rounding, the test asks the gradients: <grad f(x) - grad f(y), x - y> <= |x - y|^2 / s, as TFOCS does
(Becker, Candes & Grant, arXiv:1009.2065).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax import trees
from nag_optax.composite.curvature import along_gradient
from nag_optax.composite.implicit import without_derivative
from nag_optax.composite.iteration import Method, Point, Problem, start

SHRINK = 0.5
GROW = 0.9
MAX_TRIALS = 200  # from the largest float32 to the smallest


class Carry(NamedTuple):
    """Attributes:
    previous: x_{k-1}.
    t: t_k.
    room: whether the last test held with room for a longer step.
    """

    previous: Any
    t: Array
    room: Array


class Trial(NamedTuple):
    """Attributes:
    step: s.
    t: t that goes with it.
    y: where the gradient was taken.
    x: where prox led.
    f_y: f at y.
    f_x: f at x.
    gradient: grad f(y).
    distance: |x - y|^2.
    excess: how far the test is from holding, relative to |x - y|^2 / (2 s); at most 1 if it holds.
    count: trials so far.
    values: evaluations of f alone.
    gradients: evaluations of f and its gradient.
    """

    step: Array
    t: Array
    y: Any
    x: Any
    f_y: Array
    f_x: Array
    gradient: Any
    distance: Array
    excess: Array
    count: Array
    values: Array
    gradients: Array


def full_backtracking() -> Method:
    """The default method of `nag_optax.minimize`."""
    return Method(_init, _step)


def _init(problem: Problem, params: Any, step_size: Array | None) -> Point:
    evaluated = 0
    if step_size is None:
        f, gradient = problem.value_and_gradient(params)
        seen = along_gradient(lambda x: problem.value_and_gradient(x)[1], params, f, gradient)
        step_size, evaluated = 1 / seen, 2
    carry = Carry(previous=params, t=jnp.ones((), problem.dtype), room=jnp.asarray(False))
    return start(params, carry, problem.dtype, step_size, gradients=evaluated)


def _step(problem: Problem, point: Point) -> Point:
    carry = point.carry
    first = jnp.where(carry.room, point.step_size / GROW, point.step_size)
    if problem.unrolled:  # the step size is a constant to derivatives, the step is not
        step, (values, gradients) = without_derivative(lambda step: _searched_step(problem, point, step), first)
        trial = _try(problem, point, step, _before(problem, point))
        trial = trial._replace(values=trial.values + values, gradients=trial.gradients + gradients)
    else:
        trial = _search(problem, point, first)
    accepted = trial.excess <= 1
    x = trees.where(accepted, trial.x, point.params)
    move = trees.minus(trial.y, trial.x)
    uphill = trees.inner(move, trees.minus(x, point.params)) > 0
    t = jnp.where(uphill, 1, trial.t)
    previous = trees.where(uphill, x, point.params)
    scale = trees.norm(trial.gradient)
    eps = jnp.finfo(problem.dtype).eps
    unmoved = jnp.where(jnp.isfinite(trial.excess), point.value, jnp.nan)
    return Point(
        params=x,
        value=jnp.where(accepted, trial.f_x + problem.prox_value(x), unmoved),
        mapping=jnp.sqrt(trial.distance) / trial.step,
        resolution=eps * (scale + trees.norm(trial.y) / trial.step),
        gradient=scale,
        step_size=trial.step,
        gradients=point.gradients + trial.gradients,
        values=point.values + trial.values,
        stuck=~accepted,
        carry=Carry(previous=previous, t=t, room=accepted & (trial.excess <= SHRINK)),
    )


def _searched_step(problem: Problem, point: Point, first: Array) -> tuple[Array, tuple[Array, Array]]:
    trial = _search(problem, point, first)
    return trial.step, (trial.values, trial.gradients)


def _search(problem: Problem, point: Point, first: Array) -> Trial:
    """The first trial that passes the test, or the last one before it is hopeless."""

    def goes_on(trial):
        hopeless = (trial.count >= MAX_TRIALS) | (~jnp.isfinite(trial.f_y) & (trial.count > 1))
        return ~(trial.excess <= 1) & ~hopeless

    def again(trial):
        return _try(problem, point, SHRINK * trial.step, trial)

    return jax.lax.while_loop(goes_on, again, _before(problem, point)._replace(step=first / SHRINK))


def _before(problem: Problem, point: Point) -> Trial:
    """What stands before the first trial: nothing accepted, nothing counted."""
    x, zero, count = point.params, jnp.zeros((), problem.dtype), jnp.zeros((), jnp.int32)
    return Trial(zero, zero, x, x, zero, zero, x, zero, zero + jnp.inf, count, count, count)


def _try(problem: Problem, point: Point, step: Array, before: Trial) -> Trial:
    x_k, (previous, t_k, _) = point.params, point.carry
    t_k = jnp.where(jnp.isfinite(before.f_y), t_k, 1)  # momentum led out of f's domain: back to x_k
    t = (1 + jnp.sqrt(1 + 4 * t_k**2 * point.step_size / step)) / 2
    y = trees.plus(x_k, (t_k - 1) / t, trees.minus(x_k, previous))
    f_y, gradient = problem.value_and_gradient(y)
    x = problem.prox(trees.plus(y, -step, gradient), step)
    f_x = problem.value(x)
    d = trees.minus(x, y)
    distance = jnp.asarray(trees.squared_norm(d), problem.dtype)
    allowed = distance / (2 * step)

    eps = jnp.finfo(problem.dtype).eps
    resolved = allowed > 100 * eps * jnp.maximum(jnp.abs(f_x), jnp.abs(f_y))
    by_values = f_x - f_y - trees.inner(gradient, d)

    def by_gradients():
        difference = trees.minus(problem.value_and_gradient(x)[1], gradient)
        return jnp.asarray((trees.inner(difference, d) - 4 * eps * trees.norm(gradient) * jnp.sqrt(distance)) / 2)

    needs_gradients = ~resolved & jnp.isfinite(f_x)
    curvature = jax.lax.cond(
        needs_gradients, lambda: by_gradients().astype(problem.dtype), lambda: by_values.astype(problem.dtype)
    )
    finite = jnp.isfinite(f_x) & jnp.isfinite(f_y) & jnp.isfinite(distance)
    excess = jnp.where(finite, curvature / jnp.where(allowed > 0, allowed, 1), jnp.inf)
    excess = jnp.where(f_x == -jnp.inf, 0, excess)  # unbounded from below, which the loop reports
    counts = before.count + 1, before.values + 1, before.gradients + 1 + needs_gradients
    return Trial(step, t, y, x, f_y, f_x, gradient, distance, excess, *counts)
