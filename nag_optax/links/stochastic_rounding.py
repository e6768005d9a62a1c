"""Stochastically rounded params, at the end of a chain.

A bfloat16 parameter never moves under updates below 1/256 of itself. Rounded stochastically, it moves by the update in
the mean.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.engine.storage.rounding import stochastically_rounded
from nag_optax.links.landing import is_low, landing, params_of
from nag_optax.readings import Readings
from nag_optax.scalars import hyperparameter_dtype, mixing


class StochasticRoundingState(NamedTuple):
    """State of `stochastic_rounding`.

    Attributes:
      key: the key of the next update.
    """

    key: Array

    def follow(self, readings: Readings) -> Readings:
        """Returns them unchanged: rounding does not move the point."""
        return readings


def stochastic_rounding(key: Array | int) -> optax.GradientTransformation:
    """Rounds 16-bit params stochastically; the last link of a chain.

    Args:
      key: a key of ``jax.random``, or a seed. ``flax.serialization`` cannot write a typed key, but it can write the
        state of a seed.

    Returns:
      A transformation of the updates of 16-bit params; updates of other params pass through. Updates keep their dtype,
      so `optax.apply_if_finite` may wrap the chain or be inside it. Apply them with ``optax.apply_updates``. ``update``
      needs params.

    Raises:
      TypeError: if ``key`` is neither a key nor an integer.
      ValueError: in ``update``, if params are missing.

    An update far smaller than the distance from 1 to its neighbours, 1/256 and 1/128:

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import stochastic_rounding
    >>> tx = optax.chain(optax.sgd(1e-4), stochastic_rounding(0))
    >>> params = jnp.ones((10_000,), jnp.bfloat16)
    >>> updates, state = tx.update(jnp.ones_like(params), tx.init(params), params)
    >>> moved = optax.apply_updates(params, updates)
    >>> moved.dtype, sorted({*map(float, moved)}), abs(float(moved.astype(float).mean()) - 0.9999) < 2e-5
    (dtype(bfloat16), [0.99609375, 1.0], True)
    """
    key = _as_key(key)

    def init(params: Any) -> StochasticRoundingState:
        hyperparameter_dtype(params)
        return StochasticRoundingState(jnp.copy(key))  # which a training step may donate

    @mixing
    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, StochasticRoundingState]:
        params = params_of("stochastic_rounding", updates, params)
        following, now = jax.random.split(state.key)
        leaves, structure = jax.tree.flatten(params)
        seeds = structure.unflatten(jax.random.bits(now, (len(leaves),), "uint32"))

        def land(p, u, seed):
            if not is_low(p):
                return u
            target, update_to = landing(p, u)
            return update_to(stochastically_rounded(target, p.dtype, seed))

        return jax.tree.map(land, params, updates, seeds), StochasticRoundingState(following)

    return optax.GradientTransformation(init, update)


def _as_key(key: Any) -> Array:
    if isinstance(key, int) and not isinstance(key, bool):
        try:
            return jax.random.PRNGKey(key)  # raw, as every format of checkpoints can write it
        except OverflowError as error:
            raise ValueError(f"key must be a seed that JAX can hold, got {key}.") from error
    if isinstance(key, Array) and (jnp.issubdtype(key.dtype, jax.dtypes.prng_key) or key.dtype == jnp.uint32):
        try:
            jax.eval_shape(jax.random.split, key)
        except (TypeError, ValueError) as error:
            raise ValueError(f"key must be one key of jax.random, got shape {key.shape}.") from error
        return key
    raise TypeError(f"key must be a key of jax.random or an integer, got {type(key).__name__}.")
