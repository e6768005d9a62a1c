"""The nuclear norm: low-rank matrices.

The operator thresholds singular values. Its derivative is written out, because that of the decomposition is infinite
where singular values coincide, and at a solution most of them are 0. With V = U diag(s) W^H, h_i = max(s_i - t, 0) and
P = U^H dV W, the change of the result is ::

    U [ M * (P + P^H) / 2 + N * (P - P^H) / 2 ] W^H         M_ij = (h_i - h_j) / (s_i - s_j), h'(s_i) where they meet
      + (1 - U U^H) dV W diag(h / s) W^H                    N_ij = (h_i + h_j) / (s_i + s_j), 0 where both are 0
      + U diag(h / s) U^H dV (1 - W W^H)
      - dt U diag(1[s > t]) W^H
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax.prox.operator import Conjugate, Prox, per_leaf, ratio


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
        lambda x, step_size, s: _shrink_singular_values(
            matrix(x), jnp.asarray(step_size * s, jnp.finfo(x.dtype).dtype)
        ),
        lambda x, s: jnp.sum(s * singular_values(x)),
        Conjugate(lambda v, s: jnp.zeros((), jnp.finfo(v.dtype).dtype), lambda v, s: ratio(singular_values(v), s)),
        strength=strength,
    )


@jax.custom_jvp
def _shrink_singular_values(x: Array, threshold: Array) -> Array:
    u, s, wh = jnp.linalg.svd(x, full_matrices=False)
    return (u * jnp.maximum(s - threshold[..., None], 0)[..., None, :]) @ wh


@_shrink_singular_values.defjvp
def _shrink_singular_values_jvp(primals, tangents):
    (x, threshold), (dx, dthreshold) = primals, tangents
    u, s, wh = jnp.linalg.svd(x, full_matrices=False)
    uh, w = u.mT.conj(), wh.mT.conj()
    above = s > threshold[..., None]
    h = jnp.where(above, s - threshold[..., None], 0)
    ratio = h / jnp.where(above, s, 1)

    s_i, s_j, h_i, h_j = s[..., :, None], s[..., None, :], h[..., :, None], h[..., None, :]
    both = s_i + s_j > 0
    symmetric = slopes(s, h)
    skew = jnp.where(both, (h_i + h_j) / jnp.where(both, s_i + s_j, 1), 0)

    dxw, uhdx = dx @ w, uh @ dx
    p = uh @ dxw
    ph = p.mT.conj()
    core = symmetric * (p + ph) / 2 + skew * (p - ph) / 2 - dthreshold[..., None, None] * _diagonal(above, p)
    tangent = u @ core @ wh
    tangent += ((dxw - u @ p) * ratio[..., None, :]) @ wh + (u * ratio[..., None, :]) @ (uhdx - p @ wh)
    return (u * h[..., None, :]) @ wh, tangent


def slopes(s: Array, h: Array) -> Array:
    """(h_i - h_j) / (s_i - s_j) for h = max(s - t, 0): 0 or 1 but between one that is above t and one that is not."""
    above = h > 0
    across = above[..., :, None] != above[..., None, :]
    rise, run = (x[..., :, None] - x[..., None, :] for x in (h, s))
    return jnp.where(across, rise / jnp.where(across, run, 1), above[..., :, None])


def _diagonal(values: Array, like: Array) -> Array:
    return jnp.where(jnp.eye(values.shape[-1], dtype=bool), values[..., None, :], 0).astype(like.dtype)
