"""NAG for embeddings, at the cost of the rows that a batch touches.

A row without a gradient moves on by its velocity alone, in closed form. With ``velocity="step"`` of `nag_optax.nag` and
a constant momentum mu, s updates without a gradient are ::

    params <- params - (1 - nu + nu mu) (mu + mu^2 + ... + mu^s) m
    m      <- mu^s m

So a row is left alone until it is read, and then makes up for the updates that it has missed: all points are those of
the dense method, to rounding. The learning rate sits inside the velocity, which makes this exact under any schedule of
it. A momentum that changes has no closed form.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.readings import Question, Readings, ahead
from nag_optax.scalars import Scalar, counter, hyperparameter_dtype, increment, mixing, of_one_state, scalar_at
from nag_optax.trees import widened
from nag_optax.validation import check_number, number_or_schedule


class LazyNagState(NamedTuple):
    """State of `lazy_nag`.

    Attributes:
      step: updates so far, int32.
      seen: the updates that each row has taken part in or made up for, int32 [rows].
      momentum: the velocity of each row when it was seen last, like the table; in float32 or better.
      decay: mu, a scalar.
      lead: 1 - nu + nu mu, a scalar.
      lookahead: nu, a scalar.
    """

    step: Array
    seen: Array
    momentum: Array
    decay: Array
    lead: Array
    lookahead: Array

    def missed(self, rows: Any = slice(None)) -> tuple[Array, Array]:
        """What rows have to make up for, in units of their velocity: how far params move, and what is left of it."""
        lag = (self.step - self.seen[rows]).astype(self.decay.dtype)
        lag = lag.reshape(*lag.shape, *[1] * (self.momentum.ndim - 1))
        updates = jnp.where(lag == 0, 1, lag)
        gone = jnp.where(lag == 0, 0, -jnp.expm1(updates * jnp.log(self.decay)))  # 1 - decay^lag would cancel
        return self.lead * self.decay * gone / (1 - self.decay), jnp.where(lag == 0, 1, self.decay**updates)

    def velocity(self) -> Array:
        """Returns the velocity of all rows, as if none had missed an update."""
        return self.missed()[1] * self.momentum

    def measured(self) -> dict[str, Array]:
        """Returns the counter and the momentum by name."""
        return {"step": self.step, "momentum": self.decay}

    def readings(self, question: Question) -> Readings:
        """Returns the base iterate of all rows, as if none had missed an update."""
        question.readout({"base": of_one_state(self.lookahead, "eval_params")})
        way, left = self.missed()
        return ahead((self.lookahead * self.decay * left - way) * self.momentum, 1.0)


class LazyNag(NamedTuple):
    """NAG for a table of rows, as four functions; ``ids`` are row numbers, an integer array of any shape.

    Attributes:
      init: ``init(table) -> state``.
      rows: ``rows(ids, table, state)``: the rows as they are now, of shape [*ids.shape, ...]. Take gradients there.
      update: ``update(gradients, ids, table, state) -> (table, state)``: one step, with gradients like those rows, and
        their sum for a row that is named several times. Donate table and state, and it costs no more than these rows.
      whole: ``whole(table, state) -> (table, state)``: all rows as they are now, to save or to use as a plain array.

    >>> import jax.numpy as jnp
    >>> from nag_optax import LazyNag, lazy_nag
    >>> lazy, table = lazy_nag(0.1), jnp.zeros((1000, 2))
    >>> isinstance(lazy, LazyNag), lazy.rows(jnp.array([[3, 5]]), table, lazy.init(table)).shape
    (True, (1, 2, 2))
    """

    init: Callable[[Any], LazyNagState]
    rows: Callable[[Any, Any, LazyNagState], Array]
    update: Callable[[Any, Any, Any, LazyNagState], tuple[Array, LazyNagState]]
    whole: Callable[[Any, LazyNagState], tuple[Array, LazyNagState]]


def lazy_nag(learning_rate: optax.ScalarOrSchedule, momentum: Scalar = 0.9, *, lookahead: Scalar = 1.0) -> LazyNag:
    """Nesterov's accelerated gradient on the rows of a table, such as an embedding, of which a step touches few: the
    same as ``nag(learning_rate, momentum, velocity="step")`` on the whole table.

    Args:
      learning_rate: at least 0; a number or a schedule of the update, counted from 0.
      momentum: in [0, 1), a number.
      lookahead: at least 0, a number, as in `nag_optax.nag`.

    Returns:
      Functions, see `LazyNag`: a gradient transformation could not, because its updates are as large as params.
      `nag_optax.eval_params` returns the base iterate of the table.

    Raises:
      TypeError: for a schedule of the momentum or the lookahead, which has no closed form; in ``init``, for a table
        that is neither floating nor complex; for ids that are no integers, and for another state. Ids outside of the
        table give rows of NaN.
      ValueError: for gradients of another shape than the rows, for a state that belongs to a table of another shape,
        and in ``init``, for a momentum that is 1 in float32.

    >>> import jax, jax.numpy as jnp
    >>> from nag_optax import lazy_nag
    >>> lazy, table = lazy_nag(0.1, momentum=0.9), jnp.zeros((1000, 2))
    >>> state = lazy.init(table)
    >>> for ids in (jnp.array([3, 5]), jnp.array([7, 8]), jnp.array([3, 3])):
    ...     loss = lambda rows: jnp.sum((rows - 1) ** 2)
    ...     gradients = jax.grad(loss)(lazy.rows(ids, table, state))
    ...     table, state = lazy.update(gradients, ids, table, state)
    >>> table[7, 0], lazy.rows(7, table, state)[0]  # it has missed an update, and makes up for it
    (Array(0.38, dtype=float32), Array(0.542, dtype=float32))
    """
    learning_rate = number_or_schedule("learning_rate", learning_rate, at_least=0)
    check_number("momentum", momentum, at_least=0, below=1)
    check_number("lookahead", lookahead, at_least=0)

    @mixing
    def init(table: Any) -> LazyNagState:
        dtype = hyperparameter_dtype(table)
        if not math.prod(jnp.shape(table)[1:]) or not jnp.ndim(table) or not len(table):
            raise ValueError(f"table must have rows with entries, got shape {jnp.shape(table)}.")
        decay, nu = jnp.array(momentum, dtype), jnp.array(lookahead, dtype)  # copies: a state is donated
        check_number("momentum", decay, at_least=0, below=1)
        return LazyNagState(
            step=jnp.zeros((), jnp.int32),
            seen=jnp.zeros_like(table[(slice(None), *[0] * (table.ndim - 1))], dtype=jnp.int32),
            momentum=jnp.zeros_like(table, dtype=jnp.promote_types(table.dtype, jnp.float32)),
            decay=decay,
            lead=1 - nu + nu * decay,
            lookahead=nu,
        )

    @mixing
    def rows(ids: Any, table: Any, state: LazyNagState) -> Array:
        table, state = _checked(table, state)
        ids = _as_ids(ids, len(table))
        way, _ = state.missed(ids)
        return (widened(table.at[ids].get(mode="fill")) - way * state.momentum[ids]).astype(table.dtype)

    @mixing
    def update(gradients: Any, ids: Any, table: Any, state: LazyNagState) -> tuple[Array, LazyNagState]:
        table, state = _checked(table, state)
        ids = _as_ids(ids, len(table))
        if jnp.shape(gradients) != (*ids.shape, *table.shape[1:]):
            raise ValueError(
                f"gradients must be like the rows, of shape {(*ids.shape, *table.shape[1:])}, got "
                f"{jnp.shape(gradients)}."
            )
        flat = ids.reshape(-1)
        once, place = jnp.unique(flat, return_inverse=True, size=flat.size, fill_value=len(table))
        g = widened(gradients).reshape(-1, *table.shape[1:])
        g = jnp.zeros_like(g).at[place].add(g)
        rate = jnp.asarray(scalar_at(learning_rate, counter(state.step, state.decay.dtype)), state.decay.dtype)
        old, (way, left) = state.momentum[once], state.missed(once)
        m = state.decay * left * old + rate * g
        moved = widened(table[once]) - way * old - state.lead * m - state.lookahead * rate * g
        return table.at[once].set(moved.astype(table.dtype), mode="drop"), state._replace(
            step=increment(state.step),
            seen=state.seen.at[once].add(increment(state.step) - state.seen[once], mode="drop"),  # in place, not a copy
            momentum=state.momentum.at[once].set(m.astype(state.momentum.dtype), mode="drop"),
        )

    @mixing
    def whole(table: Any, state: LazyNagState) -> tuple[Array, LazyNagState]:
        table, state = _checked(table, state)
        way, left = state.missed()
        current = (widened(table) - way * state.momentum).astype(table.dtype)
        seen = jnp.full_like(state.seen, state.step)
        return current, state._replace(seen=seen, momentum=(left * state.momentum).astype(state.momentum.dtype))

    return LazyNag(init, rows, update, whole)


def _checked(table: Any, state: Any) -> tuple[Array, LazyNagState]:
    """Table and state in arrays of JAX, which belong together."""
    if not isinstance(state, LazyNagState):
        raise TypeError(f"state must be that of lazy_nag, behind the table, got {type(state).__name__}.")
    if jnp.shape(table) != jnp.shape(state.momentum):
        raise ValueError(
            f"state belongs to a table of shape {jnp.shape(state.momentum)}, got one of {jnp.shape(table)}: "
            "nag_optax.reanchor makes the state follow."
        )
    return jnp.asarray(table), jax.tree.map(jnp.asarray, state)


def _as_ids(ids: Any, rows: int) -> Array:
    """Row numbers; those below 0 count from the end, and those outside are one behind it."""
    ids = jnp.asarray(ids)
    if not jnp.issubdtype(ids.dtype, jnp.integer):
        raise TypeError(f"ids must be integers, got {ids.dtype}.")
    ids = ids.astype(jnp.promote_types(ids.dtype, jnp.int32))
    ids = jnp.where(ids < 0, ids + rows, ids)
    return jnp.where((ids < 0) | (ids >= rows), rows, ids)
