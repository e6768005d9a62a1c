"""The base iterate: the point to evaluate, found through any wrapper.

Training moves ``params``, the point where Nesterov's method takes its gradients. The theory speaks about the base
iterate, ``params + readout * momentum``, and a test loss is better measured there. Optax nests states in chains, masks,
partitions and wrappers, and Flax wraps their leaves in variables; the states inside say how they are read
(`nag_optax.readings`), and their buffers are matched to the parameters by path.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from nag_optax.readings import Question, readings_of
from nag_optax.validation import leaf_name


def eval_params(
    state: Any, params: Any, *, output: str = "base", learning_rate: optax.ScalarOrSchedule | None = None
) -> Any:
    """The base iterate of an accelerated method, or another point that its paper speaks about.

    Args:
      state: an optimizer state that contains at least one accelerated state, under any of Optax's wrappers, or as Flax
        keeps it: ``eval_params(train_state.opt_state, train_state.params)``, ``eval_params(optimizer.opt_state,
        nnx.state(model, nnx.Param))``.
      params: the parameters that belong to it.
      output: "base", or the name of an output that the method has, such as "z".
      learning_rate: only with `scale_by_nag`, whose state does not know it: the learning rate that the chain applies,
        or its schedule.

    Returns:
      A pytree like ``params``, of the same dtypes; parameters that no accelerated method trains are returned as they
      are.

    Raises:
      ValueError: if ``state`` holds no accelerated state, has another structure than ``params``, has no such output,
        needs a learning rate or takes none, or refuses for a reason of its own.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import eval_params, nag
    >>> params = jnp.array([1.0])
    >>> tx = optax.chain(optax.clip(10.0), nag(0.1, momentum=0.9))
    >>> updates, state = tx.update(jnp.array([2.0]), tx.init(params), params)
    >>> params = optax.apply_updates(params, updates)
    >>> params, eval_params(state, params)  # 1 - 0.1 * 2 * (1 + 0.9), and 1 - 0.1 * 2
    (Array([0.62], dtype=float32), Array([0.8], dtype=float32))
    """
    readings = readings_of(state, Question(output, learning_rate))
    if readings is None:
        raise ValueError(f"state holds no accelerated method of nag_optax, got {type(state).__name__}.")
    unread = dict(readings)

    def evaluate(path, p):
        for buffer, readout in unread.pop(path, ()):
            if jnp.shape(p) != jnp.shape(buffer):
                shapes = f"{jnp.shape(buffer)}, {jnp.shape(p)}"
                raise ValueError(f"state does not belong to params: shapes {shapes} at {leaf_name(path)}.")
            moved = buffer if readout is None else p + readout * buffer
            p = moved.astype(jnp.result_type(p))
        return p

    evaluated = jax.tree_util.tree_map_with_path(evaluate, params)
    if unread:
        where = ", ".join(map(leaf_name, unread))
        raise ValueError(f"state does not belong to params, which have nothing at {where}.")
    return evaluated
