"""Quadratic functions: a step of the operator solves a linear system."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import cho_factor, cho_solve
from jax.tree_util import Partial

from nag_optax.prox.operator import Prox, real_only
from nag_optax.trees import widened
from nag_optax.validation import check_entries, is_concrete


def quadratic(P: Any, q: Any = None) -> Prox:
    """g(x) = x^T P x / 2 + q^T x, on params of a single leaf [n]; P and q may be traced.

    The operator is (I + step_size P)^-1 (v - step_size q). With a matrix, each call makes a Cholesky decomposition, in
    O(n^3). The conjugate is not known; for a diagonal P and no q, that of `nag_optax.prox.l2_squared` is.

    Args:
      P: symmetric and positive semidefinite, an array [n, n]; or the diagonal of a diagonal one, [n], at least 0. Only
        its symmetric part counts.
      q: an array [n]; None for 0.

    Raises:
      TypeError: for P or q that are no real arrays; when applied to a complex leaf.
      ValueError: for other shapes, and for a concrete P that is, by more than rounding, not symmetric or not positive
        semidefinite; when applied to more than one leaf, or to one that is not [n].

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import quadratic
    >>> quadratic(jnp.array([[2.0, 1.0], [1.0, 2.0]]), jnp.array([1.0, 1.0]))(jnp.array([9.0, 1.0]), 1.0).round(4)
    Array([ 3., -1.], dtype=float32)
    """
    _check("P", P, "an array [n, n], or [n] for a diagonal matrix", (1, 2))
    size = P.shape[0]
    if P.shape != (size,) * P.ndim:
        raise ValueError(f"P must be an array [n, n], or [n] for a diagonal matrix, got shape {P.shape}.")
    if q is not None:
        _check("q", q, "an array [n], or None", (1,))
        if q.shape != (size,):
            raise ValueError(f"q must be [{size}] as P is {list(P.shape)}, got shape {q.shape}.")
    if P.ndim == 1:
        check_entries("P", P, at_least=0)
    elif is_concrete(P):
        _check_semidefinite(np.asarray(P))

    def solve(P, q, x, step_size):
        step_size = jnp.asarray(step_size, x.dtype)
        right = x if q is None else x - step_size * q.astype(x.dtype)
        if P.ndim == 1:
            return right / (1 + step_size * P.astype(x.dtype))
        return cho_solve(cho_factor(jnp.eye(size, dtype=x.dtype) + step_size * _symmetric(P, x)), right)

    def apply(P, q, params, step_size):
        vector = _only_leaf(params, size)
        moved = solve(P, q, widened(vector), step_size).astype(vector.dtype)
        return jax.tree.map(lambda _: moved, params)

    def value(P, q, params):
        x = widened(_only_leaf(params, size))
        image = P.astype(x.dtype) * x if P.ndim == 1 else _symmetric(P, x) @ x
        return jnp.sum(x * (image / 2 if q is None else image / 2 + q.astype(x.dtype)))

    return real_only("quadratic", Prox(Partial(apply, P, q), Partial(value, P, q)))


def _symmetric(P: Any, x: Array) -> Array:
    return ((P + P.T) / 2).astype(x.dtype)


def _only_leaf(params: Any, size: int) -> Array:
    leaves = jax.tree.leaves(params)
    shapes = [jnp.shape(x) for x in leaves]
    if shapes != [(size,)]:
        raise ValueError(f"quadratic: P needs params of a single leaf [{size}], got {shapes}: mask other leaves out.")
    return leaves[0]


def _check(name: str, value: Any, what: str, dimensions: tuple[int, ...]) -> None:
    if not isinstance(value, jax.Array | np.ndarray):
        raise TypeError(f"{name} must be {what}, got {type(value).__name__}.")
    if value.ndim not in dimensions:
        raise ValueError(f"{name} must be {what}, got shape {value.shape}.")
    check_entries(name, value)


def _check_semidefinite(P: np.ndarray) -> None:
    """Raises ValueError unless P is, but for what rounding of its entries may do."""
    resolution = float(jnp.finfo(P.dtype).eps) if jnp.issubdtype(P.dtype, np.floating) else 0.0
    P = P.astype(float)
    largest = float(np.max(np.abs(P), initial=0))
    slack = 10 * len(P) * max(resolution, float(np.finfo(float).eps)) * largest
    if np.any(np.abs(P - P.T) > slack):
        raise ValueError(f"P must be symmetric, got entries that differ by {np.max(np.abs(P - P.T)):g}.")
    lowest = float(np.min(np.linalg.eigvalsh(P), initial=0))
    if lowest < -slack:
        raise ValueError(f"P must be positive semidefinite, got an eigenvalue of {lowest:g}.")
