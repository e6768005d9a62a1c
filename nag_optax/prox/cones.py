"""Self-dual cones C of conic programs. The domain of g* is the polar cone -C: the gauge is 0 there, or infinite."""

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.prox.operator import Conjugate, Prox, per_leaf, real_only
from nag_optax.prox.spectral import slopes


def second_order_cone() -> Prox:
    """Constraint |x|_2 <= t, where the last axis of each leaf is (t, x): the Lorentz cone.

    The gauge of the conjugate takes what lies outside of the polar cone by no more than rounding for inside.

    Raises:
      TypeError: when applied to a complex leaf; exclude it with `nag_optax.prox.masked`.
      ValueError: when applied to a scalar or empty leaf; exclude it with `nag_optax.prox.masked`.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import second_order_cone
    >>> second_order_cone()(jnp.array([0.0, 3.0, 4.0]))
    Array([2.5, 1.5, 2. ], dtype=float32)
    """

    def split(v):
        if not v.ndim or not v.shape[-1]:
            raise ValueError(f"second_order_cone needs vectors (t, x), got shape {v.shape}: mask the leaf out.")
        t, x = v[..., :1], v[..., 1:]
        return t, x, optax.safe_norm(x, 0.0, axis=-1, keepdims=True)

    def project(v, step_size):
        t, x, norm = split(v)
        middle = (t + norm) / 2
        new_t = jnp.where(norm <= t, t, jnp.where(norm <= -t, 0, middle))
        new_x = x * jnp.where(norm <= t, 1, jnp.where(norm <= -t, 0, middle / jnp.where(norm > 0, norm, 1)))
        return jnp.concatenate([new_t, new_x], -1)

    def gauge(v):
        t, _, norm = split(v)
        return _infinite_above(t + norm, 32 * (jnp.abs(t) + norm))

    return real_only("second_order_cone", per_leaf(project, _nothing, Conjugate(_nothing, gauge)))


def psd_cone() -> Prox:
    """Constraint: each leaf is a symmetric or Hermitian positive semidefinite matrix, or a stack of them.

    The Hermitian part (x + x^H) / 2 is projected, by its eigenvalues; the rest is orthogonal to the cone. The gauge of
    the conjugate takes what lies outside of the polar cone by no more than rounding for inside.

    Raises:
      ValueError: when applied to a leaf that is no square matrix; exclude it with `nag_optax.prox.masked`.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import psd_cone
    >>> psd_cone()(jnp.array([[0.0, 2.0], [0.0, 0.0]])).round(4)
    Array([[0.5, 0.5],
           [0.5, 0.5]], dtype=float32)
    """

    def hermitian(x):
        if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
            raise ValueError(f"psd_cone needs square matrices, got shape {x.shape}: mask the leaf out.")
        return _hermitian_part(x)

    def gauge(v):
        values = jnp.linalg.eigvalsh(hermitian(v))
        return _infinite_above(values, 32 * v.shape[-1] ** 0.5 * jnp.max(jnp.abs(values), -1, keepdims=True, initial=0))

    return per_leaf(lambda x, step_size: _clip_eigenvalues(hermitian(x)), _nothing, Conjugate(_nothing, gauge))


def _nothing(v: Array) -> Array:
    return jnp.zeros((), jnp.finfo(v.dtype).dtype)


def _infinite_above(size: Array, roundings: Array) -> Array:
    return jnp.where(size > float(jnp.finfo(size.dtype).eps) * roundings, jnp.inf, 0)


def _hermitian_part(x: Array) -> Array:
    return (x + x.mT.conj()) / 2


@jax.custom_jvp
def _clip_eigenvalues(x: Array) -> Array:
    """Its derivative is written out, because that of the decomposition is infinite where eigenvalues coincide."""
    values, u = jnp.linalg.eigh(x, symmetrize_input=False)
    return _hermitian_part((u * jnp.maximum(values, 0)[..., None, :]) @ u.mT.conj())


@_clip_eigenvalues.defjvp
def _clip_eigenvalues_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    values, u = jnp.linalg.eigh(x, symmetrize_input=False)
    clipped, uh = jnp.maximum(values, 0), u.mT.conj()
    tangent = u @ (slopes(values, clipped, clipped > 0) * (uh @ dx @ u)) @ uh
    return _hermitian_part((u * clipped[..., None, :]) @ uh), _hermitian_part(tangent)
