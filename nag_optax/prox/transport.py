"""Transport polytopes {X >= 0: X 1 = row_sums, X^T 1 = column_sums}.

The projection of V is X = max(V + a 1^T + 1 b^T, 0), where a and b minimise the dual function |X|^2 / 2 - <row_sums, a>
- <column_sums, b>. Its gradient is piecewise linear: Newton's method with an exact line search is finite in practice.
With the support S of X, the Newton matrix maps (a, b) to (diag(S 1) a + S b, S^T a + diag(S^T 1) b); conjugate gradients
divide by it. It is singular, so a multiple of the identity is added that vanishes with the gradient.
"""

from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.sparse.linalg import cg

from nag_optax.prox.constraints import from_projection
from nag_optax.prox.feasible import all_concrete, tolerance, where_feasible
from nag_optax.prox.monotone_root import monotone_root
from nag_optax.prox.operator import Prox
from nag_optax.validation import check_entries

MAX_STEPS = 200
DEBUG=False


def transport(row_sums: Any, column_sums: Any) -> Prox:
    """Constraint X >= 0 with given sums of rows and columns, for each leaf: a matrix X, or a stack of matrices.

    Args:
      row_sums: a vector of shape (m,), entries of at least 0.
      column_sums: a vector of shape (n,), entries of at least 0, with the total of ``row_sums``.

    Raises:
      ValueError: for concrete sums that are negative or have different totals (the latter give NaN if traced), or when
        applied to a leaf whose last axes are not (m, n); exclude it with `nag_optax.prox.masked`.

    References:
      Li, Sun & Toh, On the efficient computation of a generalized Jacobian of the projector over the Birkhoff polytope,
      2020, arXiv:1702.05934, section 3.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import transport
    >>> transport(jnp.array([1.0, 2.0]), jnp.array([2.0, 1.0]))(jnp.array([[0.0, 5.0], [0.0, 0.0]])).round(4)
    Array([[0., 1.],
           [2., 0.]], dtype=float32)
    """
    for name, sums in (("row_sums", row_sums), ("column_sums", column_sums)):
        check_entries(name, sums, at_least=0)
        if jnp.ndim(sums) != 1:
            raise ValueError(f"{name} must be a vector, got shape {jnp.shape(sums)}.")
    if all_concrete(row_sums, column_sums):
        totals = [float(np.sum(np.asarray(sums, float))) for sums in (row_sums, column_sums)]
        if abs(totals[0] - totals[1]) > tolerance() * sum(totals):
            raise ValueError(f"column_sums must have the total of row_sums, got {totals[1]:g} and {totals[0]:g}.")
    shape = jnp.size(row_sums), jnp.size(column_sums)

    def projection(params, row_sums, column_sums):
        def of_leaf(x):
            if x.shape[-2:] != shape:
                raise ValueError(f"transport needs matrices {shape}, got shape {x.shape}: mask the leaf out.")
            return _each_matrix(x, row_sums.astype(x.dtype), column_sums.astype(x.dtype))

        return jax.tree.map(of_leaf, params)

    return from_projection(projection, jnp.asarray(row_sums), jnp.asarray(column_sums))


def birkhoff() -> Prox:
    """Constraint X >= 0 with all rows and columns summing to 1 (doubly stochastic), for each leaf: a square matrix X, or
    a stack of them. It is the hull of permutation matrices, and `nag_optax.prox.transport` with sums of 1.

    Raises:
      ValueError: when applied to a leaf that is not square; exclude it with `nag_optax.prox.masked`.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import birkhoff
    >>> birkhoff()(jnp.array([[3.0, 0.0], [0.5, 0.25]])).round(4)
    Array([[1., 0.],
           [0., 1.]], dtype=float32)
    """

    def projection(params):
        def of_leaf(x):
            if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
                raise ValueError(f"birkhoff needs square matrices, got shape {x.shape}: mask the leaf out.")
            ones = jnp.ones(x.shape[-1], x.dtype)
            return _each_matrix(x, ones, ones)

        return jax.tree.map(of_leaf, params)

    return from_projection(projection)


@jax.jit
def _each_matrix(v: Array, row_sums: Array, column_sums: Array) -> Array:
    return jnp.vectorize(_project, signature="(m,n),(m),(n)->(m,n)")(v, row_sums, column_sums)


def _project(v: Array, row_sums: Array, column_sums: Array) -> Array:
    totals = jnp.sum(row_sums), jnp.sum(column_sums)
    same = jnp.abs(totals[0] - totals[1]) <= tolerance() * sum(totals)
    row_sums, column_sums = (  # so that no difference is left, not even that of rounding
        sums * (sum(totals) / 2 / jnp.where(total > 0, total, 1))
        for sums, total in zip((row_sums, column_sums), totals, strict=True)
    )

    def gradient(potentials):
        x = _point(v, potentials)
        return jnp.sum(x, 1) - row_sums, jnp.sum(x, 0) - column_sums

    a = (row_sums - jnp.sum(v, 1)) / v.shape[1]  # the point without x >= 0
    b = (column_sums - jnp.sum(v + a[:, None], 0)) / v.shape[0]
    potentials = jax.lax.custom_root(
        gradient, (a, b), lambda _, first: _newton(v, row_sums, column_sums, first), _divide
    )
    x = _point(v, potentials)
    error, size = _largest(gradient(potentials)), _largest((row_sums, column_sums, x, potentials, v))
    return where_feasible(same & (error <= tolerance() * sum(v.shape) * size), x)


def _point(v: Array, potentials: Any) -> Array:
    a, b = potentials
    return jnp.maximum(v + a[:, None] + b, 0)


def _divide(linear: Any, y: Any) -> Any:
    counts = linear(jax.tree.map(jnp.ones_like, y))  # twice the entries of the support in a row or column
    weights = jax.tree.map(lambda n: 1 / jnp.maximum(n, 1), counts)
    eps = float(jnp.finfo(y[0].dtype).eps)
    return cg(linear, y, tol=eps, maxiter=4 * sum(map(jnp.size, y)), M=partial(jax.tree.map, jnp.multiply, weights))[0]


def _largest(tree: Any) -> Array:
    return reduce(jnp.maximum, (jnp.max(jnp.abs(x)) for x in jax.tree.leaves(tree)))


def _newton(v: Array, row_sums: Array, column_sums: Array, first: Any) -> Any:
    eps = float(jnp.finfo(v.dtype).eps)
    sums = row_sums, column_sums

    def slopes(potentials):
        x = _point(v, potentials)
        return x, (jnp.sum(x, 1) - row_sums, jnp.sum(x, 0) - column_sums)

    def step(carry):
        potentials, _, best, stalled, count = carry
        x, gradient = slopes(potentials)
        error = _largest(gradient)
        support = (x > 0).astype(v.dtype)
        entries = jnp.sum(support, 1), jnp.sum(support, 0)
        relative = jnp.minimum(error / jnp.maximum(_largest(sums), 1e-30), 0.01)
        weights = jax.tree.map(lambda n: jnp.maximum(n, 1), entries)

        def matrix(d):
            image = entries[0] * d[0] + support @ d[1], entries[1] * d[1] + d[0] @ support
            return jax.tree.map(lambda i, w, d: i + relative * w * d, image, weights, d)

        target = jax.tree.map(jnp.negative, gradient)
        d = cg(matrix, target, tol=relative, maxiter=4 * sum(v.shape), M=lambda y: jax.tree.map(jnp.divide, y, weights))[0]
        change = d[0][:, None] + d[1]

        def along(t):
            moved = v + (potentials[0] + t * d[0])[:, None] + (potentials[1] + t * d[1])
            positive = jnp.maximum(moved, 0)
            linear = row_sums @ d[0] + column_sums @ d[1]
            value = jnp.sum(change * positive) - linear
            size = jnp.sum(jnp.abs(change) * positive) + jnp.abs(linear)
            return value, jnp.sum(jnp.where(moved > 0, change**2, 0)), size

        zero, one = jnp.zeros((), v.dtype), jnp.ones((), v.dtype)
        t = monotone_root(along, zero, one, one)
        following = jax.tree.map(lambda p, d: p + t * d, potentials, d)
        return following, error, jnp.minimum(best, error), jnp.where(error < best, 0, stalled + 1), count + 1

    def goes_on(carry):
        potentials, error, best, stalled, count = carry
        return (error > 2 * eps * _largest((potentials, sums))) & (stalled < 5) & (count < MAX_STEPS)

    inf = jnp.asarray(jnp.inf, v.dtype)
    zero = jnp.zeros((), jnp.int32)
    out= jax.lax.while_loop(goes_on, step, (first, inf, inf, zero, zero))
    if DEBUG: jax.debug.print("steps {} err {} stalled {}", out[-1], out[1], out[3])
    return out[0]
