"""Sets that may be empty: concrete numbers raise before the first step, and traced ones give NaN, never another set."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax.validation import is_concrete


def tolerance() -> float:
    """How far apart two sums of the same numbers may be, relative to the sum of their absolute values."""
    return 100 * float(jnp.finfo(jnp.result_type(float)).eps)


def where_feasible(feasible: Array, point: Any) -> Any:
    """The point, and NaN if the set is empty."""
    return jax.tree.map(lambda x: jnp.where(feasible, x, jnp.nan), point)


def all_concrete(*numbers: Any) -> bool:
    """Whether all numbers have values to check."""
    return all(map(is_concrete, jax.tree.leaves(numbers)))
