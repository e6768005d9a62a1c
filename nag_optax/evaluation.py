"""The base iterate: the point to evaluate, found through any wrapper.

Training moves ``params``, the point where Nesterov's method takes its gradients. The theory bounds the loss at the base
iterate, ``params + readout * momentum``: measure a test loss there. Optax nests states in chains, masks, partitions and
wrappers, and Flax wraps their leaves in variables. The states inside define how to read them (`nag_optax.readings`),
and their buffers are matched to the parameters by path.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from nag_optax.finding import found, nothing_accelerated, readings_of
from nag_optax.readings import Question, Readings
from nag_optax.validation import check_choice, leaf_name

WAY_OUT = "Where params have changed, nag_optax.reanchor makes the state follow them."


def eval_params(
    state: Any,
    params: Any,
    *,
    output: str = "base",
    learning_rate: optax.ScalarOrSchedule | None = None,
    later_links: str | None = None,
) -> Any:
    """The base iterate of an accelerated method, or another point that its paper analyses.

    Args:
      state: an optimizer state that contains at least one accelerated state, under any of Optax's wrappers, or as Flax
        keeps it: ``eval_params(train_state.opt_state, train_state.params)``, ``eval_params(optimizer.opt_state,
        nnx.state(model, nnx.Param))``.
      params: the parameters that belong to it.
      output: "base", or the name of an output that the method has, such as "z".
      learning_rate: only with `scale_by_nag`, whose state does not store it: the learning rate that the chain applies,
        or its schedule.
      later_links: "harmless" asserts that the links after the method do not change its updates; with None, links not
        known to be harmless raise an error. See docs/base_iterate.md.

    Returns:
      A pytree like ``params``, of the same dtypes; parameters that no accelerated method trains are returned unchanged.

    Raises:
      ValueError: if the point is unknown; the message says what to do. ``state`` holds no accelerated state, has
        another structure than ``params``, has no such output, needs a learning rate or takes none, comes before a link
        that may change its updates, or is a stack of states.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import eval_params, nag
    >>> params = jnp.array([1.0])
    >>> tx = optax.chain(optax.clip(10.0), nag(0.1, momentum=0.9))
    >>> updates, state = tx.update(jnp.array([2.0]), tx.init(params), params)
    >>> params = optax.apply_updates(params, updates)
    >>> params, eval_params(state, params)  # 1 - 0.1 * 2 * (1 + 0.9), and 1 - 0.1 * 2
    (Array([0.62], dtype=float32), Array([0.8], dtype=float32))
    """
    if later_links is not None:
        check_choice("later_links", later_links, ("harmless",))
    readings = readings_of(state, Question(output, learning_rate, later_links))
    if readings is None:
        raise nothing_accelerated(state)
    if _is_flat(readings, params):
        flat, unravel = ravel_pytree(params)
        return unravel(_read(readings, flat))
    return _read(readings, params)


def velocity(state: Any, params: Any) -> Any:
    """The velocity of every parameter, decoded from any ``accumulator_dtype``, for example to log its norm.

    Args:
      state: as in `eval_params`.
      params: the parameters that belong to it.

    Returns:
      A pytree like ``params``, in float32 or better: the buffer m of the engine, or the sum of several (`agg_mo`); 0
      where a parameter has none.

    >>> import jax.numpy as jnp
    >>> from nag_optax import nag, velocity
    >>> tx, params = nag(0.1, accumulator_dtype=jnp.int8), jnp.ones(1024)
    >>> _, state = tx.update(0.01 * params, tx.init(params), params)
    >>> velocity(state, params).mean().round(4)  # in the state itself there are integers, in units of their scales
    Array(0.01, dtype=float32)
    """
    sums = jax.tree.map(lambda p: jnp.zeros_like(p, dtype=jnp.promote_types(jnp.result_type(p), jnp.float32)), params)
    for part in found(state, "velocity"):
        buffers = dict(jax.tree_util.tree_leaves_with_path(part.velocity()))
        sums = jax.tree_util.tree_map_with_path(
            lambda path, total, buffers=buffers: total + buffers[path] if path in buffers else total, sums
        )
    return sums


def _is_flat(readings: Readings, params: Any) -> bool:
    """Whether the state comes from ``optax.flatten``: one vector for all params."""
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    if readings.keys() != {()} or paths == [()]:
        return False
    (of_vector,) = readings.values()
    return all(jnp.shape(buffer) == (sum(map(jnp.size, jax.tree.leaves(params))),) for buffer, _ in of_vector)


def _read(readings: Readings, params: Any) -> Any:
    unread = dict(readings)

    def evaluate(path, p):
        for buffer, readout in unread.pop(path, ()):
            if jnp.shape(p) != jnp.shape(buffer):
                shapes = f"{jnp.shape(buffer)} and {jnp.shape(p)}"
                raise ValueError(f"state does not belong to params: shapes {shapes} at {leaf_name(path)}. {WAY_OUT}")
            moved = buffer if readout is None else p + readout * buffer
            p = moved.astype(jnp.result_type(p))
        return p

    evaluated = jax.tree_util.tree_map_with_path(evaluate, params)
    if unread:
        where = ", ".join(map(leaf_name, unread))
        raise ValueError(f"state does not belong to params, which have nothing at {where}. {WAY_OUT}")
    return evaluated
