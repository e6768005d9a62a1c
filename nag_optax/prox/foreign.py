"""Detects functions passed as a proximal operator that are not one.

A projection takes a radius where an operator takes the step size: it would run, but solve another problem in every
step. Projections of Optax and JAXopt are recognised by their modules. Others are recognised by their fixed points: a
fixed point of an operator at one step size minimises g, so it is one at every step size; a point on a sphere of radius
2 is not a fixed point at radius 1.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_optax.prox.operator import Prox
from nag_optax.validation import check_takes

LARGEST = 10_000
"""Entries of params up to which a function is tried: three times is cheap."""


def check_prox(name: str, prox: Any) -> None:
    """Raises TypeError if this is not an operator: not called yet, a projection, or not a function of two arguments."""
    function = innermost(prox.apply if isinstance(prox, Prox) else prox)
    module = getattr(function, "__module__", None) or ""
    called = getattr(function, "__name__", "")
    public = function is prox and "<locals>" not in getattr(prox, "__qualname__", "")
    if public and module.startswith("nag_optax.prox") and not isinstance(prox, type):
        raise TypeError(f"{name} must be an operator: prox.{called} makes one, call it.")
    if module.startswith(("optax.projections", "jaxopt._src.projection", "jaxopt.projection")):
        raise _projection(name, called)
    if public and module.partition(".")[0] in ("optax", "nag_optax"):
        raise TypeError(f"{name} must be an operator, a function (params, step_size) -> params, got {called}.")
    hint = "a function (params, step_size) -> params; for a projection there is prox.from_projection"
    check_takes(name, prox, 2, hint)


def innermost(function: Any) -> Any:
    """The function, without the arguments that ``functools.partial`` has bound."""
    while isinstance(function, partial):
        function = function.func
    return function


def operator(prox: Any) -> Prox:
    """The argument ``prox`` of the rules that combine operators: a `Prox`, or a function without a known g."""
    check_prox("prox", prox)
    return prox if isinstance(prox, Prox) else Prox(prox)


def check_steps(name: str, prox: Any, params: Any) -> None:
    """Raises TypeError if a function uses its step size as a radius; tested only where that is cheap and possible."""
    leaves = jax.tree.leaves(params)
    if isinstance(prox, Prox) or sum(map(np.size, leaves)) > LARGEST:
        return
    numbers = iter(np.random.default_rng(0).normal(0, 10, sum(map(np.size, leaves))))

    def entries(x: Any) -> Any:
        return np.fromiter(numbers, float, jnp.size(x)).reshape(jnp.shape(x)).astype(jnp.result_type(x))

    try:
        if jax.make_jaxpr(prox)(params, 1.0).effects:  # somebody listens to its calls
            return
        with jax.ensure_compile_time_eval():
            fixed = prox(jax.tree.map(entries, params), 2.0)
            again, nearer = (_flat(prox(fixed, step_size)) for step_size in (2.0, 1.0))
            stays, moves = abs(again - _flat(fixed)).max(), abs(nearer - _flat(fixed)).max()
            size = abs(again).max()
    except Exception:  # it is traced, or wants other values: nothing to be learnt
        return
    if stays <= 1e-3 * size and moves > 1e-1 * size:
        raise _projection(name, getattr(prox, "__name__", type(prox).__name__))


def _flat(tree: Any) -> Any:
    return np.concatenate([np.asarray(x, complex).ravel() for x in jax.tree.leaves(tree)])


def _projection(name: str, called: str) -> TypeError:
    return TypeError(
        f"{name} must be an operator, got the projection {called}, whose radius would be the step size: "
        f"pass prox.from_projection({called}, ...)."
    )
