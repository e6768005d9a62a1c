"""Functions whose computation is known without tracing them: those of this package, by their code.

Two operators ``prox.l1(0.1)`` and ``prox.l1(0.2)`` hold different function objects with the same code, and numbers.
`described` tells whether two such objects differ in more than numbers.
"""

import functools
from types import CodeType, FunctionType, MethodType
from typing import Any

import jax
import numpy as np
from jax.experimental.sparse import JAXSparse

NUMBER = "number"


class Opaque(Exception):
    """An object of which more than its numbers may change."""


def described(x: Any) -> Any:
    """A hashable description that is equal for objects that differ in floating numbers and arrays only.

    Raises:
      Opaque: if x holds a function of others, or anything else that is not known to stay the same.
    """
    if x is None or isinstance(x, bool | int | str):
        return type(x), x
    if isinstance(x, float | np.floating | np.ndarray | jax.Array):
        return NUMBER, np.shape(x), str(getattr(x, "dtype", "float")), getattr(x, "weak_type", False)
    if isinstance(x, JAXSparse):
        leaves, structure = jax.tree.flatten(x)
        return structure, tuple(map(described, leaves))
    if isinstance(x, functools.partial):  # jax.tree_util.Partial too
        return type(x), described(x.func), described(x.args), described(x.keywords)
    if isinstance(x, MethodType):
        return described(x.__func__), described(x.__self__)
    if isinstance(x, FunctionType):
        return _of_function(x)
    if isinstance(x, tuple | list):
        return type(x), *map(described, x)
    if isinstance(x, dict):
        return tuple((described(key), described(value)) for key, value in x.items())
    raise Opaque(type(x).__name__)


def _of_function(f: FunctionType) -> tuple[CodeType, Any, Any]:
    if not (f.__module__ or "").startswith(("nag_optax.", "optax.", "jax.")):
        raise Opaque(f.__name__)
    closure = tuple(described(cell.cell_contents) for cell in f.__closure__ or ())
    if any(NUMBER in str(part) for part in closure):
        raise Opaque(f.__name__)  # a number that is no leaf would be forgotten
    return f.__code__, described(f.__defaults__), closure
