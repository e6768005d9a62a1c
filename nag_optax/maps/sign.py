"""The sign of every entry: the simplest map, that of Lion and of signSGD."""

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.maps.map_state import as_link
from nag_optax.scalars import hyperparameter_dtype


def sign() -> optax.GradientTransformationExtraArgs:
    """Replaces every entry by its sign, a complex one by its phase; NaN for what is not finite.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import maps, scale_by_nag
    >>> tx = optax.chain(scale_by_nag(0.9), maps.sign(), optax.scale_by_learning_rate(0.1))
    >>> tx.update(jnp.array([2.0, 0.0, -1e-9]), tx.init(jnp.zeros(3)))[0]
    Array([-0.1, -0. ,  0.1], dtype=float32)
    """
    return as_link(hyperparameter_dtype, lambda updates: jax.tree.map(_sign, updates))


def _sign(x: Array) -> Array:
    """The sign of every entry; infinite ones have none."""
    x = jnp.asarray(x)
    return jnp.where(jnp.isfinite(x), jnp.sign(x), jnp.nan).astype(x.dtype)
