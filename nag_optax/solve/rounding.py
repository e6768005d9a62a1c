"""Whether a run that cannot go on is at the end of its dtype, or only at the end of its steps.

Where coordinates have very different curvatures, one step size is too short for the flat ones: a step there is less
than half a unit in the last place of x, and rounds to nothing, though the gradient is known well and f would fall. What
rounding does to a gradient is measured: it is compared with that of neighbours, one unit away in every coordinate.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax import trees
from nag_optax.engine.storage.rounding import random_bits
from nag_optax.solve.method import Problem
from nag_optax.solve.stopping import falls_far, nearly_zero
from nag_optax.solve.while_loop import while_loop

NEIGHBOURS = 4

SURE = 10
"""A coordinate of the gradient mapping counts beyond so many times what rounding makes of it."""


class _Seen(NamedTuple):
    looks: Array
    f: Array
    step_size: Array
    mapping: Any
    spread: Any


def lost_in_rounding(problem: Problem, params: Any, step_size: Array, tol: float) -> Array:
    """Whether f + g could still fall by much more than ``tol``, relatively.

    It could along coordinates whose gradient mapping is resolved, and it does where half of x is better than x, as in
    a problem whose data are rounding beside a start far away.
    """
    f, step, mapping, spread = _look_around(problem, params)

    def sure(m: Array, apart: Array, x: Array) -> Array:
        rounding = apart + jnp.finfo(x.dtype).eps * jnp.abs(x) / step
        return jnp.maximum(jnp.abs(m) - SURE * rounding, 0)

    value, surely = f + problem.prox_value(params), jax.tree.map(sure, mapping, spread, params)
    could_fall = falls_far(value, trees.absolute_inner(surely, params), tol**0.5)
    half = problem.prox(jax.tree.map(lambda x: x / 2, params), step_size)
    falls = problem.value(half) + problem.prox_value(half) < value - tol**0.5 * jnp.abs(value)
    return falls | could_fall & ~nearly_zero(value, SURE * trees.absolute_inner(mapping, params), tol)


def _look_around(problem: Problem, params: Any) -> tuple[Array, Array, Any, Any]:
    """Value of f, gradient mapping and its step size at params, and how far the neighbours' are from it."""

    def look(seen: _Seen) -> _Seen:
        first = seen.looks == 0
        f, gradient = problem.value_and_gradient(jax.tree.map(lambda x: _neighbour(x, seen.looks), params))
        length = trees.norm(gradient)
        # The mapping is zero at a minimum, whatever its step; this one is long enough for every coordinate.
        step = trees.norm(params) / jnp.where(length > 0, length, 1)
        step = jnp.where(first, jnp.where(step > 0, step, 1), seen.step_size)
        mapping = gradient
        if not problem.smooth:
            moved = trees.minus(params, problem.prox(trees.plus(params, -step, gradient), step))
            mapping = jax.tree.map(lambda d: d / step, moved)
        mapping = jax.tree.map(lambda m: m.astype(problem.dtype), mapping)
        here = trees.where(first, mapping, seen.mapping)
        spread = jax.tree.map(lambda most, a, b: jnp.maximum(most, jnp.abs(a - b)), seen.spread, here, mapping)
        return _Seen(seen.looks + 1, jnp.where(first, f, seen.f), step.astype(f.dtype), here, spread)

    nothing, zero = jax.tree.map(lambda x: trees.zeros(x, problem.dtype), params), jnp.zeros((), problem.dtype)
    first = _Seen(jnp.zeros((), jnp.int32), zero, zero, nothing, nothing)
    return while_loop(lambda seen: seen.looks <= NEIGHBOURS, look, first)[1:]


def _neighbour(x: Array, look: Array) -> Array:
    """Every entry one unit in the last place up or down, at random, but itself at the first look."""
    sign = jnp.where(random_bits(x.shape, look.astype(jnp.uint32)) >> 31 == 0, -1, 1)
    return x * (1 + jnp.where(look > 0, sign, 0).astype(x.dtype) * jnp.asarray(jnp.finfo(x.dtype).eps, x.dtype))
