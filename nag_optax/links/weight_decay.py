"""Weight decay beside the method, not through its velocity.

With eta_k the learning rate and lambda_k the weight decay, behind a finished update ::

    decoupled     params <- params + update - eta_k lambda_k params
    proximal      params <- (params + update) / (1 + eta_k lambda_k)

The first is Loshchilov & Hutter's, https://arxiv.org/abs/1711.05101; the second is the implicit step of the same
decay, stable for any strength, and Adan's, https://arxiv.org/abs/2208.06677.

The sum is taken in float32 or better. An update of 16 bits cannot hold it: the decay is often below half a unit of the
update, and rounded to the nearest it would be lost in every step, with nothing left for a link such as
`nag_optax.compensated` to keep. So it is rounded up or down, by thresholds that are evenly spread over the steps: what
the decay adds up to arrives, to a few units of the update.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.engine.storage.rounding import mixed, stochastically_rounded
from nag_optax.links.landing import is_low
from nag_optax.scalars import Scalar, counter, hyperparameter_dtype, increment, mixing, scalar_at
from nag_optax.trees import beside, widened
from nag_optax.validation import check_number, check_transformation

Decaying = optax.GradientTransformation | Callable[[Any], optax.GradientTransformation]
"""A method with its learning rate applied, or the function of the learning rate's value that makes it."""


class WeightDecayState(NamedTuple):
    """Attributes:
    step: updates so far, int32; drives the learning-rate schedule.
    """

    step: Array


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
    return _decayed(tx, learning_rate, weight_decay, mask, lambda u, p, shrink: u - shrink * p)


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
    return _decayed(tx, learning_rate, weight_decay, mask, lambda u, p, shrink: (u - shrink * p) / (1 + shrink))


def _decayed(
    tx: Decaying, learning_rate: Any, weight_decay: Any, mask: Any, decay: Callable[[Array, Array, Scalar], Array]
) -> optax.GradientTransformationExtraArgs:
    check_number("learning_rate", learning_rate, at_least=0)
    check_number("weight_decay", weight_decay, at_least=0)

    def at(rate: Any) -> optax.GradientTransformationExtraArgs:
        method: Any = tx(rate) if callable(tx) else tx
        check_transformation("tx", method)
        return optax.with_extra_args_support(method)

    whole = at(learning_rate)
    if isinstance(weight_decay, int | float) and weight_decay == 0:
        return whole
    link = _link(decay) if mask is None else optax.masked(_link(decay), mask)

    def init(params: Any) -> tuple[Any, Any]:
        return whole.init(params), link.init(params)

    @mixing
    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, tuple[Any, Any]]:
        if params is None:
            raise ValueError("weight_decay needs params: call update(gradients, state, params).")
        params = beside(updates, params)
        of_method, of_link = state
        (step,) = jax.tree.leaves(of_link)  # of a WeightDecayState, masked or not
        count = counter(step, hyperparameter_dtype(params))
        rate = scalar_at(learning_rate, count)
        updates, of_method = at(rate).update(updates, of_method, params, **extra)
        updates, of_link = link.update(updates, of_link, params, shrink=rate * scalar_at(weight_decay, count))
        return updates, (of_method, of_link)

    return optax.GradientTransformationExtraArgs(init, update)


def _link(decay: Callable[[Array, Array, Scalar], Array]) -> optax.GradientTransformationExtraArgs:
    """The decay of finished updates by ``shrink=``, on the leaves that a mask leaves."""

    def init(params: Any) -> WeightDecayState:
        return WeightDecayState(step=jnp.zeros((), jnp.int32))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
        leaves, structure = jax.tree.flatten(updates)
        sums = [
            decay(widened(u), p, extra["shrink"]) for u, p in zip(leaves, structure.flatten_up_to(params), strict=True)
        ]
        kept = [_kept(x, u, i, state.step) for i, (x, u) in enumerate(zip(sums, leaves, strict=True))]
        return structure.unflatten(kept), WeightDecayState(step=increment(state.step))

    return optax.GradientTransformationExtraArgs(init, update)


def _kept(x: Array, update: Array, leaf: int, step: Array) -> Array:
    """The sum in the dtype of the update, with nothing lost in the mean where that has 16 bits."""
    if not is_low(update):
        return x.astype(update.dtype)
    return stochastically_rounded(x, update.dtype, mixed(jnp.uint32(leaf)), step)
