"""Transport polytopes {X >= 0: X 1 = row_sums, X^T 1 = column_sums}.

The projection of V is X = max(V + a 1^T + 1 b^T, 0), where a and b minimise the dual function |X|^2 / 2 - <row_sums, a>
- <column_sums, b>. Its gradient is piecewise linear, so Newton's method with an exact line search ends in finitely many
steps in practice. With the support S of X, the Newton matrix maps (a, b) to (diag(S 1) a + S b, S^T a + diag(S^T 1) b).
It is singular where S falls into parts: a multiple of its diagonal is added, which vanishes with the gradient, and
conjugate gradients divide by the sum. If V is large, V / 4^k comes first, with ever smaller k.
"""

from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.sparse.linalg import cg

from nag_optax.prox.constraints import from_projection
from nag_optax.prox.feasible import all_concrete, array, tolerance, where_feasible
from nag_optax.prox.monotone_root import monotone_root
from nag_optax.prox.operator import Prox
from nag_optax.trees import where
from nag_optax.validation import check_entries

MAX_STEPS = 500


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
    row_sums, column_sums = array(row_sums), array(column_sums)
    for name, sums in (("row_sums", row_sums), ("column_sums", column_sums)):
        check_entries(name, sums, at_least=0)
        if sums.ndim != 1:
            raise ValueError(f"{name} must be a vector, got shape {sums.shape}.")
    if all_concrete(row_sums, column_sums):
        totals = [float(np.sum(np.asarray(sums, float))) for sums in (row_sums, column_sums)]
        if abs(totals[0] - totals[1]) > tolerance(row_sums, column_sums) * sum(totals):
            raise ValueError(f"column_sums must have the total of row_sums, got {totals[1]:g} and {totals[0]:g}.")
    shape = row_sums.size, column_sums.size

    def projection(params, row_sums, column_sums):
        def of_leaf(x):
            if x.shape[-2:] != shape:
                raise ValueError(f"transport needs matrices {shape}, got shape {x.shape}: mask the leaf out.")
            sums = (jnp.asarray(sums, x.dtype) for sums in (row_sums, column_sums))
            return _each_matrix(x, *sums, tolerance(row_sums, column_sums))

        return jax.tree.map(of_leaf, params)

    return from_projection(projection, row_sums, column_sums)


def birkhoff() -> Prox:
    """Constraint X >= 0 with all rows and columns summing to 1 (doubly stochastic), for each leaf: a square matrix X,
    or a stack of them. It is the hull of permutation matrices, and `nag_optax.prox.transport` with sums of 1.

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
            return _each_matrix(x, ones, ones, tolerance())

        return jax.tree.map(of_leaf, params)

    return from_projection(projection)


@jax.jit
def _each_matrix(v: Array, row_sums: Array, column_sums: Array, difference: Array) -> Array:
    project = partial(_project, row_sums, column_sums, difference)
    return jnp.vectorize(project, signature="(m,n)->(m,n)")(v)


def _project(row_sums: Array, column_sums: Array, difference: Array, v: Array) -> Array:
    totals = jnp.sum(row_sums), jnp.sum(column_sums)
    same = jnp.abs(totals[0] - totals[1]) <= difference * sum(totals)
    row_sums, column_sums = (  # so that no difference is left, not even that of rounding
        sums * (sum(totals) / 2 / jnp.where(total > 0, total, 1))
        for sums, total in zip((row_sums, column_sums), totals, strict=True)
    )

    x, error, size = _nearest(v, row_sums, column_sums)
    return where_feasible(same & (error <= tolerance() * size), x)


def _point(v: Array, potentials: Any) -> Array:
    a, b = potentials
    return jnp.maximum(v + a[:, None] + b[None], 0)


def _gradient(x: Array, sums: Any) -> Any:
    return jnp.sum(x, 1) - sums[0], jnp.sum(x, 0) - sums[1]


def _largest(tree: Any) -> Array:
    return reduce(jnp.maximum, (jnp.max(jnp.abs(x)) for x in jax.tree.leaves(tree)))


@jax.custom_jvp
def _nearest(v: Array, row_sums: Array, column_sums: Array) -> tuple[Array, Array, Array]:
    """The projection, the largest error of its sums, and the largest number that went into them."""
    eps = float(jnp.finfo(v.dtype).eps)
    sums = row_sums, column_sums
    largest_sum = jnp.maximum(_largest(sums), float(jnp.finfo(v.dtype).tiny))
    zero, one, inf = (jnp.asarray(number, v.dtype) for number in (0, 1, jnp.inf))

    a = (row_sums - jnp.sum(v, 1)) / v.shape[1]
    b = (column_sums - jnp.sum(v + a[:, None], 0)) / v.shape[0]
    whole = v + a[:, None] + b[None]  # the point without x >= 0

    def newton(carry):
        potentials, scale, _, least, best, stalled, count = carry
        v = scale * whole
        x = _point(v, potentials)
        gradient = _gradient(x, sums)
        error = _largest(gradient)
        support = (x > 0).astype(v.dtype)
        entries = jnp.sum(support, 1), jnp.sum(support, 0)
        weights = jax.tree.map(lambda n: jnp.maximum(n, 1), entries)
        relative = jnp.clip(error / largest_sum, eps**0.5, 0.01)
        damping = jnp.clip(error / jnp.maximum(_largest(v), largest_sum), eps**0.5, 0.01)

        def matrix(d):
            image = entries[0] * d[0] + support @ d[1], entries[1] * d[1] + d[0] @ support
            return jax.tree.map(lambda i, w, d: i + damping * w * d, image, weights, d)

        def precondition(y):
            return jax.tree.map(jnp.divide, y, weights)

        target = jax.tree.map(jnp.negative, gradient)
        tol: Any = relative  # declared as a float
        d, _ = cg(matrix, target, tol=tol, maxiter=4 * sum(v.shape), M=precondition)
        change, linear = d[0][:, None] + d[1][None], row_sums @ d[0] + column_sums @ d[1]
        size = 2 * (row_sums @ jnp.abs(d[0]) + column_sums @ jnp.abs(d[1]))

        def along(t):
            moved = v + (potentials[0] + t * d[0])[:, None] + (potentials[1] + t * d[1])[None]
            value = jnp.sum(change * jnp.maximum(moved, 0)) - linear
            return value, jnp.sum(jnp.where(moved > 0, change**2, 0)), size

        t = monotone_root(along, zero, one, one)
        following = jax.tree.map(lambda p, d: p + t * d, potentials, d)
        better = error < least
        best = where(better, potentials, best)
        stalled = jnp.where(better | (error > tolerance() * _largest((potentials, whole))), 0, stalled + 1)
        return following, scale, error, jnp.minimum(least, error), best, stalled, count + 1

    def step(carry):
        potentials, scale, error, least, *rest = newton(carry)
        growth = jnp.where(error < 0.1 * largest_sum, jnp.minimum(4, 1 / scale), 1)
        error, least = (jnp.where(growth > 1, inf, e) for e in (error, least))
        return jax.tree.map(lambda p: growth * p, potentials), scale * growth, error, least, *rest

    def goes_on(carry):
        potentials, _, error, _, _, stalled, count = carry
        return (error > 2 * eps * _largest((potentials, sums))) & (stalled < 5) & (count < MAX_STEPS)

    none = jnp.zeros((), jnp.int32)
    scale = jnp.maximum(largest_sum / jnp.maximum(_largest(whole), largest_sum), eps)
    start = jax.tree.map(jnp.zeros_like, (a, b))
    *_, potentials, _, _ = jax.lax.while_loop(goes_on, step, (start, scale, inf, inf, start, none, none))
    x = _point(whole, potentials)
    return x, _largest(_gradient(x, sums)), _largest((sums, potentials, v))


@_nearest.defjvp
def _nearest_jvp(primals, tangents):
    """On the support S, X = V + a 1^T + 1 b^T. The Schur complement of the Newton matrix, scaled to eigenvalues in
    [0, 1], gives db; it has an eigenvalue 0 for each connected part of S, along which X does not change.
    """
    x, error, size = _nearest(*primals)
    dv, dr, dc = tangents
    support = (x > 0).astype(x.dtype)
    dv = support * dv
    rows, columns = (jnp.maximum(jnp.sum(support, axis), 1) for axis in (1, 0))
    root = jnp.sqrt(columns)
    halves = support / jnp.sqrt(rows)[:, None] / root[None]
    values, vectors = jnp.linalg.eigh(jnp.diag((jnp.sum(support, 0) > 0).astype(x.dtype)) - halves.T @ halves)
    kept = values > 20 * float(jnp.finfo(x.dtype).eps)
    inverse = jnp.where(kept, 1 / jnp.where(kept, values, 1), 0)
    to_rows, to_columns = dr - jnp.sum(dv, 1), dc - jnp.sum(dv, 0)
    db = (vectors @ (inverse * (((to_columns - (to_rows / rows) @ support) / root) @ vectors))) / root
    da = (to_rows - support @ db) / rows
    dx = dv + support * (da[:, None] + db[None])
    return (x, error, size), (dx, jnp.zeros_like(error), jnp.zeros_like(size))
