"""A user's function and prox as a `Problem`, checked before the first step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax.prox.foreign import check_prox, check_steps
from nag_optax.scalars import Scalar
from nag_optax.solve.certificate import Bound, certificate
from nag_optax.solve.linear import Linear, check_linear, image_function
from nag_optax.solve.method import Problem
from nag_optax.validation import check_takes, leaf_name


class Parts(NamedTuple):
    """What a problem is made of.

    Attributes:
      value_and_aux: ``value_and_aux(seen) -> (f, aux)``, of what f sees, params or their image.
      value_and_slope: ``value_and_slope(seen) -> (f, its derivative)``.
      prox: ``prox(params, step_size) -> params``.
      prox_value: ``prox_value(params) -> g``.
      image: ``image(params)``, or None where f sees params.
      bound: see `nag_optax.solve.certificate`, or None.
      shifts: whether image may add a constant to what is linear.
    """

    value_and_aux: Callable[[Any], tuple[Array, Any]]
    value_and_slope: Callable[[Any], tuple[Array, Any]]
    prox: Callable[[Any, Scalar], Any]
    prox_value: Callable[[Any], Array]
    image: Callable[[Any], Any] | None
    bound: Bound | None
    shifts: bool


def parts_of(fun: Any, args: tuple[Any, ...], has_aux: bool, prox: Any, linear: Any, dtype: Any) -> Parts:
    """The parts of a user's problem."""
    value_and_aux = with_aux(fun, args, has_aux, dtype)
    return Parts(
        value_and_aux=value_and_aux,
        value_and_slope=with_gradient(value_and_aux),
        prox=prox,
        prox_value=value_of(prox, dtype),
        image=None if linear is None else image_function(linear),
        bound=certificate(fun, prox, dtype),
        shifts=callable(linear),
    )


def assembled(
    parts: Parts, *, smooth: bool, dtype: Any, curvature: Any, unrolled: bool = False
) -> tuple[Problem, Callable[[Any], tuple[Array, Any]]]:
    """The problem, and f as a function of params that returns (value, aux)."""
    bound: Any = parts.bound
    linear = parts.image and Linear(
        parts.image, lambda seen: parts.value_and_aux(seen)[0], parts.value_and_slope, parts.shifts
    )

    def value_and_aux(params: Any) -> tuple[Array, Any]:
        return parts.value_and_aux(linear.image(params) if linear else params)

    def value_and_gradient(params: Any) -> tuple[Array, Any]:
        f, slope = parts.value_and_slope(linear.image(params) if linear else params)
        return f, linear.gradient(params, slope) if linear else slope

    def lower_bound(params: Any, seen: Any, slope: Any, gradient: Any) -> Array:
        offset = linear.offset(params, seen, slope, gradient) if linear else 0
        return bound(slope, gradient, jnp.asarray(offset, dtype))

    problem = Problem(
        value=lambda params: value_and_aux(params)[0],
        value_and_gradient=value_and_gradient,
        prox=parts.prox,
        prox_value=parts.prox_value,
        smooth=smooth,
        dtype=dtype,
        unrolled=unrolled,
        linear=linear,
        lower_bound=lower_bound if bound else None,
        curvature=curvature,
    )
    return problem, value_and_aux


def with_aux(
    fun: Callable[..., Any], args: tuple[Any, ...], has_aux: bool, dtype: Any
) -> Callable[[Any], tuple[Array, Any]]:
    """``fun`` as a function of params that returns (value, aux), aux None where it has none."""

    def value_and_aux(params: Any) -> tuple[Array, Any]:
        result = fun(params, *args)
        value, aux = result if has_aux else (result, None)
        return jnp.asarray(value, dtype), aux

    return value_and_aux


def with_gradient(value_and_aux: Callable[[Any], tuple[Array, Any]]) -> Callable[[Any], tuple[Array, Any]]:
    """The function of params that returns (value, gradient)."""

    def value_and_gradient(params: Any) -> tuple[Array, Any]:
        (value, _), gradient = jax.value_and_grad(value_and_aux, has_aux=True)(params)
        return value, gradient

    return value_and_gradient


def value_of(prox: Any, dtype: Any) -> Callable[[Any], Array]:
    """The g of an operator; 0 where nobody knows it."""
    g = getattr(prox, "value", None) or (lambda params: 0)
    return lambda params: jnp.asarray(g(params), dtype)


def check_problem(
    fun: Callable[..., Any], args: tuple[Any, ...], has_aux: bool, prox: Any, linear: Any, params: Any
) -> None:
    """Checks a problem before its first step.

    Raises:
      TypeError: if params are not real floating arrays, ``fun`` returns no real scalar, or prox changes structure,
        shapes or dtypes.
    """
    if linear is not None:
        check_linear(linear, params)
    _check_function(fun, args, has_aux, params if linear is None else jax.eval_shape(image_function(linear), params))
    _check_prox(prox, params)


def as_params(init_params: Any) -> Any:
    """A pytree of arrays.

    Raises:
      TypeError: if a leaf is none.
    """
    try:
        arrays = jax.tree.map(jnp.asarray, init_params)
        return jax.tree.map(lambda x: jnp.asarray(x, x.dtype), arrays)  # whose type is not weak
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"init_params must be real floating arrays: {error}") from error


def check_params(params: Any) -> None:
    """Raises TypeError if params are not real floating arrays."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise TypeError(f"init_params must be real floating arrays, got {leaf.dtype} at {leaf_name(path)}.")
    if not jax.tree.leaves(params):
        raise TypeError("init_params must hold at least one array, got none.")


def _check_function(fun: Any, args: tuple[Any, ...], has_aux: bool, params: Any) -> None:
    if not callable(fun):
        raise TypeError(f"fun must be a function of params, got {type(fun).__name__}.")
    check_takes("fun", fun, 1 + len(args), "a function of params, and of args where they are given")
    result: Any = jax.eval_shape(lambda p: fun(p, *args), params)
    if has_aux and not (isinstance(result, tuple) and len(result) == 2):
        raise TypeError("fun must return (value, aux) with has_aux=True.")
    value: Any = result[0] if has_aux else result
    if not hasattr(value, "shape") or value.shape or not jnp.issubdtype(value.dtype, jnp.floating):
        shown = f"{value.dtype}{list(value.shape)}" if hasattr(value, "shape") else type(value).__name__
        hint = "" if has_aux or hasattr(value, "shape") else "; with more than a value, pass has_aux=True"
        raise TypeError(f"fun must return a real floating scalar, got {shown}{hint}.")


def _check_prox(prox: Any, params: Any) -> None:
    check_prox("prox", prox)
    before, after = (
        jax.tree.map(lambda x: (x.shape, x.dtype), tree)
        for tree in (jax.eval_shape(lambda p: p, params), jax.eval_shape(lambda p: prox(p, 1.0), params))
    )
    if before != after:
        raise TypeError(f"prox must keep structure, shapes and dtypes of params: {before} became {after}.")
    check_steps("prox", prox, params)
