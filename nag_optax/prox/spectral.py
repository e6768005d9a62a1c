"""Functions of the singular values of a matrix.

The derivative is written out, because that of the decomposition is infinite where singular values coincide, and at a
solution most of them are 0. A singular value s_i becomes h_i: it vanishes, or it stays, and changes as much as s_i.
With V = U diag(s) W^H and P = U^H dV W, the change of the result is ::

    U [ M * (P + P^H) / 2 + N * (P - P^H) / 2 ] W^H         M_ij = (h_i - h_j) / (s_i - s_j), h'(s_i) where they meet
      + (1 - U U^H) dV W diag(h / s) W^H                    N_ij = (h_i + h_j) / (s_i + s_j), h'(0) where both are 0
      + U diag(h / s) U^H dV (1 - W W^H)
      + dt U diag(dh / dt) W^H
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

Change = Callable[[Array, Array], tuple[Array, Array, Array]]
"""``(singular values, threshold) -> (h, whether it stays, dh / dt)``."""


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def with_singular_values(change: Change, x: Array, threshold: Array) -> Array:
    """The matrices with other singular values."""
    u, s, wh = jnp.linalg.svd(x, full_matrices=False)
    return (u * change(s, threshold[..., None])[0][..., None, :]) @ wh


@with_singular_values.defjvp
def _with_singular_values_jvp(change, primals, tangents):
    (x, threshold), (dx, dthreshold) = primals, tangents
    u, s, wh = jnp.linalg.svd(x, full_matrices=False)
    uh, w = u.mT.conj(), wh.mT.conj()
    h, stays, shift = change(s, threshold[..., None])
    ratio = jnp.where(s > 0, h / jnp.where(s > 0, s, 1), stays)

    s_i, s_j, h_i, h_j = s[..., :, None], s[..., None, :], h[..., :, None], h[..., None, :]
    both = s_i + s_j > 0
    symmetric = slopes(s, h, stays)
    skew = jnp.where(both, (h_i + h_j) / jnp.where(both, s_i + s_j, 1), stays[..., :, None])

    dxw, uhdx = dx @ w, uh @ dx
    p = uh @ dxw
    ph = p.mT.conj()
    core = symmetric * (p + ph) / 2 + skew * (p - ph) / 2 + dthreshold[..., None, None] * _diagonal(shift, p)
    tangent = u @ core @ wh
    tangent += ((dxw - u @ p) * ratio[..., None, :]) @ wh + (u * ratio[..., None, :]) @ (uhdx - p @ wh)
    return (u * h[..., None, :]) @ wh, tangent


def slopes(s: Array, h: Array, stays: Array) -> Array:
    """(h_i - h_j) / (s_i - s_j): 0 or 1 but between one that stays and one that does not."""
    across = stays[..., :, None] != stays[..., None, :]
    rise, run = (x[..., :, None] - x[..., None, :] for x in (h, s))
    return jnp.where(across, rise / jnp.where(across, run, 1), stays[..., :, None])


def _diagonal(values: Array, like: Array) -> Array:
    return jnp.where(jnp.eye(values.shape[-1], dtype=bool), values[..., None, :], 0).astype(like.dtype)
