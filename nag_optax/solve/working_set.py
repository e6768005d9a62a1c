"""Sparse solutions from few columns: a run on a working set, which is certified on all of them.

Most rows of a sparse solution are 0, and a step on the others' columns alone costs as little as they are few. A run
goes on with the rows that are not 0 and those that would leave 0, until its gap on them is a tenth of the last one on
all; then one product with the whole matrix tells the gap, and which rows are missing (as in Celer, Massias, Gramfort &
Salmon, arXiv:1802.07481, whose subproblems are solved by coordinate descent). The run ends on all columns, where
stopping is judged as ever.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.experimental.sparse import BCOO

from nag_optax.solve.loop import Run
from nag_optax.solve.method import Problem
from nag_optax.solve.result import Status
from nag_optax.solve.stopping import RUNNING

SMALLEST = 64
"""Columns of the first working set, at least."""

SHARE = 0.1
"""The gap at which a working set is left, of the last gap on all columns."""

NEAR = 1.25
"""A row that is 0 is wanted if it would leave 0 with a gradient so many times larger."""


class Columns(NamedTuple):
    """Part of a linear map.

    Attributes:
      matrix: the columns, and zeros that fill a bucket.
      rows: of params that they belong to; beyond the last row for the zeros.
    """

    matrix: Any
    rows: Array

    def image(self, params: Array) -> Array:
        """The image of params that are 0 elsewhere."""
        return self.matrix @ params.at[self.rows].get(mode="fill", fill_value=0)


class Sight(NamedTuple):
    """What one look at all columns shows; ``wish`` is infinite for rows that are not 0, and 0 for unwanted ones."""

    bound: Array
    wish: Array


def look(problem: Problem, run: Run) -> Sight:
    """A look at all columns, for the price of one product."""
    x, previous, image = run.point.params, run.point.carry.previous, run.point.carry.images[0]
    _, slope = problem.value_and_slope(image)
    gradient = problem.gradient(x, slope)
    step_size = run.point.step_size
    leaving = problem.prox((-NEAR * step_size * gradient).astype(x.dtype), step_size)
    norms = [jnp.sum(jnp.abs(a), axis=tuple(range(1, a.ndim))) for a in (leaving, x, previous)]
    wish = jnp.where((norms[1] > 0) | (norms[2] > 0), jnp.inf, norms[0])
    assert problem.lower_bound is not None
    return Sight(problem.lower_bound(x, image, slope, gradient), wish)


def check_screening(linear: Any, method: Any) -> None:
    """Raises ValueError if columns cannot be taken from a linear map, or a method does not let them change."""
    if not isinstance(linear, jax.Array | BCOO):
        kind = "None" if linear is None else type(linear).__name__
        raise ValueError(f"screen=True needs linear, an array or a BCOO, got {kind}.")
    if isinstance(linear, BCOO) and (linear.n_batch or linear.n_dense):
        raise ValueError("screen=True needs a BCOO without batch or dense dimensions (n_batch=0, n_dense=0).")
    if method != "full_backtracking":
        raise ValueError(f"screen=True is for method='full_backtracking', got {method!r}.")


def check_rows(prox: Callable[[Any, Any], Any], params: Array) -> None:
    """Raises ValueError if an operator does not keep the rows of params apart, nor those that are 0 at 0; tried out."""
    if not params.size:
        return
    half = (np.arange(len(params)) % 2 == 0).reshape(-1, *[1] * (params.ndim - 1))
    whole = np.random.default_rng(0).standard_normal(params.shape)
    for size in 10.0 ** np.arange(0, 31, 3):
        x, part = (jnp.asarray(size * a, params.dtype) for a in (whole, whole * half))
        of_whole, of_part = (np.asarray(prox(a, jnp.ones((), params.dtype))) for a in (x, part))
        if not np.array_equal(of_part, of_whole * half):
            raise ValueError("screen=True needs a prox that keeps rows apart, and those that are 0 at 0, such as l1.")
        if np.all(np.any(of_whole.reshape(len(of_whole), -1) != 0, axis=1)):
            return


class WorkingSets:
    """``go_on(run, until)`` of a run that sees all columns at its beginning, its end, and now and then."""

    def __init__(self, matrix: Any, tol: Any, inside: Callable, outside: Callable, look: Callable):
        """``inside(columns, tol, run, until)`` goes on with some columns, ``outside(run, until)`` with all of them."""
        self._take = _taker(matrix)
        self._size = matrix.shape[1]
        self._tol, self._inner_tol = float(tol), 1.0
        self._inside, self._outside, self._look = inside, outside, look
        self._columns: Columns | None = None
        self._inner_bound: Any = None
        self._whole = False

    def __call__(self, run: Run, until: Any) -> Run:
        """At most so many steps in all."""
        if self._columns is None and not self._whole:
            run = self._choose(run)
        if self._whole:
            return self._outside(run, until)
        bound = run.bound  # the bound on a working set is none of the whole problem
        assert self._columns is not None
        run = self._inside(self._columns, self._inner_tol, run._replace(bound=self._inner_bound), until)
        self._inner_bound, run = run.bound, run._replace(bound=bound)
        if int(run.status) in (Status.CONVERGED, Status.STALLED):
            run = self._choose(run)
        return run

    def _choose(self, run: Run) -> Run:
        """The run with the next working set, or with all columns."""
        sight = self._look(run)
        wish = np.asarray(sight.wish)
        bound = sight.bound
        value = float(run.point.value)
        gap = (value - float(bound)) / abs(value) if np.isfinite(value) and value else 1.0
        support, wanted = int(np.isinf(wish).sum()), int((wish > 0).sum())
        size = min(_bucket(max(SMALLEST, 2 * support, wanted // 4)), _bucket(max(wanted, 1)))
        finished = gap <= self._tol or int(run.status) == Status.STALLED or 2 * size > self._size
        if finished or (self._columns is not None and self._inner_tol <= self._tol / 2 and support == size):
            self._whole = True
        else:
            self._inner_tol = max(SHARE * gap, self._tol / 2)
            self._columns = self._take(np.argpartition(-wish, size - 1)[:size])
            self._inner_bound = bound
        return run._replace(status=jnp.full_like(run.status, RUNNING), bound=bound)


def _bucket(size: int) -> int:
    """A power of two, so that few programs are compiled."""
    return 1 << (size - 1).bit_length()


def _taker(matrix: Any) -> Callable[[np.ndarray], Columns]:
    """How columns are taken from a matrix."""
    if not isinstance(matrix, BCOO):
        return lambda rows: Columns(_take_dense(matrix, rows), jnp.asarray(rows))
    data, (at, of) = np.asarray(matrix.data), np.asarray(matrix.indices).T
    order = _order(of)
    data, at, starts = data[order], at[order], np.searchsorted(of[order], np.arange(matrix.shape[1] + 1))

    def take(rows: np.ndarray) -> Columns:
        lengths = starts[rows + 1] - starts[rows]
        total = int(lengths.sum())
        offsets = np.repeat(starts[rows] - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
        entries = offsets + np.arange(total)
        padding = _bucket(max(total, 1)) - total
        indices = np.stack([at[entries], np.repeat(np.arange(len(rows)), lengths)], axis=1)
        part = BCOO(
            (jnp.asarray(np.pad(data[entries], (0, padding))), jnp.asarray(np.pad(indices, ((0, padding), (0, 0))))),
            shape=(matrix.shape[0], len(rows)),
        )
        return Columns(part, jnp.asarray(rows))

    return take


def _order(columns: np.ndarray) -> np.ndarray:
    """The stable order of column numbers, by digits of 16 bits, which NumPy sorts in linear time."""
    if np.all(columns[:-1] <= columns[1:]):
        return np.arange(len(columns))
    order = np.argsort((columns & 0xFFFF).astype(np.uint16), kind="stable")
    return order[np.argsort((columns >> 16)[order].astype(np.uint16), kind="stable")]


@jax.jit
def _take_dense(matrix: Array, rows: Array) -> Array:
    return jnp.take(matrix, rows, axis=1)
