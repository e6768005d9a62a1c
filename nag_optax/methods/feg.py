"""FEG, the fast extragradient method: acceleration for games.

A game has no function to descend: its operator G(z) holds the gradient of one player's loss beside that of the other,
and z is a solution where G vanishes. Steps along -G go around in circles; one that looks ahead, and is pulled back to
where it began, does not.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax import trees
from nag_optax.readings import BaseIterate
from nag_optax.scalars import as_float, counter, hyperparameter_dtype, increment, mixing, scalar_at
from nag_optax.validation import look_ahead, number_or_schedule


class FegState(NamedTuple):
    """State of `feg`.

    Attributes:
      step: updates so far, int32; two make an iteration.
      anchor: z_0, a pytree like params.
      base: z_k, where the last whole iteration has led.
    """

    step: Array
    anchor: Any
    base: BaseIterate

    def measured(self) -> dict[str, Array]:
        """Returns the counter by name."""
        return {"step": self.step}

    def anchored(self, old: Any) -> "FegState":
        """Returns this new state: it starts, and is anchored, at the new params."""
        return self


def feg(learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformationExtraArgs:
    """The fast extragradient method for monotone operators: |G(z_N)|^2 <= 4 L^2 |z_0 - z*|^2 / N^2.

    With b_k = 1 / (k + 1), from k = 0 ::

        zh_k    = z_k + b_k (z_0 - z_k) - (1 - b_k) s G(z_k)             params after an odd number of updates
        z_{k+1} = z_k + b_k (z_0 - z_k) - s G(zh_k)                      params after an even one, base iterate

    Updates alternate between the two lines, so N iterations take 2 N gradients; b_0 = 1, and the first update stays at
    z_0. It keeps two buffers.

    Args:
      learning_rate: s, at least 0; at most 1 / L for the guarantee, if G is Lipschitz with constant L. A number or a
        schedule of the update, evaluated at the first of an iteration.

    Returns:
      A gradient transformation for the values of G at params: gradients of what a player minimises, negative gradients
      of what it maximises. ``update`` needs params. `nag_optax.eval_params` returns the last whole point z_k.

    Raises:
      ValueError: in ``update``, if params are missing.

    References:
      Lee & Kim, https://arxiv.org/abs/2106.02326; with s = 1 / L and no weak monotonicity.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import feg
    >>> tx, params = feg(1.0), {"x": jnp.ones(()), "y": jnp.ones(())}  # min over x, max over y of x y
    >>> state = tx.init(params)
    >>> for _ in range(40):
    ...     updates, state = tx.update({"x": params["y"], "y": -params["x"]}, state, params)
    ...     params = optax.apply_updates(params, updates)
    >>> bool(params["x"] ** 2 + params["y"] ** 2 <= 4 * 2 / 20**2)
    True
    """
    learning_rate = number_or_schedule("learning_rate", learning_rate, at_least=0)

    def init(params: Any) -> FegState:
        dtype = hyperparameter_dtype(params)
        look_ahead(lambda: scalar_at(learning_rate, counter(jnp.zeros((), jnp.int32), dtype)))
        return FegState(jnp.zeros((), jnp.int32), trees.copied(params), BaseIterate(trees.copied(params)))

    @mixing
    def update(updates: Any, state: Any, params: Any = None, **extra: Any):
        if params is None:
            raise ValueError("feg needs params: call update(gradients, state, params).")
        gradient, whole = updates, state.base.params
        params, anchor, z = (trees.beside(gradient, tree) for tree in (params, state.anchor, whole))
        k, half = counter(state.step, hyperparameter_dtype(params)) // 2, state.step % 2
        b = 1 / as_float(k + 1)
        step_size = jnp.where(half, 1, 1 - b) * scalar_at(learning_rate, 2 * k)
        reached = jax.tree.map(lambda x, a, g: (x + b * (a - x) - step_size * g).astype(x.dtype), z, anchor, gradient)
        updates = jax.tree.map(lambda a, p: (a - p).astype(p.dtype), reached, params)
        z = trees.filled(trees.where(half, reached, z), whole)
        return updates, FegState(increment(state.step), state.anchor, BaseIterate(z))

    return optax.GradientTransformationExtraArgs(init, update)
