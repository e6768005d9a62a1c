"""Errors raised before the first step that say what an argument may be.

Only concrete numbers are checked, of Python, NumPy or JAX: a traced hyperparameter (``jax.jit``,
``optax.inject_hyperparams``) has no value to look at. The value of a schedule is checked when it is called, which
``init`` does abstractly.
"""

import inspect
from collections.abc import Callable, Collection
from operator import ge, gt, le, lt
from typing import Any, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def check_number(
    name: str,
    value: Any,
    *,
    at_least: Any = None,
    above: Any = None,
    at_most: Any = None,
    below: Any = None,
    kind: str = "a number",
) -> None:
    """Raises if ``value`` is a concrete number outside its range, or not a real scalar.

    Raises:
      TypeError: for strings, None, booleans, functions and the like.
      ValueError: for a number outside the range, NaN, overflow of JAX's floats, or an array that is not a scalar.
    """
    if not _is_real(value):
        raise TypeError(f"{name} must be {kind}, got {shown(value)}.")
    if jnp.shape(value):
        raise ValueError(f"{name} must be a scalar, got an array of shape {jnp.shape(value)}.")
    if not is_concrete(value):
        return
    if isinstance(value, int) and abs(value) > np.iinfo(np.int32).max:
        raise ValueError(f"{name} must be finite and fit into int32, or be a float, got {value!r}.")
    comparisons = (("at least", ge, at_least), ("above", gt, above), ("at most", le, at_most), ("below", lt, below))
    limits = [(words, holds, number(bound)) for words, holds, bound in comparisons if bound is not None]
    if not (_is_finite(value) and all(holds(number(value), bound) for _, holds, bound in limits)):
        allowed = " and ".join(f"{words} {bound:g}" for words, _, bound in limits)
        raise ValueError(f"{name} must be finite{', ' if allowed else ''}{allowed}, got {value!r}.")


def number_or_schedule(name: str, value: Any, **limits: Any) -> Any:
    """A hyperparameter, checked as by `check_number`; the values of a schedule are checked too, and named.

    Raises:
      TypeError: if it is neither, or a function that does not take the count of updates.
      ValueError: if it is a concrete number outside its range.
    """
    if isinstance(value, _Schedule):
        return value
    kind = "a number or a schedule"
    if isinstance(value, type) or not callable(value):
        check_number(name, value, **limits, kind=kind)
        return value
    check_takes(name, value, 1, f"{kind}, a function of the count of updates")
    return _Schedule(name, value, limits)


class _Schedule:
    """A schedule that names the argument that it was given for."""

    def __init__(self, name: str, schedule: Callable[[Any], Any], limits: dict[str, Any]):
        self.name, self.schedule, self.limits = name, schedule, limits

    def __call__(self, count: Any) -> Any:
        wanted = f"{self.name} must be a schedule that returns numbers"
        try:
            value = self.schedule(count)
        except jax.errors.JAXTypeError:  # it is for eager loops, where counts are concrete
            raise
        except TypeError as error:
            raise TypeError(f"{wanted}: {error}") from error
        if not _is_real(value):
            hint = "; was the function that makes it called?" if callable(value) or isinstance(value, tuple) else "."
            raise TypeError(f"{wanted}, got {shown(value)}{hint}")
        if jnp.shape(value):
            raise ValueError(f"{self.name} must be a scalar, got shape {jnp.shape(value)} from its schedule.")
        # An array at a concrete count would have to be waited for in every step, and rounding may have left the range.
        if not isinstance(value, jax.Array) or isinstance(count, Tracer):
            check_number(self.name, value, **self.limits)
        return value


def check_entries(name: str, value: Any, *, at_least=-np.inf, at_most=np.inf, may_be_infinite: bool = False) -> None:
    """Raises unless ``value`` is a real number or array, or a pytree of them, with concrete entries in the range."""
    leaves = jax.tree.leaves(value, is_leaf=lambda x: x is None)
    for leaf in leaves or [value]:
        if not _is_real(leaf):
            raise TypeError(f"{name} must be a number, an array or a pytree of them, got {shown(leaf)}.")
        if is_concrete(leaf):
            fits = not isinstance(leaf, int) or abs(leaf) <= np.iinfo(np.int32).max
            entries = np.asarray(leaf if fits else np.nan)
            finite = may_be_infinite | (abs(entries) <= np.float64(jnp.finfo(jnp.result_type(float)).max))
            if not np.all(finite & (entries >= at_least) & (entries <= at_most)):
                limits = f"at least {at_least:g}{f' and at most {at_most:g}' * bool(at_most < np.inf)}"
                words = "be no NaN" if may_be_infinite else f"be finite, {limits}"
                raise ValueError(f"{name} must {words} in every entry, got {leaf!r}.")


def look_ahead(function: Callable[[], Any]) -> Any:
    """The result of ``jax.eval_shape``, or the result itself if a Python schedule needs concrete counts."""
    try:
        return jax.eval_shape(function)
    except jax.errors.JAXTypeError:
        with jax.ensure_compile_time_eval():
            return function()


def check_integer(name: str, value: Any, *, at_least: int, may_be_traced: bool = False) -> None:
    """Raises if ``value`` is no Python or NumPy integer (or, where allowed, one of JAX), too small, or beyond int32.

    Raises:
      TypeError: if it is not an integer.
      ValueError: if it is too small or too large, or an array that is not a scalar.
    """
    traced = may_be_traced and isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, np.integer)
    if isinstance(value, bool) or not (traced or isinstance(value, int | np.integer)):
        raise TypeError(f"{name} must be an integer, got {shown(value)}.")
    check_number(name, np.asarray(value) if isinstance(value, np.integer) else value, at_least=at_least)
    if is_concrete(value) and value > np.iinfo(np.int32).max:
        raise ValueError(f"{name} must fit into int32, got {value!r}.")


def check_boolean(name: str, value: Any) -> None:
    """Raises TypeError if ``value`` is neither True nor False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {shown(value)}.")


def check_convexity(smoothness: Any, strong_convexity: Any, *, strong_convexity_may_be_zero: bool = False) -> None:
    """Raises if a concrete L is not positive, or a concrete mu is outside its range or not below L.

    Raises:
      TypeError: if one is not a number.
      ValueError: if one is outside its range.
    """
    check_number("smoothness", smoothness, above=0)
    below = smoothness if is_concrete(smoothness) else None
    if strong_convexity_may_be_zero:
        check_number("strong_convexity", strong_convexity, at_least=0, below=below)
    else:
        check_number("strong_convexity", strong_convexity, above=0, below=below)


def is_concrete(value: Any) -> TypeGuard[float]:
    """Whether this is a number or an array whose value is available."""
    if isinstance(value, jax.Array) and not isinstance(value, Tracer):
        return value.is_fully_addressable
    return isinstance(value, int | float | np.number | np.ndarray)


def number(value: Any) -> float:
    """A concrete scalar as a Python number."""
    return value if isinstance(value, int | float) else np.asarray(value).item()


def check_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Raises ValueError if ``value`` is not one of ``choices``."""
    if not (isinstance(value, str) and value in choices):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")


def as_dtype(name: str, value: Any) -> Any:
    """The dtype that this denotes, in JAX's canonical form; None for None.

    Raises:
      TypeError: if it denotes no dtype, or is an array.
    """
    if value is None:
        return None
    try:
        if isinstance(value, str | type | np.dtype):
            return jax.dtypes.canonicalize_dtype(value)
    except (TypeError, ValueError):
        pass
    raise TypeError(f"{name} must be a floating dtype, int8 or None, got {shown(value)}.")


def check_takes(name: str, value: Any, count: int, kind: str) -> None:
    """Raises TypeError if ``value`` is not a function, or cannot be called with so many arguments."""
    if isinstance(value, type) or not callable(value):
        raise TypeError(f"{name} must be {kind}, got {shown(value)}.")
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):  # a function that does not say what it takes
        return
    try:
        signature.bind(*range(count))
    except TypeError:
        called = getattr(value, "__name__", type(value).__name__)
        raise TypeError(f"{name} must be {kind}, got {called}{signature}; should it be called first?") from None


def check_transformation(name: str, value: Any) -> None:
    """Raises TypeError if ``value`` is not a gradient transformation."""
    if not is_transformation(value):
        raise TypeError(f"{name} must be a gradient transformation of Optax, got {type(value).__name__}.")


def is_transformation(value: Any) -> bool:
    """Whether this has the fields of a gradient transformation."""
    return callable(getattr(value, "init", None)) and callable(getattr(value, "update", None))


def leaf_name(path: Any) -> str:
    """How errors name the leaf of params at a path."""
    return jax.tree_util.keystr(path) or "params"


def _is_real(value: Any) -> bool:
    if isinstance(value, jax.Array | np.ndarray | np.generic) or hasattr(type(value), "__jax_array__"):
        dtype: Any = getattr(value, "dtype", object)
        return any(jnp.issubdtype(dtype, kind) for kind in (np.integer, np.floating))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    return bool(abs(number(value)) <= float(jnp.finfo(jnp.result_type(float)).max))


def shown(value: Any) -> str:
    """What an error shows of a value."""
    return f"{value!r} of type {type(value).__name__}"
