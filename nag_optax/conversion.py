"""Convert a state from Optax to this library, and back, during training.

``optax.trace`` (of ``optax.sgd``) keeps the velocity that `nag` keeps, and ``optax.nadam`` keeps the moments of
`nag_optax.nadam`. So a run can continue with the other library, and the next update is the same if the options are.

Other methods of the engine keep their buffers in other units (`nag` with ``velocity="step"``, `heavy_ball`, `ogm`):
trial updates check the units of the new method, and the readout those of the old state.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from nag_optax.engine.accelerate import AccelerateState
from nag_optax.engine.direction import DirectionState
from nag_optax.engine.storage.buffer import kept_as
from nag_optax.links.root_mean_square import RootMeanSquareState
from nag_optax.validation import is_concrete


class Moments(NamedTuple):
    """The part of the state that both libraries keep.

    Attributes:
      steps: updates so far; None where the state does not count them.
      momentum: the velocity, a pytree like params.
      mean_square: of the gradients, a pytree like params; None where the method has none.
    """

    steps: Array | None
    momentum: Any
    mean_square: Any


def from_optax(tx: optax.GradientTransformation, state: Any, params: Any, *, steps: int | Array | None = None) -> Any:
    """The state of a transformation, continued from a state of the same method in the other library.

    Args:
      tx: the transformation to continue with: `nag`, `scale_by_nag` or `nag_optax.nadam`, possibly in a chain, after a
        state of ``optax.sgd``, ``optax.trace`` or ``optax.nadam``; or one of these three after a state of ours.
        ``optax.nadam`` has no momentum schedule: it equals ``nadam(..., momentum_decay=1e6)``.
      state: the state so far.
      params: the current params.
      steps: updates so far; by default the state's own count. ``optax.sgd`` counts only with a schedule; without a
        count the default is 1, which is correct for constant options.

    Returns:
      A state of the structure of ``tx.init(params)``.

    Raises:
      ValueError: if one of the two does not have exactly one velocity, if only one has a mean of squares, if a velocity
        is found not to be a sum of gradients, or inside ``optax.MultiSteps``, which counts differently: pass its
        ``inner_opt_state`` between two accumulations.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import from_optax, nag
    >>> theirs, ours, params = optax.sgd(0.1, 0.9, nesterov=True), nag(0.1, 0.9), jnp.ones(2)
    >>> _, state = theirs.update(params, theirs.init(params), params)
    >>> updates, _ = ours.update(params, from_optax(ours, state, params), params)
    >>> bool(jnp.allclose(updates, theirs.update(params, state, params)[0]))
    True
    """
    moments, fresh = _moments(state, "state"), tx.init(params)
    if (moments.mean_square is None) != (_moments(fresh, "tx").mean_square is None):
        raise ValueError("tx must be the method of the state: one has a mean of squares, the other has none.")
    _check_units(tx, state, params)
    count = moments.steps if steps is None else jnp.asarray(steps, jnp.int32)
    count = jnp.ones((), jnp.int32) if count is None else count
    scalars = _scalars_after(tx, params, count)
    started = jax.tree.map(lambda x, s: s if jnp.shape(s) == jnp.shape(x) else x, fresh, scalars)
    return jax.tree.map(
        lambda part: _with_moments(part, moments, count), started, is_leaf=lambda part: isinstance(part, _KINDS)
    )


_KINDS = (RootMeanSquareState, optax.ScaleByAdamState, AccelerateState, optax.TraceState)


def _check_units(tx: optax.GradientTransformation, state: Any, params: Any) -> None:
    """Raises if a velocity is seen to be no sum of gradients."""
    gradient = jax.tree.map(lambda p: jnp.full((1,) * np.ndim(p), 1e-3, jnp.result_type(p)), params)
    origin = jax.tree.map(jnp.zeros_like, gradient)
    with jax.ensure_compile_time_eval():
        updates, first = tx.update(gradient, tx.init(origin), origin)
        _, second = tx.update(origin, first, origin)
    (old,), (new,), (later,) = (_states(of, _KINDS) for of in (state, first, second))
    wrong = "must keep a sum of gradients, as nag does with velocity='gradient', but"
    if isinstance(old, AccelerateState) and old.is_mean:
        raise ValueError(f"state {wrong} its velocity is a mean, as with velocity='mean'.")
    if isinstance(new, AccelerateState):
        kept = [np.asarray(m, complex) for m in jax.tree.leaves(new.velocity()) if is_concrete(m)]
        if not all(np.allclose(m, 1e-3, rtol=0.02) for m in kept):
            raise ValueError(f"tx {wrong} after a first one it keeps something else.")
    if isinstance(new, optax.TraceState) and isinstance(old, AccelerateState) and not _states(state, DirectionState):
        momentum, length = (
            abs(np.asarray(jax.tree.leaves(x)[0], complex).item()) / 1e-3 for x in (later.trace, updates)
        )
        step_size_is_one = np.isclose(length, 1 + momentum, rtol=0.01)
        if is_concrete(old.readout) and np.isclose(old.readout, momentum, rtol=1e-3) and not step_size_is_one:
            raise ValueError(f"state {wrong} its readout is the momentum itself, as with velocity='step'.")


def _states(state: Any, kinds: Any) -> list[Any]:
    """The states of these kinds, wherever they are in a state."""
    parts = jax.tree.leaves(state, is_leaf=lambda part: isinstance(part, kinds))
    return [part for part in parts if isinstance(part, kinds)]


def _moments(state: Any, name: str) -> Moments:
    if _states(state, optax.MultiStepsState):
        raise ValueError(f"{name} must be that inside of optax.MultiSteps: take its inner_opt_state.")
    parts = _states(state, _KINDS)
    if len(parts) != 1:
        raise ValueError(
            f"{name} must have the one velocity of nag, scale_by_nag, nag_optax.nadam, optax.sgd with a momentum, "
            f"optax.trace or optax.nadam; got {len(parts)} such states."
        )
    match parts[0]:
        case RootMeanSquareState(direction=AccelerateState() as direction) as part:
            return Moments(part.step, direction.velocity(), part.mean_square)
        case RootMeanSquareState():
            raise ValueError(f"{name} must have one velocity; Optax has no method with those of adan.")
        case AccelerateState() as part:
            return Moments(part.step, part.velocity(), None)
        case optax.ScaleByAdamState(count, mu, nu):
            return Moments(jnp.asarray(count), mu, nu)
        case optax.TraceState(trace):
            return Moments(next(iter(_schedules(state)), None), trace, None)
    raise AssertionError("unreachable: one of four kinds")


def _schedules(state: Any) -> list[Array]:
    """The counters of the schedules in a state."""
    return [jnp.asarray(part.count) for part in _states(state, optax.ScaleByScheduleState)]


def _scalars_after(tx: optax.GradientTransformation, params: Any, count: Array) -> Any:
    """The state after so many updates of params without entries: its scalars are those of any params."""
    nothing = jax.tree.map(lambda p: jnp.zeros((0,), jnp.result_type(p)), params)
    return jax.lax.fori_loop(0, count, lambda _, state: tx.update(nothing, state, nothing)[1], tx.init(nothing))


def _with_moments(part: Any, moments: Moments, count: Array) -> Any:
    """A part of the new state, with the moments if it is the one that keeps them."""

    def as_in(old: Any, new: Any) -> Any:
        return jax.tree.map(lambda x, m: m.astype(x.dtype), new, old)

    match part:
        case RootMeanSquareState():
            direction = _with_moments(part.direction, moments, count)
            return part._replace(direction=direction, mean_square=as_in(moments.mean_square, part.mean_square))
        case AccelerateState():
            momentum, scales = kept_as(part.momentum, part.scales, moments.momentum, count)
            return part._replace(momentum=momentum, scales=scales)
        case optax.ScaleByAdamState():
            return part._replace(mu=as_in(moments.momentum, part.mu), nu=as_in(moments.mean_square, part.nu))
        case optax.TraceState():
            return part._replace(trace=as_in(moments.momentum, part.trace))
    return part
