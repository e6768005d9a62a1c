"""The base iterate: the point to evaluate, found through any wrapper.

Training moves ``params``, the point where Nesterov's method takes its gradients. The theory speaks about the base
iterate, ``params + readout * momentum``, and a test loss is better measured there. Optax nests states in chains, masks,
partitions and wrappers, and Flax wraps their leaves in variables; this module finds the accelerated states inside, and
matches their buffers to the parameters by path.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.engine import AccelerateState, DirectionState
from nag_optax.hyperparameters import scalar_at
from nag_optax.superposition import SuperpositionState


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
        needs a learning rate or takes none.

    >>> from nag_optax import nag
    >>> params = jnp.array([1.0])
    >>> tx = optax.chain(optax.clip(10.0), nag(0.1, momentum=0.9))
    >>> updates, state = tx.update(jnp.array([2.0]), tx.init(params), params)
    >>> params = optax.apply_updates(params, updates)
    >>> params, eval_params(state, params)  # 1 - 0.1 * 2 * (1 + 0.9), and 1 - 0.1 * 2
    (Array([0.62], dtype=float32), Array([0.8], dtype=float32))
    """
    found = _find(state)
    if not found:
        raise ValueError(f"state holds no accelerated method of nag_optax, got {type(state).__name__}.")
    if learning_rate is not None and not all(isinstance(s, DirectionState) for s in found):
        raise ValueError("learning_rate is for states of scale_by_nag only; this method knows its own.")

    offsets = {}
    for terms in (_offset(s, output, learning_rate) for s in found):
        if twice := offsets.keys() & terms.keys():
            where = jax.tree_util.keystr(twice.pop())
            raise ValueError(f"two accelerated methods act on {where}: the base iterate is ambiguous.")
        offsets |= terms

    def move(path, p):
        for readout, momentum in offsets.pop(path, ()):
            if jnp.shape(p) != jnp.shape(momentum):
                shapes, where = f"{momentum.shape}, {jnp.shape(p)}", jax.tree_util.keystr(path)
                raise ValueError(f"state does not belong to params: shapes {shapes} at {where}.")
            p = (p + readout * momentum).astype(jnp.result_type(p))
        return p

    evaluated = jax.tree_util.tree_map_with_path(move, params)
    if offsets:
        where = ", ".join(map(jax.tree_util.keystr, offsets))
        raise ValueError(f"state does not belong to params, which have nothing at {where}.")
    return evaluated


def _find(state: Any) -> list[AccelerateState | DirectionState | SuperpositionState]:
    kinds = (AccelerateState, DirectionState, SuperpositionState)
    return [leaf for leaf in jax.tree.leaves(state, is_leaf=lambda s: isinstance(s, kinds)) if isinstance(leaf, kinds)]


def _offset(
    state: AccelerateState | DirectionState | SuperpositionState,
    output: str,
    learning_rate: optax.ScalarOrSchedule | None,
) -> dict[Any, list[tuple[Array, Array]]]:
    """By path, the (readout, buffer) whose products lead from params to the output."""
    match state:
        case AccelerateState():
            parts, scale = (state,), 1.0
        case SuperpositionState():
            parts, scale = state.parts, 1.0
        case DirectionState():
            if learning_rate is None:
                raise ValueError(
                    "state of scale_by_nag does not know the learning rate: pass learning_rate=, number or schedule."
                )
            last_step = jnp.maximum(_value(state.accelerated.step) - 1, 0)
            parts, scale = (state.accelerated,), scalar_at(learning_rate, last_step)
    offsets = {}
    for part in parts:
        readout = scale * _readout(part, output)
        for path, momentum in jax.tree_util.tree_leaves_with_path(part.momentum):
            offsets.setdefault(path, []).append((readout, momentum))
    return offsets


def _readout(state: AccelerateState, output: str) -> Array:
    readouts = {"base": state.readout, **state.outputs}
    if output not in readouts:
        raise ValueError(f"output must be one of {', '.join(map(repr, readouts))} for this method, got {output!r}.")
    return _value(readouts[output])


def _value(scalar: Any) -> Array:
    """The array inside, where Flax wraps it in a variable."""
    (leaf,) = jax.tree.leaves(scalar)
    return leaf
