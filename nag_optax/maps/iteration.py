"""Odd polynomials of a wide matrix, one after another, in as few products as their rounding allows.

A row (a, b, c) is X <- Q X, with Q = a I + b A + c A^2 and A = X X^H. If X is much wider than high, its own products
cost most. But A is enough to go on: after a row it is Q A Q, and all of these commute. So a few rows are
multiplied together first, as small matrices, and X only once ::

    P = Q_3 Q_2 Q_1        X <- P X

A row multiplies a small singular value by a, and so the rounding of A at it by a^2: rows go together as long as this
stays below the rounding that the result may have. In 16 bits none do.
"""

import math
from collections.abc import Sequence
from functools import reduce

import jax
import jax.numpy as jnp
from jax import Array

Row = Sequence[float]

WIDE = 2
"""Columns over rows from which on rows are multiplied together."""

GROWTH = 2000.0
"""Of the rounding in a block of rows: in float32 it leaves an error of 2e-4 at singular values near 0, and far less
elsewhere.
"""


def iterate(x: Array, rows: Sequence[Row]) -> Array:
    """The polynomials of these rows of matrices [..., m, n], m <= n."""
    m, n = x.shape[-2:]
    together = n >= WIDE * m and jnp.finfo(x.dtype).bits > 16
    for block in _blocks(rows) if together else [[row] for row in rows]:
        # Each block reads X as it lies in memory: XLA would otherwise transpose it in all products.
        x = jax.lax.optimization_barrier(_one(x, block[0]) if len(block) == 1 else _many(x, block))
    return x


def _blocks(rows: Sequence[Row]) -> list[list[Row]]:
    """Consecutive rows that go together."""
    blocks: list[list[Row]] = [[]]
    for row in rows:
        if blocks[-1] and math.prod(a**2 for a, *_ in [*blocks[-1], row]) > GROWTH:
            blocks.append([])
        blocks[-1].append(row)
    return blocks


def _one(x: Array, row: Row) -> Array:
    a, b, c = row
    gram = x @ _adjoint(x)
    return a * x + (b * gram + c * (gram @ gram)) @ x


def _many(x: Array, rows: Sequence[Row]) -> Array:
    gram, factors = x @ _adjoint(x), []
    for a, b, c in rows:
        factors.append(a * jnp.eye(x.shape[-2], dtype=x.dtype) + b * gram + c * (gram @ gram))
        gram = factors[-1] @ (factors[-1] @ gram)
    return reduce(lambda product, factor: factor @ product, factors) @ x


def _adjoint(x: Array) -> Array:
    return jnp.matrix_transpose(x).conj()
