"""Hyperparameters and counters: the precision in which they are computed, and their value at an update.

Scalars are float32, or float64 if a parameter is float64 or complex128, and never lower: in bfloat16 a momentum of
0.999 is 1. Counters follow, because JAX divides int32 in float32 and int64 in float64.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from nag_optax.validation import leaf_name

Scalar = Array | float
"""A hyperparameter's value, or one of the five numbers: a scalar array or a Python number."""


def is_number(value: Any) -> bool:
    """Whether this is a Python or NumPy number, which is constant; an array, even a concrete one, may change in a later
    update, as in ``optax.inject_hyperparams``.
    """
    return isinstance(value, int | float | np.number)


def hyperparameter_dtype(params: Any) -> jnp.dtype:
    """The dtype of the scalars for these parameters.

    Raises:
      TypeError: for a parameter that is neither floating with at least 16 bits nor complex.
    """
    try:
        bits = {jnp.finfo(jnp.result_type(p)).bits for p in jax.tree.leaves(params)}
    except (TypeError, ValueError):
        bits = {0}
    if min(bits, default=32) < 16:
        _refuse(params)
    return jnp.dtype(jnp.float64 if 64 in bits else jnp.float32)


def _refuse(params: Any) -> None:
    """Raises TypeError for the first leaf that cannot be trained."""
    for path, p in jax.tree_util.tree_leaves_with_path(params):
        where = leaf_name(path)
        try:
            dtype = jnp.result_type(p)
        except (TypeError, ValueError):
            raise TypeError(
                f"params must be arrays, got {type(p).__name__} at {where}: leave it out, as "
                "equinox.filter(model, equinox.is_inexact_array) does."
            ) from None
        if not jnp.issubdtype(dtype, jnp.inexact):
            raise TypeError(f"params must be floating or complex, got {dtype} at {where}: mask it with optax.masked.")
        if jnp.finfo(dtype).bits < 16:
            raise TypeError(
                f"params must have at least 16 bits, got {dtype} at {where}: train them in bfloat16, and cast for the "
                "forward pass."
            )


def mixing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under JAX's standard promotion, even if the user has set ``jax_numpy_dtype_promotion="strict"``.

    Strict promotion finds unintended products of dtypes; wide scalars times narrow arrays are intended.
    """

    @wraps(function)
    def under_standard_promotion(*args, **kwargs):
        with jax.numpy_dtype_promotion("standard"):
            return function(*args, **kwargs)

    return under_standard_promotion


def counter(count: Array, dtype: Any) -> Array:
    """A counter as a schedule sees it, an integer that goes with scalars of the dtype; it may index a table."""
    return count.astype(jnp.int64) if dtype == jnp.float64 else count


def as_float(count: Array | float) -> Array:
    """The count in JAX's default float dtype, for arithmetic."""
    return jnp.asarray(count, jnp.result_type(float))


def increment(count: Array) -> Array:
    """The next count; it stays at the largest int32 instead of overflowing."""
    return jnp.asarray(optax.safe_increment(count))


def scalar_at(value: optax.ScalarOrSchedule, count: Array) -> Scalar:
    """A hyperparameter at an update: a Python number unchanged, anything else in JAX's default float dtype."""
    scalar = value(count) if callable(value) else value
    return scalar if isinstance(scalar, int | float) else jnp.asarray(scalar, jnp.result_type(float))


def pair_at(value: optax.ScalarOrSchedule, count: Array) -> tuple[Scalar, Scalar]:
    """A hyperparameter at an update and at the next one; the largest count is its own successor."""
    if callable(value):
        return scalar_at(value, count), scalar_at(value, increment(count))
    scalar = scalar_at(value, count)
    return scalar, scalar


def unwrapped(scalar: Any) -> Array:
    """The array inside, where Flax wraps it in a variable."""
    (leaf,) = jax.tree.leaves(scalar)
    return leaf


def of_one_state(scalar: Any, asked_by: str) -> Array:
    """The scalar of a state, unwrapped.

    Raises:
      ValueError: if it is many, in a stack of states; ``asked_by`` is the function to map over it.
    """
    x = unwrapped(scalar)
    if jnp.ndim(x):
        raise ValueError(
            f"state is a stack of {jnp.shape(x)[0]}, as jax.vmap or jax.pmap makes it: use jax.vmap({asked_by})."
        )
    return x
