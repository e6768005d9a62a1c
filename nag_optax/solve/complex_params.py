"""Complex params of `nag_optax.minimize`: inside, every complex array is a pair of real ones.

f and g are real functions of real and imaginary parts, with the inner product Re <v, x>, and a proximal operator is not
holomorphic. In pairs, gradients, line search, stopping, certificates and implicit derivatives are those of real
numbers; only what the user wrote sees complex ones. So it is for a complex image of real params.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial

from nag_optax.losses import Loss
from nag_optax.prox.foreign import operator
from nag_optax.prox.operator import Conjugate, Prox, is_none
from nag_optax.solve.linear import image_function
from nag_optax.solve.problem import check_problem
from nag_optax.solve.result import Solution


class Pair(NamedTuple):
    """A complex array by its parts."""

    real: Array
    imag: Array


def in_pairs(
    fun: Any, args: tuple[Any, ...], has_aux: bool, prox: Any, linear: Any, params: Any, screen: bool
) -> tuple[Any, Any, Any, Any]:
    """``(fun, prox, linear, params)`` of the same problem without complex arrays; a real one is returned as it is.

    Raises:
      TypeError: as `check_problem` of the complex problem, or if g is complex.
      ValueError: for ``screen``, which is for real problems.
    """
    if not (_any_complex(params) or _complex_image(linear, params)):
        return fun, prox, linear, params
    if screen:
        raise ValueError("screen=True is for real params, and a linear whose image is real.")
    check_problem(fun, args, has_aux, prox, linear, params)
    g = prox if is_none(prox) else _prox_of_pairs(operator(prox), params)
    if isinstance(fun, Loss):
        of_pairs: Any = Loss(Partial(_of_pairs, fun.value), Partial(_of_pairs, fun.conjugate), fun.curvature)
    else:
        of_pairs = Partial(_of_pairs, fun)
    image = None if linear is None else Partial(_image_in_pairs, linear)
    return of_pairs, g, image, _paired(params)


def with_complex_params(solution: Solution) -> Solution:
    """The solution of a problem `in_pairs`, for its user."""
    return solution._replace(params=_combined(solution.params))


def _is_complex(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.complexfloating)


def _any_complex(tree: Any) -> bool:
    return any(map(_is_complex, jax.tree.leaves(tree)))


def _complex_image(linear: Any, params: Any) -> bool:
    if callable(linear):
        try:
            return _any_complex(jax.eval_shape(linear, params))
        except Exception:  # `check_linear` says what is wrong
            return False
    return hasattr(linear, "dtype") and _is_complex(linear)


def _paired(tree: Any) -> Any:
    return jax.tree.map(lambda x: Pair(x.real, x.imag) if _is_complex(x) else x, tree)


def _combined(tree: Any) -> Any:
    def is_pair(x):
        return isinstance(x, Pair)

    return jax.tree.map(lambda x: jax.lax.complex(*x) if is_pair(x) else x, tree, is_leaf=is_pair)


def _of_pairs(function: Callable[..., Any], pairs: Any, *rest: Any) -> Any:
    return function(_combined(pairs), *rest)


def _in_pairs(function: Callable[..., Any], pairs: Any, *rest: Any) -> Any:
    return _paired(function(_combined(pairs), *rest))


def _image_in_pairs(linear: Any, pairs: Any) -> Any:
    return _in_pairs(image_function(linear), pairs)


def _prox_of_pairs(prox: Prox, params: Any) -> Prox:
    value = prox.value
    if value and _any_complex(jax.eval_shape(lambda x: jnp.asarray(value(x)), params)):
        raise TypeError("prox must know a real g, got a complex value.")
    return Prox(
        Partial(_in_pairs, prox.apply),
        value and Partial(_of_pairs, value),
        prox.conjugate and Conjugate(*(Partial(_of_pairs, f) for f in prox.conjugate)),
    )
