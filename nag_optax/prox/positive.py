"""Penalties of positive numbers whose operator is the positive root of a quadratic equation."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import xlogy

from nag_optax.prox.operator import Conjugate, Prox, per_leaf, ratio, real_only


def log_barrier(strength: Any = 1.0) -> Prox:
    """g(x) = - sum of strength log x_i for x > 0, infinite elsewhere; where strength is 0, it is 0 for x >= 0.

    The operator is (v + sqrt(v^2 + 4 s)) / 2, s = step_size * strength: always positive.

    Raises:
      TypeError: when applied to a complex leaf.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import log_barrier
    >>> log_barrier(2.0)(jnp.array([1.0, -1.0]), step_size=1.0).round(5)
    Array([2., 1.], dtype=float32)
    """
    operator = per_leaf(
        lambda x, step_size, s: _root(x, step_size * s),
        lambda x, s: -jnp.sum(_xlogy(s, x)),
        Conjugate(
            lambda v, s: jnp.sum(_highest(s, -v)),
            lambda v, s: jnp.where((v < 0) | (v == 0) & (s == 0), 0, jnp.asarray(jnp.inf, v.dtype)),
        ),
        strength=strength,
    )
    return real_only("log_barrier", operator)


def kullback_leibler(target: Any, strength: Any = 1.0) -> Prox:
    """g(x) = sum of strength (x_i - target_i log x_i): the negative log likelihood of counts of Poisson, of means x.

    But for a constant, it is the generalised Kullback-Leibler divergence from the target to x, the sum of
    target log(target / x) - target + x. It is finite for x > 0, and where target is 0, for x >= 0; there it is
    strength x. Where strength is 0, it is 0 for x >= 0.

    Args:
      target: at least 0: a scalar, or a pytree like params whose arrays broadcast against its leaves.
      strength: the same.

    Raises:
      TypeError: when applied to a complex leaf.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import kullback_leibler
    >>> kullback_leibler(jnp.array([6.0, 0.0]))(jnp.array([2.0, 0.5]), step_size=1.0)
    Array([3., 0.], dtype=float32)
    """
    operator = per_leaf(
        lambda x, step_size, t, s: _root(x - step_size * s, step_size * s * t),
        lambda x, t, s: jnp.sum(s * x - _xlogy(s * t, x)),
        Conjugate(
            lambda v, t, s: jnp.sum(_highest(s * t, s - v)),
            lambda v, t, s: ratio(jnp.maximum(v, 0), s),
        ),
        target=target,
        strength=strength,
    )
    return real_only("kullback_leibler", operator)


def _root(b: Array, c: Any) -> Array:
    """The root of x^2 = b x + c, c at least 0, that is at least 0; in any units."""
    c = jnp.asarray(c, b.dtype)
    unit = jax.lax.stop_gradient(jnp.maximum(jnp.abs(b), jnp.sqrt(c)))
    unit = jnp.where(unit > 0, unit, 1)
    p, q = b / unit, c / unit
    square = p**2 + 4 * (q / unit)
    length = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), p)  # at b = c = 0, x changes as b does
    above = p >= 0
    larger = (jnp.where(above, p, -p) + length) / 2
    return jnp.where(above, unit * larger, q / jnp.where(above, 1, larger))


def _xlogy(weight: Any, x: Array) -> Array:
    """Weight log x, 0 where the weight is, and minus infinity outside of the domain."""
    return xlogy(jnp.asarray(weight, x.dtype), jnp.maximum(x, 0))


def _highest(weight: Any, slope: Array) -> Array:
    """The largest weight log x - slope x over x."""
    weight, bounded = jnp.asarray(weight, slope.dtype), slope > 0
    some = jnp.where(weight > 0, weight, 1)
    top = some * (jnp.log(some) - jnp.log(jnp.where(bounded, slope, 1))) - some
    return jnp.where(weight > 0, jnp.where(bounded, top, jnp.inf), 0)
