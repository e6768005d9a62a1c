"""Decoupled weight decay: next to the method, not through its velocity.

With eta_k the learning rate and lambda_k the weight decay, after the method's update ::

    decoupled     params <- params + update - eta_k lambda_k params
    proximal      params <- (params + update) / (1 + eta_k lambda_k)

The first is from Loshchilov & Hutter, https://arxiv.org/abs/1711.05101; the second is the implicit step of the same
decay, stable for any strength, used by Adan, https://arxiv.org/abs/2208.06677.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.engine.storage.rounding import rounded_in_turns
from nag_optax.links.landing import is_low
from nag_optax.masks import check_flags, flags_of
from nag_optax.readings import Readings
from nag_optax.scalars import Scalar, counter, hyperparameter_dtype, increment, is_number, mixing, scalar_at
from nag_optax.trees import beside, widened
from nag_optax.validation import (
    check_takes,
    check_transformation,
    look_ahead,
    number_or_schedule,
)

Decaying = optax.GradientTransformation | Callable[[Any], optax.GradientTransformation]
"""A method with its learning rate applied, or the function of the learning rate's value that makes it."""


class WeightDecayState(NamedTuple):
    """Attributes:
    step: updates so far, int32; drives the learning-rate schedule.
    """

    step: Array

    def follow(self, readings: Readings) -> Readings:
        """Returns them unchanged: decay moves the point together with params."""
        return readings


def decayed(
    tx: Decaying,
    learning_rate: optax.ScalarOrSchedule,
    weight_decay: optax.ScalarOrSchedule,
    mask: Any | Callable[[Any], Any] | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Adds decoupled weight decay to any method; a static 0 returns the method itself.

    Args:
      tx: the method, with its learning rate applied; or a function from a learning rate to the method, such as
        ``functools.partial(nag, momentum=0.95)``: then a schedule is evaluated only once per update, here.
      learning_rate: the learning rate of the method, at least 0; a number or an Optax schedule of the update, counted
        from 0.
      weight_decay: at least 0; a number or a schedule. Params shrink by learning_rate * weight_decay. None is a static
        0.
      mask: which parameters decay, as in ``optax.adamw``: a pytree of booleans or a function of params that returns
        one; None for all.

    Returns:
      A gradient transformation; ``update`` needs params.

    >>> import jax.numpy as jnp
    >>> from nag_optax import decayed, ogm
    >>> tx, params = decayed(ogm(0.1), 0.1, weight_decay=0.5), jnp.ones(2)
    >>> updates, _ = tx.update(jnp.zeros(2), tx.init(params), params)
    >>> updates  # -0.1 * 0.5 params
    Array([-0.05, -0.05], dtype=float32)
    """
    return _decayed(tx, learning_rate, weight_decay, mask, proximal=False)


def proximally_decayed(
    tx: Decaying,
    learning_rate: optax.ScalarOrSchedule,
    weight_decay: optax.ScalarOrSchedule,
    mask: Any | Callable[[Any], Any] | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Adds proximal weight decay to any method.

    Args:
      tx, learning_rate, weight_decay, mask: as in `decayed`.

    >>> import jax.numpy as jnp
    >>> from nag_optax import links, nag
    >>> tx, params = links.proximally_decayed(nag(0.1), 0.1, weight_decay=0.5), jnp.ones(())
    >>> updates, _ = tx.update(jnp.zeros(()), tx.init(params), params)
    >>> round(float(params + updates), 4)  # 1 / (1 + 0.1 * 0.5)
    0.9524
    """
    return _decayed(tx, learning_rate, weight_decay, mask, proximal=True)


def own_decay(
    at: Callable[[Any], optax.GradientTransformationExtraArgs],
    learning_rate: optax.ScalarOrSchedule,
    weight_decay: optax.ScalarOrSchedule | None,
    mask: Any | Callable[[Any], Any] | None,
    *,
    proximal: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """A method with built-in decay: its state is the same with and without decay, and has one counter for both.

    Args:
      at: makes the method, whose state has a field ``step``, of the learning rate.
      learning_rate, weight_decay, mask: as in `decayed`; None and a static 0 do not decay, and need no params.
      proximal: whether the decay is the implicit step.
    """
    decaying = _Decay(at, learning_rate, weight_decay, mask, proximal)
    if decaying.is_off:
        return decaying.whole

    def init(params: Any) -> Any:
        decaying.look_ahead(params)
        return decaying.whole.init(params)

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        return decaying.update(state.step, updates, state, params, extra)

    return optax.GradientTransformationExtraArgs(init, update)


def _decayed(
    tx: Decaying, learning_rate: Any, weight_decay: Any, mask: Any, *, proximal: bool
) -> optax.GradientTransformationExtraArgs:
    """Any method with a decay that has its own counter."""
    decaying = _Decay(tx, learning_rate, weight_decay, mask, proximal)
    if decaying.is_off:
        return decaying.whole

    def init(params: Any) -> tuple[Any, Any]:
        decaying.look_ahead(params)
        counting = WeightDecayState(step=jnp.zeros((), jnp.int32))
        return decaying.whole.init(params), counting if mask is None else optax.MaskedState(counting)

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, tuple[Any, Any]]:
        of_method, counting = state
        (step,) = jax.tree.leaves(counting)  # of a WeightDecayState, masked or not
        updates, of_method = decaying.update(step, updates, of_method, params, extra)
        return updates, (of_method, jax.tree.map(increment, counting))

    return optax.GradientTransformationExtraArgs(init, update)


def is_off(weight_decay: optax.ScalarOrSchedule | None) -> bool:
    """Whether this is None or a static 0, which do not decay."""
    return weight_decay is None or (is_number(weight_decay) and bool(weight_decay == 0))


class _Decay:
    """A method and its decay, checked; the caller counts the updates."""

    def __init__(self, tx: Decaying, learning_rate: Any, weight_decay: Any, mask: Any, proximal: bool):
        self.learning_rate = number_or_schedule("learning_rate", learning_rate, at_least=0)
        self.weight_decay = weight_decay
        if weight_decay is not None:
            self.weight_decay = number_or_schedule("weight_decay", weight_decay, at_least=0)
        if callable(tx):
            check_takes("tx", tx, 1, "a gradient transformation of Optax, or a function of the learning rate")
        self.tx, self.mask, self.proximal = tx, _checked(mask), proximal
        self.whole = self._method(self.learning_rate)
        self.is_off = is_off(weight_decay)
        if self.is_off and mask is not None:
            raise ValueError("mask is for weight_decay, which is 0: leave mask out.")

    def look_ahead(self, params: Any) -> None:
        """Raises if the schedule of the decay returns no scalar, or the mask no booleans."""
        look_ahead(lambda: scalar_at(self.weight_decay, jnp.zeros((), jnp.int32)))
        if self.mask is not None:
            self.mask(params)

    @mixing
    def update(self, step: Array, updates: Any, state: Any, params: Any, extra: dict[str, Any]) -> tuple[Any, Any]:
        """The decayed updates, and the method's state."""
        if params is None:
            raise ValueError("weight_decay needs params: call update(gradients, state, params).")
        params = beside(updates, params)
        count = counter(step, hyperparameter_dtype(params))
        rate = scalar_at(self.learning_rate, count)
        # A function, whose value is not checked again: in an eager update it is an array that rounding may have moved.
        method = self._method(lambda count: rate) if callable(self.learning_rate) else self.whole
        updates, state = method.update(updates, state, params, **extra)
        return self._decayed(updates, params, rate * scalar_at(self.weight_decay, count), step), state

    def _method(self, rate: Any) -> optax.GradientTransformationExtraArgs:
        method: Any = self.tx(rate) if callable(self.tx) else self.tx
        check_transformation("tx", method)
        return optax.with_extra_args_support(method)

    def _decayed(self, updates: Any, params: Any, shrink: Scalar, step: Array) -> Any:
        def decay(update: Array, param: Array) -> Array:
            shrunk = widened(update) - shrink * param
            shrunk = shrunk / (1 + shrink) if self.proximal else shrunk
            if not is_low(update):
                return shrunk.astype(update.dtype)
            # A decay is far below half a unit of the update: rounded to the nearest, it would be lost in every step.
            return rounded_in_turns(shrunk, update.dtype, step)

        link = optax.stateless(lambda updates, params: jax.tree.map(decay, updates, params))
        link = link if self.mask is None else optax.masked(link, self.mask)
        return link.update(updates, link.init(params), params)[0]


def _checked(mask: Any) -> Any:
    """The mask, or a function that checks what it returns."""
    if mask is None:
        return None
    if isinstance(mask, bool | jax.Array):  # what optax.inject_hyperparams makes of a function: its value at a step
        raise TypeError(
            "mask must be a pytree of booleans or a function of params, got one value for all of them; "
            "optax.inject_hyperparams needs static_args=('mask',)."
        )
    if callable(mask):
        check_takes("mask", mask, 1, "a pytree of booleans or a function of params")
    else:
        check_flags("mask", mask, gaps=True)  # whether params have the same gaps, `flags_of` sees
    return lambda params: flags_of("mask", mask, params)
