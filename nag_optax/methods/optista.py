"""OptISTA: half the worst case of FISTA for f + g, at the same cost, where the number of steps is known.

Jang, Das Gupta & Ryu, https://arxiv.org/abs/2305.15704, with L the smoothness of f and N the horizon ::

    y_{i+1} = prox_{(gamma_i / L) g}(y_i - (gamma_i / L) grad f(x_i))               base iterate
    z_{i+1} = x_i + (y_{i+1} - y_i) / gamma_i
    x_{i+1} = z_{i+1} + beta (z_{i+1} - z_i) + (theta_i / theta_{i+1}) (z_{i+1} - x_i)      params
    beta = (theta_i - 1) / theta_{i+1},   gamma_i = 2 theta_i (theta_N^2 - 2 theta_i^2 + theta_i) / theta_N^2

with the thetas of OGM, whose last one is longer: theta_0 = 1, theta_{i+1} = (1 + sqrt(1 + 4 theta_i^2)) / 2, theta_N =
(1 + sqrt(1 + 8 theta_{N-1}^2)) / 2. Without g it is OGM: x_i are its params, z_i its base iterates, y_N its last step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.core import Tracer

from nag_optax import trees
from nag_optax.prox import Prox
from nag_optax.prox.foreign import check_prox, check_steps
from nag_optax.readings import BaseIterate
from nag_optax.scalars import Scalar, hyperparameter_dtype, increment, mixing
from nag_optax.validation import check_integer, check_number


class OptistaState(NamedTuple):
    """State of `optista`.

    Attributes:
      step: updates so far, int32; where the method is on its way to the horizon.
      z: z_i, a pytree like params.
      base: y_i.
    """

    step: Array
    z: Any
    base: BaseIterate

    def measured(self) -> dict[str, Array]:
        """Returns the counter by name."""
        return {"step": self.step}

    def anchored(self, old: Any) -> "OptistaState":
        """Returns this new state: the whole way to the horizon begins at the new params."""
        return self


def optista(
    smoothness: Scalar, horizon: int, prox: Prox | Callable[[Any, Scalar], Any]
) -> optax.GradientTransformationExtraArgs:
    """The optimal proximal gradient method for f + g: F(y_N) - F* <= L |x_0 - x*|^2 / (2 (theta_N^2 - 1)), F = f + g.

    This is exact, half of what FISTA guarantees, and the smallest worst case there is. It keeps two buffers.

    Args:
      smoothness: L of f, positive.
      horizon: N, the number of updates, at least 1; the last one moves params to y_N, which is x_N. Further updates are
        plain proximal gradient steps of 1 / L; outside ``jax.jit``, they raise an error.
      prox: an operator of `nag_optax.prox`, or a function ``(params, step_size) -> params``.

    Returns:
      A gradient transformation for the gradients of f at params, which for complex params are the conjugates of those
      of ``jax.grad``, as everywhere in Optax; ``update`` needs params. `nag_optax.eval_params` returns y, exactly as
      the prox returned it.

    Raises:
      TypeError: for a projection instead of a prox: see `nag_optax.prox.from_projection`.
      ValueError: in ``update``, if params are missing; in an eager one, after ``horizon`` updates.

    >>> import jax.numpy as jnp, optax, nag_optax
    >>> from nag_optax import optista
    >>> tx = optista(1.0, horizon=1, prox=nag_optax.prox.l1(1 / 3))
    >>> params = jnp.array([1.0])
    >>> updates, state = tx.update(jnp.zeros(1), tx.init(params), params)  # f = 0
    >>> nag_optax.eval_params(state, optax.apply_updates(params, updates))  # F = 1/6, the worst case
    Array([0.5], dtype=float32)
    """
    check_number("smoothness", smoothness, above=0)
    check_integer("horizon", horizon, at_least=1)
    check_prox("prox", prox)
    table = _table(horizon)

    def init(params: Any) -> OptistaState:
        check_steps("prox", prox, params)
        hyperparameter_dtype(params)  # an error for what cannot be trained
        z, y = (trees.copied(params) for _ in range(2))
        return OptistaState(jnp.zeros((), jnp.int32), z, BaseIterate(y))

    @mixing
    def update(updates: Any, state: Any, params: Any = None, **extra: Any):
        if params is None:
            raise ValueError("optista needs params: call update(gradients, state, params).")
        step = state.step
        if not isinstance(step, Tracer) and int(step) >= horizon:
            raise ValueError(f"horizon must be at least the number of updates, got {horizon} and update {step + 1}.")
        gradient = updates
        params, y, z = (trees.beside(gradient, part) for part in (params, state.base.params, state.z))
        # Where the way begins, y and z are where params are, also if somebody has put them elsewhere.
        y, z = (trees.where(step == 0, params, point) for point in (y, z))
        gamma, beta, correction = jnp.asarray(table, hyperparameter_dtype(params))[jnp.minimum(step, horizon)]
        s = gamma / smoothness
        y_next = prox(trees.plus(y, -s, gradient), s)
        move = trees.minus(y_next, y)
        z_next = trees.plus(params, 1 / gamma, move)
        ahead = trees.plus(trees.plus(z_next, beta, trees.minus(z_next, z)), correction / gamma, move)
        ahead = trees.where(step < horizon - 1, ahead, y_next)

        updates = jax.tree.map(lambda a, p: (a - p).astype(p.dtype), ahead, params)
        base = BaseIterate(trees.filled(y_next, state.base.params))
        return updates, OptistaState(increment(step), trees.filled(z_next, state.z), base)

    return optax.GradientTransformationExtraArgs(init, update)


def _table(horizon: int) -> np.ndarray:
    """(gamma_i, beta, theta_i / theta_{i+1}) of every update, in float64, and behind them the plain step."""
    thetas = [1.0]
    for k in range(1, horizon + 1):
        thetas.append((1 + np.sqrt(1 + (8 if k == horizon else 4) * thetas[-1] ** 2)) / 2)
    theta, following, square = np.array(thetas[:-1]), np.array(thetas[1:]), thetas[-1] ** 2
    gamma = 2 * theta * (square - 2 * theta**2 + theta) / square
    rows = np.stack([gamma, (theta - 1) / following, theta / following], axis=1)
    return np.concatenate([rows, [[1.0, 0.0, 0.0]]])
