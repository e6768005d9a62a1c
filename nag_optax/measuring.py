"""Scalars of a state for a log, with flat names.

As in `nag_optax.evaluation`, states are found inside any wrapper; each reports its scalars in one method,
``measured()``.
"""

from typing import Any

import jax
import numpy as np
from jax import Array

from nag_optax import trees
from nag_optax.finding import INNER, found, nothing_accelerated
from nag_optax.scalars import of_one_state


def diagnostics(state: Any) -> dict[str, Array | float]:
    """Scalars for a log as one flat dict, for any logger, through any wrapper, also under ``jax.jit``.

    Args:
      state: an optimizer state that contains at least one accelerated state, under any of Optax's wrappers, or as Flax
        keeps it.

    Returns:
      ``velocity_norm`` is the Euclidean norm of the velocity over all leaves; int8 state is decoded first. ``bytes`` is
      the size of the whole state, summed over devices. ``step``, ``age`` and ``restarts`` count updates so far, updates
      since the last restart, and restarts. ``momentum`` and ``learning_rate`` are those that the method used in the
      last update (0 before the first); ``step_size`` is that of a method that computes its own. A state omits values
      that it does not know: `scale_by_nag` has no learning rate. If there are several accelerated states, as in
      ``optax.partition``, each has its own scalars, prefixed with its place, as in ``decay/momentum``; the norm of all
      velocities together is included if no two belong to the same parameter.

    Raises:
      ValueError: if ``state`` holds no accelerated state, or is a stack of states.

    >>> import jax.numpy as jnp
    >>> from nag_optax import diagnostics, nag
    >>> tx, params = nag(0.1, momentum=0.9, restart="gradient"), jnp.zeros(4)
    >>> _, state = tx.update(jnp.ones(4), tx.init(params), params)
    >>> {name: round(float(x), 3) for name, x in diagnostics(state).items()}  # doctest: +NORMALIZE_WHITESPACE
    {'velocity_norm': 2.0, 'bytes': 44.0, 'step': 1.0, 'age': 1.0, 'restarts': 0.0, 'learning_rate': 0.1,
     'momentum': 0.9}
    """
    parts = _speaking(state)
    if not parts:
        raise nothing_accelerated(state)
    velocities = [_velocity(part) for _, part in parts]
    said = [_norm(m) | _measured(part) for m, (_, part) in zip(velocities, parts, strict=True)]
    apart = sum(map(len, velocities)) == len(set().union(*velocities))
    together = _norm({path: x for m in velocities for path, x in m.items()}) if apart else {}
    places = _places([path for path, _ in parts])
    scalars = {place + name: x for place, of_part in zip(places, said, strict=True) for name, x in of_part.items()}
    return together | {"bytes": _bytes(state)} | scalars


def _speaks(part: Any) -> bool:
    return callable(getattr(type(part), "measured", None))


def _speaking(state: Any) -> list[tuple[Any, Any]]:
    """The outermost states with ``measured``, and their paths."""
    parts = jax.tree_util.tree_leaves_with_path(state, is_leaf=_speaks)
    return [(path, part) for path, part in parts if _speaks(part)]


def _measured(part: Any) -> dict[str, Array]:
    return {name: of_one_state(x, "diagnostics") for name, x in part.measured().items()}


def _velocity(part: Any) -> dict[Any, Array]:
    """The buffers inside of a state, by the path of their parameter."""
    inside = found(part, "velocity")
    return {path: m for state in inside for path, m in jax.tree_util.tree_leaves_with_path(state.velocity())}


def _norm(velocity: dict[Any, Array]) -> dict[str, Array]:
    return {"velocity_norm": trees.norm(list(velocity.values()))} if velocity else {}


def _places(paths: list[Any]) -> list[str]:
    """Where each state is, from where they differ; nothing for a single one."""
    if len(paths) == 1:
        return [""]
    names = [[jax.tree_util.keystr((key,), simple=True) for key in path] for path in paths]
    places = [[name for name in path if name not in INNER] for path in names]
    shared = next(i for i, column in enumerate(zip(*places, strict=False)) if len(set(column)) > 1)
    return ["/".join(place[shared:]) + "/" for place in places]


def _bytes(state: Any) -> float:
    """As a float: a state may have more bytes than an int32 can count."""
    return float(sum(np.size(x) * x.dtype.itemsize for x in jax.tree.leaves(state) if hasattr(x, "dtype")))
