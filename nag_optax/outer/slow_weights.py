"""Slow weights: an outer method, whose gradient is the progress of an inner optimizer over a period.

Lookahead, SNOO and DiLoCo are one loop around any optimizer ::

    fast <- fast + inner(gradient)                      every update
    every `period` updates:
        slow <- slow + outer(mean over replicas of (slow - fast))
        fast <- slow

The outer method treats the pseudo-gradient slow - fast as a gradient; it may be any method of this library or of Optax.
A plain step gives Lookahead, Nesterov's momentum gives SNOO, and its mean over replicas gives DiLoCo. The fast weights
are the params, an ordinary pytree, and the slow weights live in the state, so it works in chains, in a Flax TrainState
and in an ``nnx.Optimizer``.
"""

from collections.abc import Hashable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from nag_optax import trees
from nag_optax.anchoring import take_over
from nag_optax.finding import readings_of
from nag_optax.outer.communication import check_axis, mean_over
from nag_optax.readings import Question, Readings, joined, kept
from nag_optax.scalars import increment, mixing
from nag_optax.validation import as_dtype, check_boolean, check_integer, check_transformation, leaf_name


class SlowWeightsState(NamedTuple):
    """State of `slow_weights`.

    Attributes:
      age: updates since the last synchronisation, int32.
      slow: the slow weights, a pytree like params; the same on every replica.
      inner: state of the inner optimizer; every replica has its own.
      outer: state of the outer method; the same on every replica.
      residual: the rounding error of low-precision messages so far, a pytree like params; ``()`` if there is none.
    """

    age: Array
    slow: Any
    inner: Any
    outer: Any
    residual: Any

    def readings(self, question: Question) -> Readings:
        """Returns the slow weights, plus the readings of the outer method if it has any."""
        slow, further = kept(self.slow), readings_of(self.outer, question)
        if further is None:
            question.readout({"base": 1.0})
        return joined(slow, further or {})

    def anchored(self, old: "SlowWeightsState") -> "SlowWeightsState":
        """Returns this new state, whose period starts at the new params, with the old inner and outer states."""
        inner, outer = take_over(self.inner, old.inner), take_over(self.outer, old.outer)
        return self._replace(inner=inner, outer=outer, residual=take_over(self.residual, old.residual))


def slow_weights(
    inner: optax.GradientTransformation,
    outer: optax.GradientTransformation,
    period: int | Array,
    *,
    axis_name: Hashable | tuple[Hashable, ...] | None = None,
    reset_inner: bool = False,
    communication_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """An outer method on slow weights, around an inner optimizer on fast weights.

    Replicas communicate only in a synchronisation. `nag_optax.eval_params` returns the slow weights, or the base
    iterate of the outer method if it has one.

    Args:
      inner: the optimizer of every update, with its own learning rate; it gets all extra arguments.
      outer: the method on pseudo-gradients, such as ``optax.sgd(0.7, 0.9, nesterov=True)`` or ``nag(0.7, 0.9)``. It
        takes one update per period.
      period: updates from one synchronisation to the next, at least 1; may be traced.
      axis_name: axis or axes of ``jax.shard_map`` or ``jax.vmap`` over which replicas average their pseudo-gradients;
        None for one replica.
      reset_inner: whether a synchronisation re-initialises the inner state.
      communication_dtype: None sends pseudo-gradients unchanged; a floating dtype, or ``jnp.int8`` for up to 127
        replicas, sends fewer bytes and adds the rounding error to the next message (error feedback).

    Returns:
      A transformation whose last update in each period leads to the slow weights, up to one rounding.

    Raises:
      TypeError: for an argument of the wrong type, or (in ``init``) an outer method whose updates have other dtypes.
      ValueError: for a period below 1, ``communication_dtype`` without an axis, (in ``init``) an outer method whose
        updates have another structure or other shapes than params, (in ``update``) an unknown axis or missing params.

    Five steps forward, then half of the way back:

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import slow_weights
    >>> tx = slow_weights(optax.sgd(0.1), optax.sgd(0.5), period=5)
    >>> params = jnp.zeros(())
    >>> state = tx.init(params)
    >>> for _ in range(5):
    ...     updates, state = tx.update(-jnp.ones(()), state, params)
    ...     params = optax.apply_updates(params, updates)
    >>> params.round(6)
    Array(0.25, dtype=float32)
    """
    check_transformation("inner", inner)
    check_transformation("outer", outer)
    check_integer("period", period, at_least=1, may_be_traced=True)
    check_boolean("reset_inner", reset_inner)
    _check_axis_name(axis_name)
    message = mean_over(axis_name, as_dtype("communication_dtype", communication_dtype))
    inner = optax.with_extra_args_support(inner)

    def init(params: Any) -> SlowWeightsState:
        outer_state = outer.init(params)
        _check_updates(outer, outer_state, params)
        return SlowWeightsState(
            age=jnp.zeros((), jnp.int32),
            slow=trees.copied(params),
            inner=inner.init(params),
            outer=outer_state,
            residual=message.init(params),
        )

    @mixing
    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, SlowWeightsState]:
        if params is None:
            raise ValueError("slow_weights needs params: call update(gradients, state, params).")
        check_axis(axis_name)
        whole, params = params, trees.beside(updates, params)
        slow_weights = _anchored(state, whole)
        slow_part, residual_part = (trees.beside(updates, part) for part in (slow_weights, state.residual))
        moves, inner_state = inner.update(updates, state.inner, params, **extra)
        moves = jax.tree.map(lambda p, u: jnp.asarray(u, jnp.result_type(p)), params, moves)
        age = increment(state.age)
        due = age >= period

        def carry_on() -> tuple[Any, SlowWeightsState]:
            return moves, SlowWeightsState(age, slow_weights, inner_state, state.outer, state.residual)

        def synchronise() -> tuple[Any, SlowWeightsState]:
            pseudo_gradient = jax.tree.map(jnp.subtract, slow_part, optax.apply_updates(params, moves))
            pseudo_gradient, residual = message.mean(pseudo_gradient, residual_part)
            outer_moves, outer_state = outer.update(pseudo_gradient, state.outer, slow_part)
            slow: Any = optax.apply_updates(slow_part, outer_moves)
            back = jax.tree.map(jnp.subtract, slow, params)
            slow, residual = trees.filled(slow, slow_weights), trees.filled(residual, state.residual)
            start_inner = inner.init(slow) if reset_inner else inner_state
            after = SlowWeightsState(jnp.zeros_like(age), slow, start_inner, outer_state, residual)
            # Inside shard_map, a constant and a value that may vary between replicas have different types.
            return trees.where(True, (back, after), carry_on())

        return jax.lax.cond(due, synchronise, carry_on)

    return optax.GradientTransformationExtraArgs(init, update)


def _anchored(state: SlowWeightsState, params: Any) -> Any:
    """The slow weights. If params differ from them at the start of a period, the user has replaced params: return
    params.

    After a synchronisation params are the slow weights up to rounding, which must not accumulate.
    """
    params = trees.beside(state.slow, params)

    def begin(slow: Array, param: Array) -> Array:
        rounding = 4 * jnp.finfo(slow.dtype).eps * jnp.maximum(jnp.abs(slow), jnp.abs(param))
        return jnp.where(jnp.abs(slow - param) <= rounding, slow, param)

    return jax.lax.cond(
        state.age == 0,
        lambda: jax.tree.map(begin, state.slow, params),
        lambda: trees.where(True, state.slow, params),  # of the same type inside of shard_map
    )


def _check_axis_name(axis_name: Any) -> None:
    """Raises if this cannot be an axis, or axes, of replicas."""
    if not isinstance(axis_name, Hashable) or isinstance(axis_name, bool | float | np.generic | np.ndarray | jax.Array):
        raise TypeError(f"axis_name must be a name, a tuple of names or None, got {axis_name!r}.")
    if axis_name == ():
        raise ValueError("axis_name must name at least one axis, got (); for a single replica it is None.")


def _check_updates(outer: optax.GradientTransformation, state: Any, params: Any) -> None:
    """Raises if params could not take the updates of the outer method."""
    updates, _ = jax.eval_shape(outer.update, params, state, params)
    expected, got = jax.tree.structure(params), jax.tree.structure(updates)
    if got != expected:
        raise ValueError(f"outer must keep the structure of params: got {got} for {expected}.")
    for (path, p), u in zip(jax.tree_util.tree_leaves_with_path(params), jax.tree.leaves(updates), strict=True):
        where = leaf_name(path)
        if u.shape != np.shape(p):
            raise ValueError(f"outer must keep the shapes of params: got {u.shape} for {np.shape(p)} at {where}.")
        own = jnp.result_type(p)
        widened = jnp.promote_types(u.dtype, own) == u.dtype and not jnp.issubdtype(u.dtype, jnp.complexfloating)
        if u.dtype != own and not widened:
            raise TypeError(f"outer must keep the dtypes of params, or widen them: got {u.dtype} for {own} at {where}.")
