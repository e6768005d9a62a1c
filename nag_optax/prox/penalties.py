"""Penalties with a closed-form proximal operator.

Shared arguments: ``strength`` is a scalar of at least 0, or a pytree like params (arrays broadcast within a leaf) that
weights every coordinate. It may be traced.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.tree_util import Partial

from nag_optax.prox.constraints import from_projection
from nag_optax.prox.operator import Conjugate, Prox, largest, per_leaf, ratio, real_only, zero
from nag_optax.scalars import Scalar
from nag_optax.trees import squared_norm, total, widened
from nag_optax.validation import check_integer, check_number


def l1(strength: Any = 1.0) -> Prox:
    """g(x) = sum of strength |x_i|: soft thresholding, sparse solutions (LASSO).

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import l1
    >>> l1(0.5)(jnp.array([2.0, -0.3, -1.0]), step_size=1.0)
    Array([ 1.5,  0. , -0.5], dtype=float32)
    """
    return per_leaf(
        lambda x, step_size, s: _shrink(x, step_size * s),
        lambda x, s: jnp.sum(s * jnp.abs(x)),
        Conjugate(_nothing, lambda v, s: ratio(jnp.abs(v), s)),
        strength=strength,
    )


def l2_squared(strength: Any = 1.0) -> Prox:
    """g(x) = sum of strength x_i^2 / 2: ridge, shrinks all coordinates alike.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import l2_squared
    >>> l2_squared(1.0)(jnp.array([2.0, -1.0]), step_size=1.0)
    Array([ 1. , -0.5], dtype=float32)
    """
    return per_leaf(
        lambda x, step_size, s: x / (1 + step_size * s),
        lambda x, s: jnp.sum(s * jnp.abs(x) ** 2) / 2,
        Conjugate(lambda v, s: jnp.sum(_half_square(v, s)), lambda v, s: jnp.where(s > 0, 0, ratio(jnp.abs(v), s))),
        strength=strength,
    )


def elastic_net(l1_strength: Any = 1.0, l2_strength: Any = 1.0) -> Prox:
    """g(x) = sum of l1_strength |x_i| + l2_strength x_i^2 / 2.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import elastic_net
    >>> elastic_net(0.5, 1.0)(jnp.array([2.0, -0.3]), step_size=1.0)
    Array([0.75, 0.  ], dtype=float32)
    """
    return per_leaf(
        lambda x, step_size, a, b: _shrink(x, step_size * a) / (1 + step_size * b),
        lambda x, a, b: jnp.sum(a * jnp.abs(x) + b * jnp.abs(x) ** 2 / 2),
        Conjugate(
            lambda v, a, b: jnp.sum(_half_square(jnp.maximum(jnp.abs(v) - a, 0), b)),
            lambda v, a, b: jnp.where(b > 0, 0, ratio(jnp.abs(v), a)),
        ),
        l1_strength=l1_strength,
        l2_strength=l2_strength,
    )


def non_negative_l1(strength: Any = 1.0) -> Prox:
    """g(x) = sum of strength x_i for x >= 0, infinite elsewhere: a sparse and non-negative solution.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import non_negative_l1
    >>> non_negative_l1(0.5)(jnp.array([2.0, -0.3, 0.4]), step_size=1.0)
    Array([1.5, 0. , 0. ], dtype=float32)
    """
    operator = per_leaf(
        lambda x, step_size, s: jnp.maximum(x - step_size * s, 0),
        lambda x, s: jnp.sum(s * x),
        Conjugate(_nothing, lambda v, s: ratio(jnp.maximum(v, 0), s)),
        strength=strength,
    )
    return real_only("non_negative_l1", operator)


def huber(strength: Any = 1.0, delta: Any = 1.0) -> Prox:
    """g(x) = sum of strength h(x_i), h(x) = x^2 / 2 up to |x| = delta, at least 0, and delta |x| - delta^2 / 2 beyond.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import huber
    >>> huber(1.0, delta=1.0)(jnp.array([1.0, 5.0]), step_size=1.0)
    Array([0.5, 4. ], dtype=float32)
    """

    def prox(x, step_size, s, d):
        inside = x / (1 + step_size * s)
        return jnp.where(jnp.abs(inside) <= d, inside, _shrink(x, step_size * s * d))

    def value(x, s, d):
        inside = jnp.minimum(jnp.abs(x), d)
        return jnp.sum(s * inside * (jnp.abs(x) - inside / 2))

    conjugate = Conjugate(lambda v, s, d: jnp.sum(_half_square(v, s)), lambda v, s, d: ratio(jnp.abs(v), s * d))
    return per_leaf(prox, value, conjugate, strength=strength, delta=delta)


def group_lasso(strength: Any = 1.0, axis: int | tuple[int, ...] = -1) -> Prox:
    """g(x) = sum of strength |x_group|_2 over groups, which are the slices along ``axis`` of each leaf: whole groups
    vanish. A pytree of strengths must broadcast with that axis kept at size 1. A scalar leaf is its own group.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import group_lasso
    >>> group_lasso(1.0)(jnp.array([[3.0, 4.0], [0.3, 0.4]]), step_size=1.0)
    Array([[2.4, 3.2],
           [0. , 0. ]], dtype=float32)
    """

    axes = axis if isinstance(axis, tuple) else (axis,)
    for a in axes:
        check_integer("axis", a, at_least=-np.iinfo(np.int32).max)

    def norm(x):
        if x.ndim and not all(-x.ndim <= a < x.ndim for a in axes):
            raise ValueError(f"axis must be one of each leaf, got {axis!r} for shape {x.shape}.")
        return _safe_norm(x, axis if x.ndim else None)

    return per_leaf(
        lambda x, step_size, s: _shrink_by_norm(x, norm(x), step_size * s),
        lambda x, s: jnp.sum(s * norm(x)),
        Conjugate(_nothing, lambda v, s: ratio(norm(v), s)),
        strength=strength,
    )


def l2_norm(strength: Scalar = 1.0) -> Prox:
    """g(x) = strength |x|_2 of all leaves together: one group. ``sum_over_leaves(l2_norm(s))`` makes each leaf a group.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import l2_norm
    >>> l2_norm(1.0)({"a": jnp.array([3.0]), "b": jnp.array([4.0])}, step_size=2.5)
    {'a': Array([1.5], dtype=float32), 'b': Array([2.], dtype=float32)}
    """

    check_number("strength", strength, at_least=0)

    def norm(params):
        return _safe_root(squared_norm(params))

    def apply(strength, params, step_size):
        length = norm(params)
        return jax.tree.map(lambda x: _shrink_by_norm(x, length, step_size * strength).astype(x.dtype), params)

    return _of_norm(apply, norm, norm, strength)


def linf_norm(strength: Scalar = 1.0) -> Prox:
    """g(x) = strength max |x_i| over all leaves together: it clips the largest coordinates to a common magnitude.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import linf_norm
    >>> linf_norm(1.0)(jnp.array([3.0, 1.0, 2.5]), step_size=1.5).round(4)
    Array([2., 1., 2.], dtype=float32)
    """

    check_number("strength", strength, at_least=0)

    def apply(strength, params, step_size):
        radius = jnp.asarray(step_size * strength, jnp.result_type(float))
        ball = from_projection(optax.projections.projection_l1_ball, jnp.where(radius > 0, radius, 1))
        cut = radius > 0  # a ball of radius 0 has no projection that is a number
        return jax.tree.map(lambda x, b: jnp.where(cut, x - b, x).astype(x.dtype), params, ball(params))

    def norm(params):
        return largest((jnp.max(jnp.abs(widened(x)), initial=0) for x in jax.tree.leaves(params)), params)

    return _of_norm(apply, norm, lambda v: total(jnp.abs, v), strength)


def _of_norm(apply: Callable[..., Any], norm: Callable[..., Array], dual_norm: Callable[..., Array], s: Any) -> Prox:
    """The operator ``apply(strength, params, step_size)`` of a norm, with the dual norm that bounds its conjugate."""
    return Prox(
        Partial(apply, s),
        Partial(lambda s, params: s * norm(params), s),
        Conjugate(Partial(lambda s, v: zero(v), s), Partial(lambda s, v: ratio(dual_norm(v), s), s)),
    )


def _nothing(v: Array, *strengths: Any) -> Array:
    """The conjugate of a gauge, where it is finite."""
    return jnp.zeros((), jnp.finfo(v.dtype).dtype)


def _half_square(v: Array, strength: Any) -> Array:
    """|v|^2 / (2 strength); 0 where nothing has a strength."""
    return jnp.where(strength > 0, jnp.abs(v) ** 2 / jnp.where(strength > 0, 2 * strength, 1), 0)


def _shrink(x: Array, threshold: Any) -> Array:
    """Soft thresholding; complex numbers keep their phase."""
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        return _shrink_by_norm(x, _safe_norm(x[..., None], -1)[..., 0], threshold)
    return x - jnp.clip(x, -threshold, threshold)


def _shrink_by_norm(x: Array, norm: Array, threshold: Any) -> Array:
    """x, its norm shortened by the threshold."""
    vanishes = (norm <= threshold) & (threshold > 0)
    return x * jnp.where(vanishes, 0, 1 - threshold / jnp.where(vanishes | (norm == 0), 1, norm))


def _safe_norm(x: Array, axis: Any) -> Array:
    """The 2-norm along an axis, kept, whose gradient at 0 is 0."""
    return _safe_root(jnp.sum(jnp.abs(x) ** 2, axis=axis, keepdims=True))


def _safe_root(x: Array) -> Array:
    """The square root, whose derivative at 0 is 0."""
    return jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1)), 0)
