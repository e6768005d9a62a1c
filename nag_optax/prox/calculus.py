"""Rules that combine proximal operators."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import Partial

from nag_optax.masks import check_flags, flags_of
from nag_optax.prox.foreign import operator
from nag_optax.prox.operator import Conjugate, Prox, largest, ratio, zero
from nag_optax.scalars import Scalar
from nag_optax.trees import inner
from nag_optax.validation import check_entries, check_number, check_takes


def scaled(prox: Prox, factor: Scalar) -> Prox:
    """The operator of factor * g, factor positive; it may be traced.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import l1, scaled
    >>> scaled(l1(1.0), 0.5)(jnp.array([2.0]), step_size=1.0)
    Array([1.5], dtype=float32)
    """
    whole = operator(prox)
    check_number("factor", factor, above=0)

    def apply(whole, factor, params, step_size):
        return whole(params, step_size * factor)

    def value(whole, factor, params):
        return factor * whole.value(params)

    def conjugated(whole, factor, v):
        return factor * whole.conjugate.value(_divided(v, factor))

    def gauge(whole, factor, v):
        return whole.conjugate.gauge(_divided(v, factor))

    return _combined(apply, value, Conjugate(conjugated, gauge), whole, factor)


def translated(prox: Prox, center: Any) -> Prox:
    """The operator of g(x - center): a penalty or constraint around another point, a pytree like params.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import l1, translated
    >>> translated(l1(1.0), jnp.array([5.0]))(jnp.array([2.0]), step_size=1.0)
    Array([3.], dtype=float32)
    """
    whole = operator(prox)
    check_entries("center", jax.tree.map(_parts, center))

    def from_center(center, params):
        if jax.tree.structure(params) != jax.tree.structure(center):
            raise ValueError(f"center must be a pytree like params, got {jax.tree.structure(center)}.")
        for x, c in zip(jax.tree.leaves(params), jax.tree.leaves(center), strict=True):
            if jnp.iscomplexobj(c) and not jnp.iscomplexobj(x):
                raise TypeError(f"center must be real where params are, got {jnp.result_type(c)} for {x.dtype}.")
        try:
            return jax.tree.map(lambda x, c: (x - c).astype(x.dtype), params, center)
        except (TypeError, ValueError) as error:
            raise ValueError(f"center must broadcast against params: {error}") from error

    def apply(whole, center, params, step_size):
        moved = whole(from_center(center, params), step_size)
        return jax.tree.map(lambda x, m, c: (m + c).astype(x.dtype), params, moved, center)

    def value(whole, center, params):
        return whole.value(from_center(center, params))

    def conjugated(whole, center, v):
        return whole.conjugate.value(v) + inner(center, v)

    def gauge(whole, center, v):
        return whole.conjugate.gauge(v)

    return _combined(apply, value, Conjugate(conjugated, gauge), whole, center)


def conjugate(prox: Prox) -> Prox:
    """The operator of the convex conjugate g*, by Moreau's identity: prox_{s g*}(v) = v - s prox_{g / s}(v / s).

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import conjugate, l1
    >>> conjugate(l1(1.0))(jnp.array([2.0, 0.5]), step_size=1.0)  # the unit box
    Array([1. , 0.5], dtype=float32)
    """

    def apply(whole, params, step_size):
        other = whole(_divided(params, step_size), 1 / step_size)
        return jax.tree.map(lambda v, i: (v - step_size * i).astype(v.dtype), params, other)

    return Prox(Partial(apply, operator(prox)))


def sum_over_leaves(prox: Prox) -> Prox:
    """The operator of the sum of g over the leaves of params, applied to each leaf separately.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import simplex, sum_over_leaves
    >>> sum_over_leaves(simplex())({"a": jnp.array([2.0, 1.0]), "b": jnp.array([0.5])})
    {'a': Array([1., 0.], dtype=float32), 'b': Array([1.], dtype=float32)}
    """

    def apply(whole, params, step_size):
        return jax.tree.map(lambda x: whole(x, step_size), params)

    def value(whole, params):
        return sum(map(whole.value, jax.tree.leaves(params)), zero(params))

    def conjugated(whole, v):
        return sum(map(whole.conjugate.value, jax.tree.leaves(v)), zero(v))

    def gauge(whole, v):
        return largest(map(whole.conjugate.gauge, jax.tree.leaves(v)), v)

    return _combined(apply, value, Conjugate(conjugated, gauge), operator(prox))


def masked(prox: Prox, mask: Any | Callable[[Any], Any]) -> Prox:
    """The operator on part of params: for an unpenalised intercept, or different penalties for different leaves.

    Args:
      prox: an operator; it sees only the selected part of params.
      mask: a pytree of booleans like params or a prefix of it, or a function of params that returns one; True where
        ``prox`` acts.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import l1, masked
    >>> masked(l1(1.0), {"w": True, "b": False})({"w": jnp.array([3.0]), "b": jnp.array([3.0])})
    {'b': Array([3.], dtype=float32), 'w': Array([2.], dtype=float32)}
    """
    whole = operator(prox)
    if callable(mask):
        check_takes("mask", mask, 1, "a pytree of booleans or a function of params")
    else:
        check_flags("mask", mask)

    def for_each(params, act):  # the mask may be a prefix of params
        flags = flags_of("mask", mask, params)
        return jax.tree.map(lambda keep, part: jax.tree.map(lambda x: act(keep, x), part), flags, params)

    def kept(params):
        return for_each(params, lambda keep, x: x if keep else optax.MaskedNode())

    def apply(whole, params, step_size):
        moved = iter(jax.tree.leaves(whole(kept(params), step_size)))
        return for_each(params, lambda keep, x: next(moved) if keep else x)

    def value(whole, params):
        return whole.value(kept(params))

    def conjugated(whole, v):
        return whole.conjugate.value(kept(v))

    def gauge(whole, v):
        free = for_each(v, lambda keep, x: 0 if keep else jnp.max(ratio(jnp.abs(x), 0), initial=0))
        return jnp.maximum(whole.conjugate.gauge(kept(v)), largest(jax.tree.leaves(free), v))

    return _combined(apply, value, Conjugate(conjugated, gauge), whole)


def _parts(number: Any) -> Any:
    """Real and imaginary part of what is complex."""
    holds = isinstance(number, complex | np.generic | np.ndarray | jax.Array) and jnp.iscomplexobj(number)
    return [number.real, number.imag] if holds else number


def _divided(v: Any, by: Scalar) -> Any:
    return jax.tree.map(lambda x: (x / by).astype(x.dtype), v)


def _combined(apply: Callable[..., Any], value: Any, conjugate: Conjugate, whole: Prox, *numbers: Any) -> Prox:
    """The operator made from functions of another operator and of numbers; its g, and the conjugate of that, are known
    if that operator's are.
    """
    return Prox(
        Partial(apply, whole, *numbers),
        Partial(value, whole, *numbers) if whole.value else None,
        Conjugate(*(Partial(f, whole, *numbers) for f in conjugate)) if whole.conjugate else None,
    )
