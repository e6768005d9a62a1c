"""Sets that may be empty: concrete numbers raise before the first step, and traced ones give NaN, never another set."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_optax.validation import is_concrete


def tolerance(*numbers: Any) -> float:
    """How far apart two sums of the same numbers may be, relative to the sum of their absolute values: 100 times the
    rounding of JAX's default dtype, or of the coarsest of these numbers.
    """
    dtypes = [x.dtype for x in jax.tree.leaves(numbers) if hasattr(x, "dtype")]
    floating = [dtype for dtype in dtypes if jnp.issubdtype(dtype, jnp.floating)]
    return 100 * max(float(jnp.finfo(dtype).eps) for dtype in (jnp.result_type(float), *floating))


def where_feasible(feasible: Array, point: Any) -> Any:
    """The point, and NaN if the set is empty."""
    return jax.tree.map(lambda x: jnp.where(feasible, x, jnp.nan), point)


def array(x: Any) -> Any:
    """The argument; an array of NumPy where it is a number or lists of numbers."""
    return x if hasattr(x, "shape") else np.asarray(x)


def all_concrete(*numbers: Any) -> bool:
    """Whether all numbers have values to check."""
    return all(map(is_concrete, jax.tree.leaves(numbers)))
