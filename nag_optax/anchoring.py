"""Carry an optimizer state over to changed params.

A state belongs to the params and the transformation that it was made for. If you load pretrained weights after
``init``, enlarge a vocabulary, freeze or unfreeze layers, or continue a run in another precision or with other options,
`reanchor` makes a new state that keeps everything that still has a place. States whose parts depend on the values of
params define what they keep, in a method ``anchored``.
"""

from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax

from nag_optax.finding import INNER, found


@runtime_checkable
class Anchored(Protocol):
    """A state that defines what it keeps."""

    def anchored(self, old: Any) -> Any:
        """The new state, for the changed params, with everything still valid from an old state of the same class."""
        ...


def reanchor(tx: optax.GradientTransformation, state: Any, params: Any) -> Any:
    """The state for changed params or a changed transformation, continued from an old state.

    Velocities, moments and counters of leaves with the same path and shape are kept, in the dtypes of the new
    transformation; new and resized leaves start at zero. Stored points are reset to the new params: slow weights start
    a period there, `fista` and `pogm` restart their momentum, and `adanag`, `ac_fgm`, `graal`, `feg` and `optista`
    start from scratch. A restart test forgets its reference.

    Args:
      tx: the transformation to continue with.
      state: an old state, of this transformation or of one that differs in options (weight decay, restart,
        ``accumulator_dtype``, a mask, a momentum sequence, another learning rate).
      params: the params to continue from.

    Returns:
      A state of the structure of ``tx.init(params)``.

    Raises:
      ValueError: if the old state holds velocities that the transformation has no place for.

    Pretrained weights, loaded after ``init``:

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import lookahead, reanchor
    >>> tx = lookahead(optax.sgd(0.0), period=1)
    >>> state = tx.init(jnp.zeros(2))
    >>> pretrained = jnp.full(2, 10.0)
    >>> state = reanchor(tx, state, pretrained)
    >>> tx.update(jnp.ones(2), state, pretrained)[0]  # not halfway back to zero
    Array([0., 0.], dtype=float32)
    """
    fresh = tx.init(params)
    for kind in {type(part) for part in found(state, "velocity")} - {type(part) for part in found(fresh, "velocity")}:
        raise ValueError(
            f"state holds the velocity of a {kind.__name__}, for which the transformation has no place: reanchor "
            "changes the options of a method; nag_optax.from_optax leads to Optax and back."
        )
    return take_over(fresh, state)


def take_over(fresh: Any, old: Any) -> Any:
    """A new state with the values that an old one has in the same places."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(fresh, is_leaf=_speaks)
    of_old = jax.tree_util.tree_leaves_with_path(old, is_leaf=_speaks)
    return structure.unflatten([_successor(path, x, of_old) for path, x in leaves])


def _successor(path: Any, fresh: Any, of_old: list[tuple[Any, Any]]) -> Any:
    """A part of the new state with the values of its counterpart: at the same place, or the only one of its kind."""
    alike = [(at, old) for at, old in of_old if _alike(fresh, old)]
    same = [old for at, old in alike if at == path] or [old for at, old in alike if _field(at) == _field(path)]
    if len(same) != 1:
        return fresh
    if _speaks(fresh):
        return fresh.anchored(same[0])
    return same[0] if _is_key(fresh) else jnp.asarray(same[0]).astype(jnp.result_type(fresh))


def _alike(fresh: Any, old: Any) -> bool:
    if _speaks(fresh) or _speaks(old):
        return type(fresh) is type(old)
    return jnp.shape(fresh) == jnp.shape(old) and _is_key(fresh) == _is_key(old)


def _field(path: Any) -> Any:
    """Where a leaf lies in the state of its link, wherever in a chain that stands; ``()`` for a whole state."""
    fields = [i for i, key in enumerate(path) if isinstance(key, jax.tree_util.GetAttrKey)]
    inside = [i for i in fields if path[i].name not in INNER]
    return path[inside[-1] :] if inside else ()


def _speaks(part: Any) -> bool:
    return callable(getattr(type(part), "anchored", None))


def _is_key(x: Any) -> bool:
    return bool(jnp.issubdtype(jnp.result_type(x), jax.dtypes.prng_key))
