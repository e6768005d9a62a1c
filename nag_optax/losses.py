"""Losses that know their convex conjugate, so that `nag_optax.minimize` can say how far from the optimum it is.

A loss is a function of predictions, f(z) = sum of weights_i h(z_i, targets_i). It has its conjugate, f*(u) = sup <u, z>
- f(z), and a bound of its curvature, with which a first step needs no probing. Shared arguments: ``targets`` is an
array like the predictions, or one that broadcasts against them; ``weights``, at least 0, a scalar or an array that
broadcasts against the targets. Both may be traced.

>>> import jax.numpy as jnp
>>> from nag_optax import losses, minimize, prox
>>> X, y = jnp.array([[1.0, 0.5], [0.0, 1.0], [1.0, 1.0]]), jnp.array([3.0, 0.0, 3.0])
>>> solution = minimize(losses.squared(y), jnp.zeros(2), linear=X, prox=prox.l1(1.0))
>>> bool(solution.value - solution.gap <= 3.75 + 1e-5)  # the optimum is 3.75
True
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.scipy.special import xlogy
from jax.tree_util import Partial

from nag_optax.scalars import Scalar
from nag_optax.trees import widened
from nag_optax.validation import check_entries, check_number

SLACK = 100
"""In units in the last place: how far outside of its domain a conjugate takes what rounding has put there."""


__all__ = ["Loss", "huber", "logistic", "multinomial", "poisson", "squared", "squared_hinge"]


class Loss(NamedTuple):
    """A convex function of predictions, ``loss(predictions)``, with its conjugate.

    Attributes:
      value: ``value(predictions)``, a scalar.
      conjugate: ``conjugate(slope)``, sup of <slope, z> - value(z) over z, a scalar, infinite outside of its domain,
        which holds 0: value is bounded from below.
      curvature: the largest second derivative along any unit vector, at least 0; None where there is no bound.

    It is a pytree; its leaves are its data if the functions are ``jax.tree_util.Partial`` of them.

    >>> import jax.numpy as jnp
    >>> from nag_optax.losses import Loss
    >>> half_square = Loss(lambda z: jnp.sum(z**2) / 2, lambda u: jnp.sum(u**2) / 2, curvature=1.0)
    >>> float(half_square(jnp.array([1.0, 2.0])))
    2.5
    """

    value: Callable[[Any], Array]
    conjugate: Callable[[Any], Array]
    curvature: Any = None

    def __call__(self, predictions: Any) -> Array:
        """Returns ``value(predictions)``."""
        return self.value(predictions)


def squared(targets: Any, weights: Any = 1.0) -> Loss:
    """h(z, y) = (z - y)^2 / 2: least squares.

    >>> import jax.numpy as jnp
    >>> from nag_optax import losses
    >>> loss = losses.squared(jnp.array([1.0, 3.0]))
    >>> float(loss(jnp.array([2.0, 1.0])))
    2.5
    """
    return _of_samples(
        lambda z, y: jnp.abs(z - y) ** 2 / 2,
        lambda u, y: jnp.abs(u) ** 2 / 2 + (u.conj() * y).real,
        1.0,
        targets,
        weights,
    )


def logistic(labels: Any, weights: Any = 1.0) -> Loss:
    """h(z, y) = log(1 + e^z) - y z, y a label of 0 or 1, or a probability: logistic regression.

    >>> import jax.numpy as jnp
    >>> from nag_optax import losses
    >>> round(float(losses.logistic(jnp.array([1.0]))(jnp.array([0.0]))), 4)  # log 2
    0.6931
    """
    check_entries("labels", labels, at_least=0, at_most=1)

    def conjugate(u, y):
        p = u + y
        inside = jnp.clip(p, 0, 1)
        return _inside(p, inside, xlogy(inside, inside) + xlogy(1 - inside, 1 - inside))

    return _of_samples(optax.losses.sigmoid_binary_cross_entropy, conjugate, 0.25, labels, weights)


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
    check_entries("labels", labels, at_least=0)
    whole = jnp.issubdtype(jnp.result_type(labels), jnp.integer)

    def probabilities(y, like):
        return jax.nn.one_hot(y, like.shape[-1], dtype=like.dtype) if whole else y

    def conjugate(u, y):
        p = u + probabilities(y, u)
        inside = jnp.clip(p, 0, 1)
        excess = jnp.abs(p.sum(-1) - probabilities(y, u).sum(-1))
        return _inside(p, inside, xlogy(inside, inside)).sum(-1) + _inside(excess, jnp.zeros_like(excess), 0)

    def value(z, y):
        return optax.losses.softmax_cross_entropy(z, probabilities(y, z))

    return _of_samples(value, conjugate, 0.5, labels, weights, classes=True)


def huber(targets: Any, delta: Scalar = 1.0, weights: Any = 1.0) -> Loss:
    """h(z, y) = r^2 / 2 up to |r| = delta, and delta |r| - delta^2 / 2 beyond, r = z - y: outliers count less.

    ``delta`` is positive.

    >>> import jax.numpy as jnp
    >>> from nag_optax import losses
    >>> float(losses.huber(jnp.array([0.0, 0.0]))(jnp.array([1.0, 3.0])))
    3.0
    """
    check_number("delta", delta, above=0)

    def conjugate(u, y, delta):
        inside = jnp.clip(u, -delta, delta)
        return _inside(u, inside, inside**2 / 2 + inside * y)

    return _of_samples(
        lambda z, y, delta: optax.losses.huber_loss(z, y, delta=delta), conjugate, 1.0, targets, weights, delta
    )


def poisson(counts: Any, weights: Any = 1.0) -> Loss:
    """h(z, y) = e^z - y z, y at least 0: counts whose rate is e^z. Its curvature has no bound.

    >>> import jax.numpy as jnp
    >>> from nag_optax import losses
    >>> float(losses.poisson(jnp.array([2.0]))(jnp.array([0.0])))
    1.0
    """
    check_entries("counts", counts, at_least=0)

    def conjugate(u, y):
        p = u + y
        inside = jnp.maximum(p, 0)
        return _inside(p, inside, xlogy(inside, inside) - inside)

    return _of_samples(lambda z, y: jnp.exp(z) - y * z, conjugate, None, counts, weights)


def squared_hinge(labels: Any, weights: Any = 1.0) -> Loss:
    """h(z, y) = max(0, 1 - y z)^2 / 2, y a label of -1 or 1: a support vector machine.

    >>> import jax.numpy as jnp
    >>> from nag_optax import losses
    >>> float(losses.squared_hinge(jnp.array([1.0, -1.0]))(jnp.array([2.0, 0.0])))
    0.5
    """
    check_entries("labels", labels, at_least=-1, at_most=1)

    def conjugate(u, y):
        v = u * y
        inside = jnp.minimum(v, 0)
        return _inside(v, inside, inside + inside**2 / 2)

    return _of_samples(lambda z, y: optax.losses.hinge_loss(z, y) ** 2 / 2, conjugate, 1.0, labels, weights)


def _of_samples(
    value: Callable[..., Array],
    conjugate: Callable[..., Array],
    curvature: float | None,
    targets: Any,
    weights: Any,
    *more: Any,
    classes: bool = False,
) -> Loss:
    """The loss of a sum over samples, of ``value(z, y, *more)`` and ``conjugate(u, y, *more)``."""
    check_entries("weights", weights, at_least=0)
    targets, weights = jnp.asarray(targets), widened(jnp.asarray(weights))

    def of_all(predictions, targets, weights, *more):
        z = widened(predictions)
        samples = z.shape[:-1] if classes else z.shape
        if not classes and jnp.broadcast_shapes(targets.shape, z.shape) != z.shape:
            raise ValueError(f"targets must broadcast against predictions, got {targets.shape} for {z.shape}.")
        if jnp.broadcast_shapes(weights.shape, samples) != samples:
            raise ValueError(f"weights must broadcast against samples, got {weights.shape} for {samples}.")
        return jnp.sum(weights * value(z, _like(targets, z), *more))

    def of_slopes(slope, targets, weights, *more):
        u = widened(slope)
        spread = weights[..., None] if classes and weights.ndim else weights
        each = conjugate(jnp.where(spread > 0, u / jnp.where(spread > 0, spread, 1), 0), _like(targets, u), *more)
        lost = (spread == 0) & (u != 0)  # where nothing is weighted, no slope is possible
        return jnp.sum(jnp.where(weights > 0, weights * each, 0)) + jnp.where(jnp.any(lost), jnp.inf, 0)

    bound = None if curvature is None else curvature * jnp.max(weights)
    return Loss(
        Partial(lambda t, w, m, z: of_all(z, t, w, *m), targets, weights, more),
        Partial(lambda t, w, m, u: of_slopes(u, t, w, *m), targets, weights, more),
        bound,
    )


def _like(targets: Array, z: Array) -> Array:
    """Targets in the dtype of what is compared with them; integers that name classes stay."""
    return targets if jnp.issubdtype(targets.dtype, jnp.integer) and targets.ndim < z.ndim else targets.astype(z.dtype)


def _inside(x: Array, inside: Array, value: Any) -> Array:
    """A conjugate's value at the nearest point of its domain; infinite where that is farther than rounding."""
    far = jnp.abs(x - inside) > SLACK * jnp.finfo(x.dtype).eps * (1 + jnp.abs(inside))
    return jnp.where(far, jnp.inf, value)
