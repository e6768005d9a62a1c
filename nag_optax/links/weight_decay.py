"""Weight decay beside the method, not through its velocity.

With eta_k the learning rate and lambda_k the weight decay, behind a finished update ::

    decoupled     params <- params + update - eta_k lambda_k params
    proximal      params <- (params + update) / (1 + eta_k lambda_k)

The first is Loshchilov & Hutter's, https://arxiv.org/abs/1711.05101; the second is the implicit step of the same
decay, stable for any strength, and Adan's, https://arxiv.org/abs/2208.06677.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.readings import Readings
from nag_optax.scalars import Scalar, counter, hyperparameter_dtype, increment, scalar_at
from nag_optax.validation import check_number, check_transformation, is_concrete

Decaying = optax.GradientTransformation | Callable[[Any], optax.GradientTransformation]
"""A method with its learning rate applied, or the function of the learning rate's value that makes it."""


class WeightDecayState(NamedTuple):
    """Attributes:
    step: updates so far, int32; drives the learning-rate schedule.
    """

    step: Array

    def follow(self, readings: Readings) -> Readings:
        """Returns them as they are: decay moves the point together with params."""
        return readings


def decayed(
    tx: Decaying,
    learning_rate: optax.ScalarOrSchedule,
    weight_decay: optax.ScalarOrSchedule,
    mask: Any | Callable[[Any], Any] | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Any method with decoupled weight decay; the method itself for a static 0.

    Args:
      tx: the method, with its learning rate applied; or a function of the learning rate that makes it, such as
        ``functools.partial(nag, momentum=0.95)``: then a schedule is evaluated once an update, here.
      learning_rate: that of the method, at least 0; a number or an Optax schedule of the update, counted from 0.
      weight_decay: at least 0; a number or a schedule. Params shrink by learning_rate * weight_decay.
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
    """Any method with proximal weight decay.

    Args:
      tx, learning_rate, weight_decay, mask: as in `decayed`.
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
    """A method with a decay of its own: its state is the same whether it decays or not, and counts for both.

    Args:
      at: makes the method, whose state has a field ``step``, of the learning rate.
      learning_rate, weight_decay, mask: as in `decayed`; None and a static 0 do not decay, and need no params.
      proximal: whether the decay is the implicit step.
    """
    whole = _method(at, learning_rate, weight_decay)
    if _is_off(weight_decay):
        return whole
    link = _link(proximal, mask)

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        rate, shrink = _rates(learning_rate, weight_decay, state.step, params)
        updates, after = at(rate).update(updates, state, params, **extra)
        return link(updates, params, shrink), after

    return optax.GradientTransformationExtraArgs(whole.init, update)


def _decayed(
    tx: Decaying, learning_rate: Any, weight_decay: Any, mask: Any, *, proximal: bool
) -> optax.GradientTransformationExtraArgs:
    """A method of any kind with a decay that counts for itself."""
    whole = _method(tx, learning_rate, weight_decay)
    if _is_off(weight_decay):
        return whole
    link = _link(proximal, mask)

    def init(params: Any) -> tuple[Any, Any]:
        counting = WeightDecayState(step=jnp.zeros((), jnp.int32))
        return whole.init(params), counting if mask is None else optax.MaskedState(counting)

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, tuple[Any, Any]]:
        of_method, counting = state
        (step,) = jax.tree.leaves(counting)  # of a WeightDecayState, masked or not
        rate, shrink = _rates(learning_rate, weight_decay, step, params)
        updates, of_method = _method(tx, rate).update(updates, of_method, params, **extra)
        return link(updates, params, shrink), (of_method, jax.tree.map(increment, counting))

    return optax.GradientTransformationExtraArgs(init, update)


def _method(tx: Decaying, rate: Any, weight_decay: Any = None) -> optax.GradientTransformationExtraArgs:
    """The method at a learning rate, checked together with its decay."""
    check_number("learning_rate", rate, at_least=0)
    if weight_decay is not None:
        check_number("weight_decay", weight_decay, at_least=0)
    method: Any = tx(rate) if callable(tx) else tx
    check_transformation("tx", method)
    return optax.with_extra_args_support(method)


def _is_off(weight_decay: Any) -> bool:
    return weight_decay is None or (is_concrete(weight_decay) and weight_decay == 0)


def _rates(learning_rate: Any, weight_decay: Any, step: Array, params: Any) -> tuple[Scalar, Scalar]:
    """The learning rate, and how much of them params lose."""
    if params is None:
        raise ValueError("weight_decay needs params: call update(gradients, state, params).")
    count = counter(step, hyperparameter_dtype(params))
    rate = scalar_at(learning_rate, count)
    return rate, rate * scalar_at(weight_decay, count)


def _link(proximal: bool, mask: Any) -> Callable[[Any, Any, Scalar], Any]:
    """The decay of finished updates, ``(updates, params, shrink) -> updates``, on the leaves that the mask leaves."""

    def decay(update: Array, param: Array, shrink: Scalar) -> Array:
        shrunk = update - shrink * param
        return (shrunk / (1 + shrink) if proximal else shrunk).astype(update.dtype)

    def decay_all(updates: Any, params: Any, shrink: Scalar) -> Any:
        return jax.tree.map(lambda u, p: decay(u, p, shrink), updates, params)

    def decay_masked(updates: Any, params: Any, shrink: Scalar) -> Any:
        link = optax.masked(optax.stateless(lambda u, p: decay_all(u, p, shrink)), mask)
        return link.update(updates, link.init(params), params)[0]

    return decay_all if mask is None else decay_masked
