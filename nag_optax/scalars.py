"""Hyperparameters and counters: how wide they are computed, and their value at an update.

Scalars live in float32, in float64 where a parameter is float64 or complex128, and never in less: in bfloat16 a
momentum of 0.999 is 1. Counters follow, because JAX divides int32 in float32 and int64 in float64.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

Scalar = Array | float
"""A hyperparameter's value, or one of the five numbers: a scalar array or a Python number."""


def hyperparameter_dtype(params: Any) -> jnp.dtype:
    """The dtype of the scalars that go with these parameters."""
    wide = any(jnp.finfo(jnp.result_type(p)).bits == 64 for p in jax.tree.leaves(params))
    return jnp.dtype(jnp.float64 if wide else jnp.float32)


def counter(count: Array, dtype: Any) -> Array:
    """A counter as a schedule sees it, an integer that goes with scalars of the dtype; it may index a table."""
    return count.astype(jnp.int64) if dtype == jnp.float64 else count


def as_float(count: Array | int) -> Array:
    """The count in JAX's default float dtype, for arithmetic."""
    return jnp.asarray(count, jnp.result_type(float))


def increment(count: Array) -> Array:
    """The next count; it stays at the largest int32 instead of overflowing."""
    return jnp.asarray(optax.safe_increment(count))


def scalar_at(value: optax.ScalarOrSchedule, count: Array) -> Scalar:
    """A hyperparameter at an update: a Python number as it is, all else in JAX's default float dtype."""
    scalar = value(count) if callable(value) else value
    return scalar if isinstance(scalar, int | float) else jnp.asarray(scalar, jnp.result_type(float))


def unwrapped(scalar: Any) -> Array:
    """The array inside, where Flax wraps it in a variable."""
    (leaf,) = jax.tree.leaves(scalar)
    return leaf
