"""Constraints: g is 0 on a convex set and infinite elsewhere; the proximal operator is the projection onto the set."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import Partial

from nag_optax.prox.foreign import innermost
from nag_optax.prox.operator import Conjugate, Prox, check_real, for_each_leaf, largest, ratio, real_only, zero
from nag_optax.scalars import Scalar
from nag_optax.trees import widened
from nag_optax.validation import check_entries, check_number, check_takes, is_concrete


def from_projection(projection: Callable[..., Any], *arguments: Any, **keywords: Any) -> Prox:
    """The constraint of a projection: ``from_projection(optax.projections.projection_l1_ball, 2.0)``.

    Args:
      projection: ``projection(params, *arguments, **keywords) -> params``, onto a convex set; every function of
        ``optax.projections`` onto a ball, box, simplex or hyperplane, or your own. Of Optax's, those onto a ball take
        complex leaves too.
      *arguments: passed on; they may be traced.
      **keywords: passed on; they may be traced.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax.prox import from_projection
    >>> from_projection(optax.projections.projection_l1_ball, 2.0)(jnp.array([3.0, 0.5]))
    Array([2., 0.], dtype=float32)
    """

    check_takes("projection", projection, 1 + len(arguments), "a function of params, onto a convex set")

    def apply(arguments, keywords, params, step_size):
        # One dtype for all leaves, and JAX's default: some projections ravel, and some make constants.
        dtype = jnp.promote_types(jnp.result_type(float), zero(params).dtype)
        wide = jax.tree.map(lambda x: widened(x, dtype), params)
        project = _of_moduli(projection) if any(map(jnp.iscomplexobj, jax.tree.leaves(params))) else projection
        return jax.tree.map(_like, params, project(wide, *arguments, **keywords))

    return Prox(Partial(apply, arguments, keywords), zero)


def non_negative() -> Prox:
    """Constraint x >= 0 in every coordinate.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import non_negative
    >>> non_negative()(jnp.array([1.0, -2.0]))
    Array([1., 0.], dtype=float32)
    """
    known = Conjugate(zero, lambda v: largest((jnp.max(ratio(x, 0), initial=0) for x in jax.tree.leaves(v)), v))
    projection = from_projection(optax.projections.projection_non_negative)
    return real_only("non_negative", projection._replace(conjugate=known))


def box(lower: Any, upper: Any) -> Prox:
    """Constraint lower <= x <= upper; bounds are scalars or pytrees like params, and may be infinite.

    Raises:
      ValueError: for a concrete ``lower`` above ``upper``.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import box
    >>> box(-1.0, 0.5)(jnp.array([1.0, -2.0, 0.1]))
    Array([ 0.5, -1. ,  0.1], dtype=float32)
    """

    check_entries("lower", lower, may_be_infinite=True)
    check_entries("upper", upper, may_be_infinite=True)
    check_order(lower, upper)

    def projection(params, lower, upper):
        bounds = (for_each_leaf(name, bound, params) for name, bound in (("lower", lower), ("upper", upper)))
        try:
            return optax.projections.projection_box(params, *bounds)
        except (TypeError, ValueError) as error:
            raise ValueError(f"lower and upper must broadcast against params: {error}") from error

    def each(function, lower, upper, v):
        bounds = (for_each_leaf(name, bound, v) for name, bound in (("lower", lower), ("upper", upper)))
        return jax.tree.leaves(jax.tree.map(function, v, *bounds))

    def support(lower, upper, v):
        return sum(each(lambda x, a, b: jnp.sum(_largest_product(widened(x), a, b)), lower, upper, v), zero(v))

    def gauge(lower, upper, v):
        def outside(x, a, b):
            return jnp.max(jnp.where((x > 0) & (b == jnp.inf) | (x < 0) & (a == -jnp.inf), jnp.inf, 0), initial=0)

        return largest(each(outside, lower, upper, v), v)

    known = Conjugate(Partial(support, lower, upper), Partial(gauge, lower, upper))
    return real_only("box", from_projection(projection, lower, upper)._replace(conjugate=known))


def simplex(scale: Scalar = 1.0) -> Prox:
    """Constraint x >= 0 and sum of all x_i = scale over all leaves together; scale is positive.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import simplex
    >>> simplex()(jnp.array([1.0, 0.5, -3.0]))
    Array([0.75, 0.25, 0.  ], dtype=float32)
    """
    check_number("scale", scale, above=0)

    def support(scale, v):
        return scale * reduce(jnp.maximum, (jnp.max(widened(x), initial=-jnp.inf) for x in jax.tree.leaves(v)))

    known = Conjugate(Partial(support, scale), zero)
    projection = from_projection(optax.projections.projection_simplex, scale)
    return real_only("simplex", projection._replace(conjugate=known))


def _of_moduli(projection: Callable[..., Any]) -> Callable[..., Any]:
    """A projection of Optax onto a ball as one of complex leaves, which keep their phase; others as they are.

    Optax's signs have no derivative, and its clips no meaning, of complex numbers.
    """
    function = innermost(projection)
    if not (getattr(function, "__module__", None) or "").startswith("optax.projections"):
        return projection
    name = function.__name__

    def project(params, *arguments, **keywords):
        if not name.endswith("_ball"):
            check_real(name, params)
        sizes = jax.tree.map(_modulus, params)
        return jax.tree.map(lambda x, p, m: x * (p / m), params, projection(sizes, *arguments, **keywords), sizes)

    return project


def _modulus(x: Any) -> Any:
    """|x|, and a negligible number for 0, which tells how the projection scales what is small."""
    return jnp.where(x == 0, jnp.finfo(x.dtype).tiny ** 0.5, jnp.abs(x))


def _like(x: Any, projected: Any) -> Any:
    if jnp.iscomplexobj(projected) and not jnp.iscomplexobj(x):
        raise TypeError(f"projection must keep real leaves real, got {projected.dtype} for {jnp.result_type(x)}.")
    return projected.astype(jnp.result_type(x))


def _largest_product(v: Any, lower: Any, upper: Any) -> Any:
    """The largest v x over lower <= x <= upper, where it is finite."""
    end = jnp.where(v > 0, upper, lower)
    return jnp.where((v == 0) | jnp.isinf(end), 0, v * jnp.where(jnp.isinf(end), 0, end))


def check_order(lower: Any, upper: Any) -> None:
    """Raises ValueError if a concrete lower bound lies above its upper one."""
    below, above = jax.tree.leaves(lower), jax.tree.leaves(upper)
    if len(below) != len(above):  # one of them is for all leaves
        below, above = ([leaf for leaf in below for _ in above], [leaf for _ in below for leaf in above])
    for a, b in zip(below, above, strict=True):
        if is_concrete(a) and is_concrete(b):
            try:
                crossed = np.any(np.asarray(a) > np.asarray(b))
            except ValueError:  # shapes that only params can judge
                continue
            if crossed:
                raise ValueError(f"lower must be at most upper in every entry, got {a!r} and {b!r}.")
