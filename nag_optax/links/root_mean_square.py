"""Division by a running root mean square: what makes Adam, NAdam and Adan adaptive.

The direction d_k is divided element by element, with n a running mean of squares and h_k the extrapolated gradient ::

    h_k     = g_k + lookahead (g_k - g_{k-1})                   g_{-1} = g_0
    n_{k+1} = decay n_k + (1 - decay) |h_k|^2
    update  = d_k / (sqrt(n_{k+1} / w_{k+1}) + eps)

The weight w_{k+1} = decay w_k + (1 - decay) is the usual bias correction 1 - decay^{k+1}, computed by the recursion of
n: so the first quotient is |h_0|^2 to the last digit, while a power of 0.999 in float32 has only four correct digits.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.anchoring import take_over
from nag_optax.scalars import Scalar, hyperparameter_dtype, increment, mixing
from nag_optax.trees import beside, fields_beside, filled, widened


class RootMeanSquareState(NamedTuple):
    """State of a direction over a root mean square.

    Attributes:
      step: updates so far, int32.
      direction: state of the direction.
      mean_square: n, a pytree like params, real, in float32 or better.
      weight: w, a scalar.
      previous: g_{k-1}, a pytree like params; ``()`` without lookahead.
    """

    step: Array
    direction: Any
    mean_square: Any
    weight: Array
    previous: Any

    def anchored(self, old: "RootMeanSquareState") -> "RootMeanSquareState":
        """Returns this new state with the old one's means and counters."""
        return RootMeanSquareState(*map(take_over, self, old))


def over_root_mean_square(
    direction: optax.GradientTransformationExtraArgs, decay: Scalar, eps: Scalar, lookahead: Scalar = 0.0
) -> optax.GradientTransformationExtraArgs:
    """Divides a direction by the running root mean square of the gradients.

    Args:
      direction: a transformation of the gradients, which sees them in float32 or better.
      decay: of the mean of squares, in [0, 1).
      eps: added to the root, positive.
      lookahead: how far the gradient is extrapolated before it is squared; above 0 this keeps the last gradient.
    """
    looks_ahead = not (isinstance(lookahead, int | float) and lookahead == 0)

    @mixing
    def init(params: Any) -> RootMeanSquareState:
        return RootMeanSquareState(
            step=jnp.zeros((), jnp.int32),
            direction=direction.init(params),
            mean_square=jax.tree.map(lambda p: jnp.zeros_like(p, dtype=_real(p)), params),
            weight=jnp.zeros((), hyperparameter_dtype(params)),
            previous=jax.tree.map(jnp.zeros_like, params) if looks_ahead else (),
        )

    @mixing
    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, RootMeanSquareState]:
        like = updates if params is None else beside(updates, params)
        whole = state.mean_square, state.previous
        state = fields_beside(updates, state, "mean_square", "previous")
        gradients = jax.tree.map(widened, updates)
        moves, direction_state = direction.update(gradients, state.direction)

        ahead, previous = gradients, ()
        if looks_ahead:
            first = state.step == 0
            last = jax.tree.map(lambda g, old: jnp.where(first, g, old), gradients, state.previous)
            ahead = jax.tree.map(lambda g, old: g + lookahead * (g - old), gradients, last)
            previous = optax.tree.cast_like(gradients, state.previous)

        weight = jnp.asarray(decay * state.weight + (1 - decay), state.weight.dtype)
        mean_square = jax.tree.map(
            lambda n, h: (decay * n + (1 - decay) * jnp.abs(h) ** 2).astype(n.dtype), state.mean_square, ahead
        )
        updates = jax.tree.map(
            lambda u, n, p: (u / (jnp.sqrt(n / weight) + eps)).astype(jnp.result_type(p)), moves, mean_square, like
        )
        mean_square, previous = map(filled, (mean_square, previous), whole)
        return updates, RootMeanSquareState(increment(state.step), direction_state, mean_square, weight, previous)

    return optax.GradientTransformationExtraArgs(init, update)


def _real(param: Array) -> Any:
    return jnp.finfo(jnp.result_type(param, jnp.float32)).dtype
