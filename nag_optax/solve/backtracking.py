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

import jax.numpy as jnp
from jax import Array

from nag_optax import trees
from nag_optax.engine.restart import Evidence, Restart, RestartTest, as_test
from nag_optax.solve.first_step import FirstStep, first_step
from nag_optax.solve.implicit import without_derivative
from nag_optax.solve.method import Method, Point, Problem, start
from nag_optax.solve.trial import SHRINK, attempt, before, search

GROW = 0.9


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
        trial = attempt(problem, point, step_size, before(problem, point))
        trial = trial._replace(values=trial.values + values, gradients=trial.gradients + gradients)
    else:
        trial = search(problem, point, first)
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
    trial = search(problem, point, first)
    return trial.step_size, (trial.values, trial.gradients)
