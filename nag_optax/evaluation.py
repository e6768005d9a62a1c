"""The base iterate: the point to evaluate, found through any wrapper.

Training moves ``params``, the point where Nesterov's method takes its gradients. The theory speaks about the base
iterate, ``params + readout * momentum``, and a test loss is better measured there. Optax nests states in chains, masks,
partitions and wrappers, and Flax wraps their leaves in variables; this module finds the accelerated states inside, and
matches their buffers to the parameters by path.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.engine import AccelerateState, BaseIterate, DirectionState
from nag_optax.hyperparameters import Scalar, scalar_at
from nag_optax.precision.buffer import load
from nag_optax.superposition import SuperpositionState
from nag_optax.wrappers.slow_weights import SlowWeightsState


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
    if not (found := _find(state)):
        raise ValueError(f"state holds no accelerated method of nag_optax, got {type(state).__name__}.")
    reads = _all_reads(found, output, learning_rate)

    def evaluate(path, p):
        for read in reads.pop(path, ()):
            if jnp.shape(p) != jnp.shape(read.buffer):
                shapes, where = f"{read.buffer.shape}, {jnp.shape(p)}", jax.tree_util.keystr(path)
                raise ValueError(f"state does not belong to params: shapes {shapes} at {where}.")
            moved = read.buffer if read.readout is None else p + read.readout * read.buffer
            p = moved.astype(jnp.result_type(p))
        return p

    evaluated = jax.tree_util.tree_map_with_path(evaluate, params)
    if reads:
        where = ", ".join(map(jax.tree_util.keystr, reads))
        raise ValueError(f"state does not belong to params, which have nothing at {where}.")
    return evaluated


class _Read(NamedTuple):
    """One leaf's way to the output: params plus readout times buffer; the buffer itself without a readout."""

    buffer: Array
    readout: Scalar | None


_KINDS = (AccelerateState, DirectionState, SuperpositionState, BaseIterate, SlowWeightsState)


def _find(state: Any) -> list[Any]:
    leaves = jax.tree.leaves(state, is_leaf=lambda s: isinstance(s, _KINDS))
    return [leaf for leaf in leaves if isinstance(leaf, _KINDS)]


def _all_reads(found: list[Any], output: str, learning_rate: optax.ScalarOrSchedule | None) -> dict[Any, list[_Read]]:
    """How every leaf is read, by path, in states of which each has leaves of its own."""
    reads = {}
    for state in found:
        of_state = _reads(state, output, learning_rate)
        if twice := reads.keys() & of_state.keys():
            where = jax.tree_util.keystr(twice.pop())
            raise ValueError(f"two accelerated methods act on {where}: the base iterate is ambiguous.")
        reads |= of_state
    return reads


def _reads(state: Any, output: str, learning_rate: optax.ScalarOrSchedule | None) -> dict[Any, list[_Read]]:
    """How every leaf is read, by path, in one state."""
    if learning_rate is not None and not isinstance(state, DirectionState | SlowWeightsState):
        raise ValueError("learning_rate is for states of scale_by_nag only; this method knows its own.")
    match state:
        case BaseIterate(params):
            if output != "base":
                raise ValueError(f"output must be 'base' for this method, got {output!r}.")
            return {path: [_Read(x, None)] for path, x in jax.tree_util.tree_leaves_with_path(params)}
        case SlowWeightsState(slow=slow, outer=outer) if found := _find(outer):
            further = _all_reads(found, output, learning_rate)
            kept = _reads(BaseIterate(slow), "base", None)
            return {path: read + further.get(path, []) for path, read in kept.items()}
        case SlowWeightsState(slow=slow):
            return _reads(BaseIterate(slow), output, learning_rate)
        case AccelerateState():
            parts, scale = (state,), 1.0
        case SuperpositionState(parts):
            scale = 1.0
        case DirectionState(accelerated):
            if learning_rate is None:
                raise ValueError(
                    "state of scale_by_nag does not know the learning rate: pass learning_rate=, number or schedule."
                )
            last_step = jnp.maximum(_value(accelerated.step) - 1, 0)
            parts, scale = (accelerated,), scalar_at(learning_rate, last_step)
        case _:
            raise TypeError(f"state of unknown kind {type(state).__name__}.")
    reads = {}
    for part in parts:
        readout = scale * _readout(part, output)
        for path, momentum in jax.tree_util.tree_leaves_with_path(load(part.momentum, part.scales)):
            reads.setdefault(path, []).append(_Read(momentum, readout))
    return reads


def _readout(state: AccelerateState, output: str) -> Array:
    readouts = {"base": state.readout, **state.outputs}
    if output not in readouts:
        raise ValueError(f"output must be one of {', '.join(map(repr, readouts))} for this method, got {output!r}.")
    return _value(readouts[output])


def _value(scalar: Any) -> Array:
    """The array inside, where Flax wraps it in a variable."""
    (leaf,) = jax.tree.leaves(scalar)
    return leaf
