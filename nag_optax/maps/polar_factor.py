"""The polar factor of a matrix, U V^H of its singular value decomposition U S V^H, by products alone.

An odd polynomial of a matrix acts on its singular values. A few of them in a row, each of degree 5 ::

    A = X X^H        X <- a X + (b A + c A^2) X                (`nag_optax.maps.iteration`)

take all singular values of a matrix of norm 1 to about 1, from some least one on; what is smaller stays smaller ::

    "quintic"         Keller Jordan's row, five times: 0.68 to 1.2 from 2e-3 on. It does not converge, nor has it to
    "polar_express"   Amsel, Persson, Musco & Gower, https://arxiv.org/abs/2505.16932, Algorithm 1: each row is the best
                      polynomial for what the rows before it leave, from 1e-3 on; eight rows reach 1 to rounding

The first rows of a table of polar express are the best of so many, too: ``POLAR_EXPRESS[:5]`` costs what the quintic
does. It comes with the paper's margin of 1 % for rounding.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_optax.maps.iteration import iterate
from nag_optax.scalars import mixing
from nag_optax.validation import as_dtype, check_choice

Polynomial = str | Sequence[Sequence[float]]
"""The name of a table, or rows (a, b, c)."""

QUINTIC = ((3.4445, -4.7750, 2.0315),) * 5

_GREEDY = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
)
_LIMIT = (1.875, -1.25, 0.375)
_MARGIN = 1.01

POLAR_EXPRESS = (*((a / _MARGIN, b / _MARGIN**3, c / _MARGIN**5) for a, b, c in _GREEDY), _LIMIT)

TABLES = {"quintic": QUINTIC, "polar_express": POLAR_EXPRESS}


def polar_factor(x: Array, polynomial: Polynomial = "quintic", dtype: Any = "bfloat16") -> Array:
    """The polar factors of a stack of matrices, about: all singular values become about 1.

    The scale of a matrix does not matter, from the smallest to the largest normal number; a matrix of zeros stays one.
    NaN and infinite entries make their matrix NaN.

    Args:
      x: matrices [..., rows, columns], real or complex.
      polynomial: "quintic", "polar_express", or rows of coefficients (a, b, c), in the order in which they act.
      dtype: of the products, a floating dtype. Complex matrices take complex numbers of at least its precision.

    Returns:
      An array like ``x``, of its dtype.

    Raises:
      TypeError: if ``x`` has fewer than two axes, or holds integers.

    >>> import jax.numpy as jnp
    >>> from nag_optax.maps import polar_factor
    >>> rotated = jnp.array([[0.0, 3e-30], [-1e-30, 0.0]])
    >>> polar_factor(rotated, "polar_express", jnp.float32).round(3)
    Array([[ 0.,  1.],
           [-1.,  0.]], dtype=float32)
    """
    rows, dtype, x = as_rows(polynomial), as_floating("dtype", dtype), jnp.asarray(x)
    if x.ndim < 2 or not jnp.issubdtype(x.dtype, jnp.inexact):
        raise TypeError(f"x must be floating or complex matrices [..., rows, columns], got {x.dtype}{list(x.shape)}.")
    if x.shape[-2] > x.shape[-1]:
        return jnp.matrix_transpose(_wide(jnp.matrix_transpose(x), rows, dtype))
    return _wide(x, rows, dtype)


def as_rows(polynomial: Polynomial) -> tuple[tuple[float, ...], ...]:
    """The rows of coefficients.

    Raises:
      TypeError: if it is neither a name nor rows of numbers.
      ValueError: for an unknown name, no rows, or rows that are not three finite numbers.
    """
    if isinstance(polynomial, str):
        check_choice("polynomial", polynomial, TABLES)
        return TABLES[polynomial]
    wanted = f"polynomial must be one of {', '.join(map(repr, TABLES))}, or rows of three finite numbers (a, b, c)"
    try:
        rows = np.asarray(polynomial, float)
    except (OverflowError, TypeError, ValueError):
        raise TypeError(f"{wanted}, got {polynomial!r}.") from None
    if rows.ndim != 2 or rows.shape[1] != 3 or not len(rows) or not np.isfinite(rows).all():
        raise ValueError(f"{wanted}, got {polynomial!r}.")
    return tuple(map(tuple, rows.tolist()))


def as_floating(name: str, dtype: Any) -> Any:
    """The floating dtype of at least 16 bits that this denotes; raises TypeError if it is none."""
    found = as_dtype(name, dtype)
    if found is None or not jnp.issubdtype(found, jnp.floating) or found.itemsize < 2:
        raise TypeError(f"{name} must be a floating dtype of at least 16 bits, got {dtype!r}.")
    return found


@mixing
def _wide(x: Array, rows: Sequence[Sequence[float]], dtype: Any) -> Array:
    """For matrices of at least as many columns as rows."""
    given, of_products = x.dtype, _dtype_of_products(x, dtype)
    x = x.astype(jnp.promote_types(given, jnp.float32))
    largest = jnp.max(jnp.abs(x), axis=(-2, -1), keepdims=True, initial=0)
    smaller = jnp.where(largest > 1, 2.0**-64, 1.0)  # the reciprocal of the largest numbers would be 0
    x, largest = x * smaller, largest * smaller
    x = x / jnp.where(largest == 0, 1, largest)  # the squares of what is small would be 0
    squares = jnp.sum(jnp.abs(x) ** 2, axis=(-2, -1), keepdims=True)
    x = (x / jnp.sqrt(jnp.where(squares == 0, 1, squares))).astype(of_products)
    with jax.default_matmul_precision("default" if of_products == jnp.bfloat16 else "highest"):
        return iterate(x, rows).astype(given)


def _dtype_of_products(x: Array, dtype: Any) -> Any:
    return jnp.promote_types(dtype, jnp.complex64) if jnp.iscomplexobj(x) else jnp.dtype(dtype)
