"""Errors that come before the first step and say what an argument may be.

Only concrete Python and NumPy numbers are checked: a traced hyperparameter (``jax.jit``, ``optax.inject_hyperparams``)
has no value to look at.
"""

import math
from collections.abc import Collection
from operator import ge, gt, le, lt
from typing import Any, TypeGuard

import jax
import numpy as np


def check_number(
    name: str,
    value: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> None:
    """Raises if ``value`` is a concrete number outside its range, or no number, schedule or array at all.

    Raises:
      TypeError: for strings, None, booleans and the like.
      ValueError: for a number outside the range, NaN, or an array that is not a scalar.
    """
    if isinstance(value, bool) or not (is_concrete(value) or hasattr(value, "dtype") or callable(value)):
        raise TypeError(f"{name} must be a number or a schedule, got {value!r} of type {type(value).__name__}.")
    shape = getattr(value, "shape", ())
    if shape:
        raise ValueError(f"{name} must be a scalar, got an array of shape {shape}.")
    if not is_concrete(value):
        return
    comparisons = (("at least", ge, at_least), ("above", gt, above), ("at most", le, at_most), ("below", lt, below))
    limits = [(words, holds, bound) for words, holds, bound in comparisons if bound is not None]
    if not (math.isfinite(value) and all(holds(value, bound) for _, holds, bound in limits)):
        allowed = " and ".join(f"{words} {bound:g}" for words, _, bound in limits)
        raise ValueError(f"{name} must be finite{', ' if allowed else ''}{allowed}, got {value!r}.")


def check_integer(name: str, value: Any, *, at_least: int, may_be_traced: bool = False) -> None:
    """Raises if ``value`` is no Python or NumPy integer, nor, where that is allowed, one of JAX; or if it is too small.

    Raises:
      TypeError: if it is no integer.
      ValueError: if it is too small, or an array that is not a scalar.
    """
    traced = may_be_traced and isinstance(value, jax.Array) and np.issubdtype(value.dtype, np.integer)
    if isinstance(value, bool) or not (traced or isinstance(value, int | np.integer)):
        raise TypeError(f"{name} must be an integer, got {value!r} of type {type(value).__name__}.")
    check_number(name, value, at_least=at_least)


def check_convexity(smoothness: Any, strong_convexity: Any, *, strong_convexity_may_be_zero: bool = False) -> None:
    """Raises if a concrete L is not positive, or a concrete mu is outside its range or not below L.

    Raises:
      TypeError: if one is no number.
      ValueError: if one is outside its range.
    """
    check_number("smoothness", smoothness, above=0)
    below = smoothness if is_concrete(smoothness) else None
    if strong_convexity_may_be_zero:
        check_number("strong_convexity", strong_convexity, at_least=0, below=below)
    else:
        check_number("strong_convexity", strong_convexity, above=0, below=below)


def is_concrete(value: Any) -> TypeGuard[float]:
    """Whether this is a Python or NumPy number, whose value can be looked at."""
    return isinstance(value, int | float | np.number | np.ndarray)


def check_choice(name: str, value: Any, choices: Collection[Any]) -> None:
    """Raises ValueError if ``value`` is none of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")


def check_transformation(name: str, value: Any) -> None:
    """Raises TypeError if ``value`` is no gradient transformation."""
    if not is_transformation(value):
        raise TypeError(f"{name} must be a gradient transformation of Optax, got {type(value).__name__}.")


def is_transformation(value: Any) -> bool:
    """Whether this has what a gradient transformation has."""
    return callable(getattr(value, "init", None)) and callable(getattr(value, "update", None))


def leaf_name(path: Any) -> str:
    """How errors name the leaf of params at a path."""
    return jax.tree_util.keystr(path) or "params"
