"""Updates that lead to a chosen parameter exactly.

``optax.apply_updates`` adds an update to a parameter and casts to its dtype. The float32 difference of two 16-bit
numbers, added back, is within half a unit of the second, which the cast therefore restores.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array


def is_low(param: Any) -> bool:
    """Whether a parameter is a real floating one of at most 16 bits."""
    dtype = jnp.result_type(param)
    return bool(jnp.issubdtype(dtype, jnp.floating)) and dtype.itemsize <= 2


def landing(param: Array, update: Array) -> tuple[Array, Callable[[Array], Array]]:
    """Where an update leads in float32, and the update that leads to another point."""
    wide = param.astype(jnp.float32)
    return wide + update.astype(jnp.float32), lambda to: to.astype(jnp.float32) - wide


def check_params(name: str, params: Any) -> None:
    """Raises ValueError where params are missing."""
    if params is None:
        raise ValueError(f"{name} needs params: call update(gradients, state, params).")
