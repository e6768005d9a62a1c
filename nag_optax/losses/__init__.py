"""Losses that know their convex conjugate, so that `nag_optax.minimize` can say how far from the optimum it is.

A loss is a function of predictions, f(z) = sum of weights_i h(z_i, targets_i). It has its conjugate, f*(u) = sup <u, z>
- f(z), and a bound of its curvature, with which a first step needs no probing. Shared arguments: ``targets`` is an
array like the predictions, or one that broadcasts against them; ``weights``, at least 0, a scalar or an array that
broadcasts against the samples. Both may be traced.

>>> import jax.numpy as jnp
>>> from nag_optax import losses, minimize, prox
>>> X, y = jnp.array([[1.0, 0.5], [0.0, 1.0], [1.0, 1.0]]), jnp.array([3.0, 0.0, 3.0])
>>> solution = minimize(losses.squared(y), jnp.zeros(2), linear=X, prox=prox.l1(1.0))
>>> bool(solution.value - solution.gap <= 3.75 + 1e-5)  # the optimum is 3.75
True
"""

from nag_optax.losses.classification import logistic, multinomial, squared_hinge
from nag_optax.losses.loss import Loss
from nag_optax.losses.regression import huber, poisson, squared

__all__ = ["Loss", "huber", "logistic", "multinomial", "poisson", "squared", "squared_hinge"]
