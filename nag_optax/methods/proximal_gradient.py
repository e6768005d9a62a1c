"""Proximal gradient: f + g with nothing but a counter for state ::

    x_{k+1} = prox_{s_k g}(x_k - s_k grad f(x_k))                            params and base iterate

With F = f + g and a constant s <= 1 / L, F(x_N) - F* <= |x_0 - x*|^2 / (4 s N). Silver steps (`nag_optax.step_sizes`)
keep their rate with a prox, Bok & Altschuler, https://arxiv.org/abs/2412.05497: after N = 2^k - 1 of them, F(x_N) - F*
<= L |x_0 - x*|^2 / (4 (rho^k - 1)), rho = 1 + sqrt(2), a constant that was found numerically.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax import trees
from nag_optax.prox import Prox
from nag_optax.prox.foreign import check_prox, check_steps
from nag_optax.readings import BaseIterate
from nag_optax.scalars import Scalar, counter, hyperparameter_dtype, increment, mixing, scalar_at
from nag_optax.validation import look_ahead, number_or_schedule


class ProximalGradientState(NamedTuple):
    """State of `proximal_gradient`.

    Attributes:
      step: updates so far, int32; drives a schedule of the step size.
      base: params are the base iterate.
    """

    step: Array
    base: BaseIterate

    def measured(self) -> dict[str, Array]:
        """Returns the counter by name."""
        return {"step": self.step}


def proximal_gradient(
    step_size: optax.ScalarOrSchedule, prox: Prox | Callable[[Any, Scalar], Any]
) -> optax.GradientTransformationExtraArgs:
    """Gradient descent for f + g, without momentum and without a buffer.

    Args:
      step_size: s, at least 0, a number or a schedule such as `nag_optax.step_sizes.silver`.
      prox: an operator of `nag_optax.prox`, or a function ``(params, step_size) -> params``.

    Returns:
      A gradient transformation for the gradients of f at params, which for complex params are the conjugates of those
      of ``jax.grad``, as everywhere in Optax; ``update`` needs params. They are the base iterate, up to one rounding
      that leaves the zeros of the prox as they are.

    Raises:
      TypeError: for a projection instead of a prox: see `nag_optax.prox.from_projection`.
      ValueError: in ``update``, if params are missing.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import prox, proximal_gradient, step_sizes
    >>> tx = proximal_gradient(step_sizes.silver(1.0), prox.l1(0.5))
    >>> params = jnp.array([0.0, 0.0])
    >>> updates, state = tx.update(params - jnp.array([2.0, 0.3]), tx.init(params), params)  # f = |x - (2, .3)|^2 / 2
    >>> optax.apply_updates(params, updates).round(4)  # sqrt(2) times 2 - 0.5
    Array([2.1213, 0.    ], dtype=float32)
    """
    step_size = number_or_schedule("step_size", step_size, at_least=0)
    check_prox("prox", prox)

    def size(step: Array, params: Any) -> Scalar:
        return scalar_at(step_size, counter(step, hyperparameter_dtype(params)))

    def init(params: Any) -> ProximalGradientState:
        look_ahead(lambda: size(jnp.zeros((), jnp.int32), params))
        check_steps("prox", prox, params)
        return ProximalGradientState(jnp.zeros((), jnp.int32), BaseIterate(()))

    @mixing
    def update(updates: Any, state: Any, params: Any = None, **extra: Any):
        if params is None:
            raise ValueError("proximal_gradient needs params: call update(gradients, state, params).")
        gradient, params = updates, trees.beside(updates, params)
        s = size(state.step, params)
        moved = prox(trees.plus(params, -s, gradient), s)
        updates = jax.tree.map(lambda a, p: (a - p).astype(p.dtype), moved, params)
        return updates, ProximalGradientState(increment(state.step), state.base)

    return optax.GradientTransformationExtraArgs(init, update)
