"""Errors that come before the first step and say what an argument may be.

Only concrete Python and NumPy numbers are checked: a traced hyperparameter (``jax.jit``, ``optax.inject_hyperparams``)
has no value to look at.
"""

import math
from collections.abc import Collection
from typing import Any

import numpy as np


def check_number(
    name: str, value: Any, *, at_least: float | None = None, above: float | None = None, below: float | None = None
) -> None:
    """Raises if ``value`` is a concrete number outside its range, or no number, schedule or array at all.

    Raises:
      TypeError: for strings, None, booleans and the like.
      ValueError: for a number outside the range, NaN, or an array that is not a scalar.
    """
    if isinstance(value, bool) or not (
        isinstance(value, int | float | np.number | np.ndarray) or hasattr(value, "dtype") or callable(value)
    ):
        raise TypeError(f"{name} must be a number or a schedule, got {value!r} of type {type(value).__name__}.")
    shape = getattr(value, "shape", ())
    if shape:
        raise ValueError(f"{name} must be a scalar, got an array of shape {shape}.")
    if not isinstance(value, int | float | np.number | np.ndarray):
        return
    bounds = {"at least": at_least, "above": above, "below": below}
    inside = math.isfinite(value) and not (
        (at_least is not None and value < at_least)
        or (above is not None and value <= above)
        or (below is not None and value >= below)
    )
    if not inside:
        allowed = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)
        raise ValueError(f"{name} must be finite{', ' if allowed else ''}{allowed}, got {value!r}.")


def check_choice(name: str, value: Any, choices: Collection[Any]) -> None:
    """Raises ValueError if ``value`` is none of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")
