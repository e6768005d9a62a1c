"""Losses of labels."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.scipy.special import xlogy

from nag_optax.losses.loss import Loss, Samples, as_numbers, inside_of
from nag_optax.validation import check_entries, is_concrete


def logistic(labels: Any, weights: Any = 1.0) -> Loss:
    """h(z, y) = log(1 + e^z) - y z, y a label of 0 or 1, or a probability: logistic regression.

    >>> import jax.numpy as jnp
    >>> from nag_optax import losses
    >>> round(float(losses.logistic(jnp.array([1.0]))(jnp.array([0.0]))), 4)  # log 2
    0.6931
    """
    labels = as_numbers(labels)
    check_entries("labels", labels, at_least=0, at_most=1)
    return _LOGISTIC.loss(labels, weights)


def multinomial(labels: Any, weights: Any = 1.0) -> Loss:
    """h(z, y) = log sum_k e^{z_k} - z_y: classes in the last axis of predictions, [..., classes].

    Args:
      labels: integers of at least 0, [...], or probabilities [..., classes].
      weights: a scalar or an array that broadcasts against [...].

    >>> import jax.numpy as jnp
    >>> from nag_optax import losses
    >>> round(float(losses.multinomial(jnp.array([2]))(jnp.zeros((1, 3)))), 4)  # log 3
    1.0986
    """
    labels = as_numbers(labels)
    check_entries("labels", labels, at_least=0)
    kind = _CLASSES if jnp.issubdtype(labels.dtype, jnp.integer) else _PROBABILITIES
    return kind.loss(labels, weights)


def squared_hinge(labels: Any, weights: Any = 1.0) -> Loss:
    """h(z, y) = max(0, 1 - y z)^2 / 2, y a label of -1 or 1: a support vector machine.

    Raises:
      ValueError: for concrete labels that are neither.

    >>> import jax.numpy as jnp
    >>> from nag_optax import losses
    >>> float(losses.squared_hinge(jnp.array([1.0, -1.0]))(jnp.array([2.0, 0.0])))
    0.5
    """
    check_entries("labels", labels)
    if is_concrete(labels) and not np.all(np.abs(np.asarray(labels)) == 1):
        raise ValueError(f"labels must be -1 or 1 in every entry, got {labels!r}.")
    return _SQUARED_HINGE.loss(labels, weights)


def _of_logistic(u, y):
    p = u + y
    inside = jnp.clip(p, 0, 1)
    return inside_of(p, inside, xlogy(inside, inside) + xlogy(1 - inside, 1 - inside))


def _one_hot(y, like):
    return jax.nn.one_hot(y, like.shape[-1], dtype=like.dtype)


def _of_multinomial(u, y):
    p, y = u + y, jnp.broadcast_to(y, u.shape)
    whole = y.sum(-1, keepdims=True)  # 1 where labels are probabilities
    inside, excess = jnp.clip(p, 0, whole), jnp.abs(u.sum(-1))
    each = xlogy(inside, inside / jnp.where(whole > 0, whole, 1))
    return inside_of(p, inside, each).sum(-1) + inside_of(excess, jnp.zeros_like(excess), 0)


def _of_squared_hinge(u, y):
    v = u * y
    inside = jnp.minimum(v, 0)
    return inside_of(v, inside, inside + inside**2 / 2)


_LOGISTIC = Samples(optax.losses.sigmoid_binary_cross_entropy, _of_logistic, 0.25)
_PROBABILITIES = Samples(optax.losses.softmax_cross_entropy, _of_multinomial, 0.5, classes=True)
_CLASSES = Samples(
    lambda z, y: optax.losses.softmax_cross_entropy(z, _one_hot(y, z)),
    lambda u, y: _of_multinomial(u, _one_hot(y, u)),
    0.5,
    classes=True,
    numbered=True,
)
_SQUARED_HINGE = Samples(lambda z, y: optax.losses.hinge_loss(z, y) ** 2 / 2, _of_squared_hinge, 1.0)
