"""Updates that lead to a chosen parameter.

Updates keep their dtype. ``optax.apply_updates`` adds an update to a parameter and casts to its dtype: the float32
difference of two 16-bit numbers, added to the first, is within half a unit of the second, so the cast restores it. The
same holds for a difference rounded to 16 bits if it is no larger than the target; a larger one misses the target by up
to half a unit of the update, as any 16-bit update does.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax.trees import beside


def is_low(param: Any) -> bool:
    """Whether a parameter is a real floating one of at most 16 bits."""
    dtype = jnp.result_type(param)
    return bool(jnp.issubdtype(dtype, jnp.floating)) and dtype.itemsize <= 2


def landing(param: Array, update: Array, further: Array | float = 0.0) -> tuple[Array, Callable[[Array], Array]]:
    """Where an update, and what is to be added to it, lead in float32; and the update that leads to another point."""
    wide = param.astype(jnp.float32)

    def update_to(point: Array) -> Array:
        return as_low(point.astype(jnp.float32) - wide, update.dtype)

    return wide + (update.astype(jnp.float32) + further), update_to


def landed(param: Array, update: Array) -> Array:
    """Where the sum of a parameter and an update of its dtype or of float32 ends, in float32."""
    return as_low(param.astype(jnp.float32) + update.astype(jnp.float32), param.dtype).astype(jnp.float32)


def as_low(x: Array, dtype: Any) -> Array:
    """The float32 array in a dtype; in bfloat16 rounded also where XLA would rather compute on with all digits."""
    # Not in float16, whose subnormals reduce_precision flushes to zero.
    return (jax.lax.reduce_precision(x, 8, 7) if dtype == jnp.bfloat16 else x).astype(dtype)


def params_of(name: str, updates: Any, params: Any) -> Any:
    """The params that have updates; raises ValueError where there are none at all."""
    if params is None:
        raise ValueError(f"{name} needs params: call update(gradients, state, params).")
    return beside(updates, params)
