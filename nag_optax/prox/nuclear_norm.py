"""The nuclear norm: low-rank matrices."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from nag_optax.prox.operator import Conjugate, Prox, per_leaf, ratio
from nag_optax.prox.spectral import with_singular_values


def nuclear_norm(strength: Any = 1.0) -> Prox:
    """g(x) = strength * sum of the singular values, of each leaf: a matrix, or a stack of them.

    Raises:
      ValueError: when applied to a leaf of fewer than two dimensions; exclude it with `nag_optax.prox.masked`.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import nuclear_norm
    >>> nuclear_norm(1.0)(jnp.diag(jnp.array([3.0, 0.5])), step_size=1.0).round(6)
    Array([[2., 0.],
           [0., 0.]], dtype=float32)
    """

    def matrix(x):
        if x.ndim < 2:
            raise ValueError(f"nuclear_norm needs matrices, got shape {x.shape}: mask the leaf out.")
        return x

    def singular_values(x):
        return jnp.linalg.svd(matrix(x), compute_uv=False)

    return per_leaf(
        lambda x, step_size, s: with_singular_values(
            _shrink, matrix(x), jnp.asarray(step_size * s, jnp.finfo(x.dtype).dtype)
        ),
        lambda x, s: jnp.sum(s * singular_values(x)),
        Conjugate(lambda v, s: jnp.zeros((), jnp.finfo(v.dtype).dtype), lambda v, s: ratio(singular_values(v), s)),
        strength=strength,
    )


def _shrink(s: Array, threshold: Array) -> tuple[Array, Array, Array]:
    stays = (s > threshold) | (threshold == 0)
    return jnp.where(stays, s - threshold, 0), stays, -stays.astype(s.dtype)
