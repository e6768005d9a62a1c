"""The ordered weighted l1 norm: sparse solutions whose large entries come in clusters of equal size."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_optax.prox.isotonic import non_decreasing
from nag_optax.prox.operator import Conjugate, Prox, per_leaf, ratio, real_only
from nag_optax.validation import is_concrete


def slope(strengths: Any) -> Prox:
    """g(x) = sum of strengths_i |x|_(i), |x|_(1) >= |x|_(2) >= ... along the last axis of each leaf: SLOPE, or OWL.
    Equal strengths make it `nag_optax.prox.l1`, strengths that fall linearly OSCAR.

    Args:
      strengths: at least 0 and non-increasing: an array [n], or a pytree like params of arrays [n]; a leaf is [..., n].

    Raises:
      TypeError: when applied to a complex leaf.
      ValueError: for concrete strengths that are negative or increase; when applied to a leaf of another n.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import slope
    >>> slope(jnp.array([2.0, 1.0, 0.5]))(jnp.array([0.2, 5.0, -4.5]), step_size=1.0)
    Array([ 0.  ,  3.25, -3.25], dtype=float32)

    References:
      Bogdan, van den Berg, Sabatti, Su & Candes, SLOPE, arXiv:1407.3824, equations 1.6 and 2.2.
    """

    def fitted(x, s):
        if not x.ndim or jnp.ndim(s) < 1 or jnp.shape(s)[-1] != x.shape[-1]:
            raise ValueError(f"strengths [n] and a leaf [..., n] must be of one n, got {jnp.shape(s)} for {x.shape}.")
        return jnp.broadcast_to(jnp.asarray(s, x.dtype), x.shape)

    def prox(x, step_size, s):
        thresholds = fitted(x, step_size * s)[..., ::-1]
        size = jnp.where(x < 0, -x, x)
        order = jnp.argsort(size, axis=-1)
        shrunk = non_decreasing(jnp.take_along_axis(size, order, -1) - thresholds)
        shrunk = jnp.where(shrunk >= 0, shrunk, 0)
        back = jnp.take_along_axis(shrunk, jnp.argsort(order, axis=-1), -1)
        return jnp.where((x < 0) & (back > 0), -back, back)

    conjugate = Conjugate(
        lambda v, s: jnp.zeros((), v.dtype),
        lambda v, s: ratio(jnp.cumsum(_descending(v), -1), jnp.cumsum(fitted(v, s), -1)),
    )
    operator = per_leaf(prox, lambda x, s: jnp.sum(fitted(x, s) * _descending(x)), conjugate, strengths=strengths)
    _check_order(strengths)
    return real_only("slope", operator)


def _descending(x: Array) -> Array:
    """The moduli, the largest first."""
    return -jnp.sort(-jnp.abs(x), axis=-1)


def _check_order(strengths: Any) -> None:
    """Raises ValueError for concrete strengths that increase, or are no arrays."""
    for s in jax.tree.leaves(strengths):
        if not jnp.ndim(s):
            raise ValueError(f"strengths must be arrays [n], got a scalar, {s!r}: that is prox.l1.")
        if is_concrete(s) and np.any(np.diff(np.asarray(s), axis=-1) > 0):
            raise ValueError(f"strengths must be non-increasing along the last axis, got {s!r}.")
