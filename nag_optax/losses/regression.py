"""Losses of numbers."""

from typing import Any

import jax.numpy as jnp
import optax
from jax.scipy.special import xlogy

from nag_optax.losses.loss import Loss, Samples, inside_of
from nag_optax.scalars import Scalar
from nag_optax.validation import check_entries, check_number


def squared(targets: Any, weights: Any = 1.0) -> Loss:
    """h(z, y) = |z - y|^2 / 2: least squares, of complex predictions and targets too.

    >>> import jax.numpy as jnp
    >>> from nag_optax import losses
    >>> loss = losses.squared(jnp.array([1.0, 3.0]))
    >>> float(loss(jnp.array([2.0, 1.0])))
    2.5
    """
    return _SQUARED.loss(targets, weights)


def huber(targets: Any, delta: Scalar = 1.0, weights: Any = 1.0) -> Loss:
    """h(z, y) = r^2 / 2 up to |r| = delta, and delta |r| - delta^2 / 2 beyond, r = z - y: outliers count less.

    ``delta`` is positive.

    >>> import jax.numpy as jnp
    >>> from nag_optax import losses
    >>> float(losses.huber(jnp.array([0.0, 0.0]))(jnp.array([1.0, 3.0])))
    3.0
    """
    check_number("delta", delta, above=0)
    return _HUBER.loss(targets, weights, float(delta) if isinstance(delta, int) else delta)


def poisson(counts: Any, weights: Any = 1.0) -> Loss:
    """h(z, y) = e^z - y z, y at least 0: counts whose rate is e^z. Its curvature has no bound.

    >>> import jax.numpy as jnp
    >>> from nag_optax import losses
    >>> float(losses.poisson(jnp.array([2.0]))(jnp.array([0.0])))
    1.0
    """
    check_entries("counts", counts, at_least=0)
    return _POISSON.loss(counts, weights)


def _square(r):
    """|r|^2; by a modulus, its second derivative at 0 would be lost."""
    return (r.conj() * r).real


def _of_huber(u, y, delta):
    inside = jnp.clip(u, -delta, delta)
    return inside_of(u, inside, inside**2 / 2 + inside * y)


def _of_poisson(u, y):
    p = u + y
    inside = jnp.maximum(p, 0)
    return inside_of(p, inside, xlogy(inside, inside) - inside)


_SQUARED = Samples(
    lambda z, y: _square(z - y) / 2, lambda u, y: _square(u) / 2 + (u.conj() * y).real, 1.0, of_complex=True
)
_HUBER = Samples(lambda z, y, delta: optax.losses.huber_loss(z, y, delta=delta), _of_huber, 1.0)
_POISSON = Samples(lambda z, y: jnp.exp(z) - y * z, _of_poisson, None)
