"""How far from the optimum a point can be: Fenchel's dual as a lower bound.

For any u, min f(A x) + g(x) >= -f*(u) - g*(-A^T u). The slope of f at an image, u = f'(A y), is the solution of the
dual where y is that of the primal, and its A^T u is the gradient that a step takes anyway. Where -A^T u is outside of
the domain of g*, both are scaled down until it is inside (Fercoq, Gramfort & Salmon, arXiv:1505.03410).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax import trees
from nag_optax.losses import Loss
from nag_optax.prox.operator import Prox

Bound = Callable[[Any, Any, Any], Array]


def certificate(loss: Any, prox: Any, dtype: Any) -> Bound | None:
    """``bound(slope, gradient, offset)``, a number that f + g nowhere falls below, but for rounding.

    The gradient is A^T slope; the offset is <slope, c> where the image is A x + c. None where a conjugate is unknown.
    """
    if why_none(loss, prox):
        return None

    def bound(slope: Any, gradient: Any, offset: Any) -> Array:
        down = jax.tree.map(lambda g: -trees.widened(g), gradient)
        gauge = prox.conjugate.gauge(down)
        scale = jnp.where(gauge > 1, 1 / gauge, 1)
        u, v = (jax.tree.map(lambda x: scale * trees.widened(x), tree) for tree in (slope, down))
        return jnp.asarray(scale * offset - loss.conjugate(u) - prox.conjugate.value(v), dtype)

    return bound


def why_none(loss: Any, prox: Any) -> str | None:
    """Why there is no certificate, in words; None if there is one."""
    if not isinstance(loss, Loss):
        return "fun is not a loss that knows its conjugate, such as those of nag_optax.losses"
    if not (isinstance(prox, Prox) and prox.conjugate):
        return "prox does not know its conjugate"
    return None
