"""Box sections {x: lower <= x <= upper, <w, x> = c}.

The projection of v is x(t) = clip(v + t w, lower, upper), at the root t of <w, x(t)> - c, which does not decrease in t
(Brucker, Operations Research Letters 3(3), 1984).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_optax.prox.constraints import check_order, from_projection
from nag_optax.prox.feasible import all_concrete, tolerance, where_feasible
from nag_optax.prox.monotone_root import monotone_root
from nag_optax.prox.operator import Prox, for_each_leaf
from nag_optax.scalars import Scalar
from nag_optax.trees import total
from nag_optax.validation import check_entries, check_number


def box_section(lower: Any, upper: Any, w: Any, c: Scalar) -> Prox:
    """Constraint lower <= x <= upper and sum of all w_i x_i = c over all leaves together.

    ``box_section(0, upper, 1, c)`` is a simplex with a largest entry, ``box_section(-jnp.inf, jnp.inf, w, c)`` a
    hyperplane.

    Args:
      lower: a scalar or a pytree like params; may be infinite.
      upper: a scalar or a pytree like params, at least ``lower``; may be infinite.
      w: a scalar or a pytree like params, of any sign.
      c: a scalar.

    Raises:
      ValueError: for a concrete ``lower`` above ``upper``, or a ``c`` that is out of reach; traced ones give NaN.

    References:
      Brucker, An O(n) algorithm for quadratic knapsack problems, 1984.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import box_section
    >>> box_section(0.0, 0.5, 1.0, 1.0)(jnp.array([3.0, 0.25, 0.0])).round(4)  # at most 0.5 each
    Array([0.5  , 0.375, 0.125], dtype=float32)
    """
    check_entries("lower", lower, may_be_infinite=True)
    check_entries("upper", upper, may_be_infinite=True)
    check_order(lower, upper)
    check_entries("w", w)
    check_number("c", c)
    structures = [jax.tree.structure(x) for x in (w, lower, upper) if any(map(jnp.ndim, jax.tree.leaves(x)))]
    if structures:  # the shapes are known before params are
        like = jax.tree.unflatten(structures[0], [0.0] * structures[0].num_leaves)
        _check_reach(like, lower, upper, w, c)

    def projection(params, lower, upper, w, c):
        _check_reach(params, lower, upper, w, c)
        numbers = _like(params, lower, upper, w)
        c_ = jnp.asarray(c, jax.tree.leaves(params)[0].dtype)
        return _project(params, *numbers, c_, tolerance(lower, upper, w, c))

    return from_projection(projection, lower, upper, w, c)


@jax.jit
def _project(v: Any, lower: Any, upper: Any, w: Any, c: Array, difference: Array) -> Any:
    def at(t, v, lower, upper, w):
        def of_leaf(x, a, b, w):
            moved = x + t * w
            return jnp.where(moved <= a, a, jnp.where(moved >= b, b, moved))

        return jax.tree.map(of_leaf, v, lower, upper, w)

    def equation(t):
        return total(jnp.multiply, w, at(t, v, lower, upper, w)) - c

    def solve(_, start):
        numbers = jax.lax.stop_gradient((v, lower, upper, w))
        _, lower_, upper_, w_ = numbers

        def detailed(t):
            x = at(t, *numbers)
            free = jax.tree.map(lambda x, a, b: (x > a) & (x < b), x, lower_, upper_)
            value = total(jnp.multiply, w_, x) - c
            slope = total(lambda w, f: w**2 * f, w_, free)
            return value, slope, total(lambda w, x: jnp.abs(w * x), w_, x) + jnp.abs(c)

        # Beyond the last points where a coordinate changes, the equation is linear.
        def changes(x, a, b, w):
            points = jnp.stack([(bound - x) / jnp.where(w == 0, 1, w) for bound in (a, b)])
            return points, jnp.isfinite(points) & (w != 0)[None]

        points = [changes(*leaves) for leaves in zip(*map(jax.tree.leaves, numbers), strict=True)]
        first = jnp.min(jnp.stack([jnp.min(p, where=known, initial=jnp.inf) for p, known in points]))
        last = jnp.max(jnp.stack([jnp.max(p, where=known, initial=-jnp.inf) for p, known in points]))
        first, last = (jnp.where(jnp.isfinite(end), end, start) for end in (first, last))

        def beyond(
            end, rising, falling
        ):  # where it is 0 if the bounds that w moves towards, or away from, are infinite
            free = jax.tree.map(lambda w, r, f: jnp.isinf(jnp.where(w > 0, r, f)), w_, rising, falling)
            slope = total(lambda w, f: w**2 * f, w_, free)
            return end - detailed(end)[0] / jnp.where(slope > 0, slope, jnp.inf)

        lowest = jnp.minimum(first, beyond(first, lower_, upper_))
        highest = jnp.maximum(last, beyond(last, upper_, lower_))
        return monotone_root(detailed, lowest, highest, jnp.clip(start, lowest, highest))

    def divide(linear, y):
        slope = linear(jnp.ones_like(y))
        return jnp.where(slope > 0, y / jnp.where(slope > 0, slope, 1), 0)

    t = jax.lax.custom_root(equation, jnp.zeros_like(c), solve, divide)
    x = at(t, v, lower, upper, w)
    size = total(lambda w, x: jnp.abs(w * x), w, x) + jnp.abs(c)
    return where_feasible(jnp.abs(equation(t)) <= difference * size, x)


def _like(params: Any, lower: Any, upper: Any, w: Any) -> list[Any]:
    """The arguments as pytrees of arrays like those of params."""

    def filled(name, value):
        def of_leaf(x, entries):
            return jnp.broadcast_to(jnp.asarray(entries, x.dtype), x.shape)

        try:
            return jax.tree.map(of_leaf, params, for_each_leaf(name, value, params))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} must broadcast against params: {error}") from error

    return [filled(name, value) for name, value in (("lower", lower), ("upper", upper), ("w", w))]


def _check_reach(like: Any, lower: Any, upper: Any, w: Any, c: Any) -> None:
    """Raises ValueError if a concrete c is below or above every <w, x> of the box."""
    if not all_concrete(lower, upper, w, c):
        return
    low = high = size = 0.0
    trees = [
        jax.tree.leaves(for_each_leaf(name, x, like)) for name, x in (("lower", lower), ("upper", upper), ("w", w))
    ]
    for x, *leaves in zip(jax.tree.leaves(like), *trees, strict=True):
        try:
            a, b, weight, _ = np.broadcast_arrays(*(np.asarray(leaf, float) for leaf in leaves), np.empty(np.shape(x)))
        except ValueError:  # shapes that only params can judge
            return
        ends = [np.where(weight == 0, 0, weight * np.where(weight == 0, 0, end)) for end in (a, b)]
        low, high = low + np.sum(np.minimum(*ends)), high + np.sum(np.maximum(*ends))
        size += np.sum(abs(np.concatenate([end[np.isfinite(end)] for end in ends])))
    margin = tolerance(lower, upper, w, c) * (size + abs(float(c)))
    if not low - margin <= float(c) <= high + margin:
        raise ValueError(
            f"c must be within reach of lower, upper and w, at least {low:g} and at most {high:g} here, got {c!r}."
        )
