"""AdaNAG: acceleration without a step size, for smooth problems.

It adapts to the curvature that it measures; see `nag_optax.curvature`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax import curvature, trees
from nag_optax.readings import BaseIterate
from nag_optax.scalars import Scalar, as_float, counter, hyperparameter_dtype, increment, mixing


class AdaNagState(NamedTuple):
    """State of `adanag`.

    Attributes:
      step: updates so far, int32.
      momentum: x - z of the coupled sequences, a pytree like params.
      gradient: the last gradient.
      value: the last loss.
      step_size: s_k of the last update.
      lead: the last update moved params by -(lead * momentum + step_size * gradient).
      base: params are the base iterate.
    """

    step: Array
    momentum: Any
    gradient: Any
    value: Array
    step_size: Array
    lead: Array
    base: BaseIterate

    def measured(self) -> dict[str, Array]:
        """Returns the counter and the step size by name."""
        return {"step": self.step, "step_size": self.step_size}

    def anchored(self, old: Any) -> "AdaNagState":
        """Returns this new state: the measured curvature belongs to the old params."""
        return self


def adanag(smoothness: Scalar | None = None) -> optax.GradientTransformationExtraArgs:
    """Parameter-free acceleration for smooth convex functions: f - f* = O(1 / k^2), min |grad f|^2 = O(1 / k^3).

    With tau_k = (k + 14) / 12, alpha_k = ((tau_{k+1} - 1) / tau_k)^2 / 2, B_k = (alpha_k tau_k)^2, and A_k =
    alpha_{k+1} tau_{k+1} (tau_{k+1} - 1), A_{-1} = 0 ::

        y_k     = x_k - s_k g_k
        z_{k+1} = z_k - alpha_k tau_k s_k g_k
        x_{k+1} = (1 - 1 / tau_{k+1}) y_k + z_{k+1} / tau_{k+1}                         params
        L_{k+1} = |g_{k+1} - g_k|^2 / (2 (f_k - f_{k+1} - <g_{k+1}, x_k - x_{k+1}>))
        s_{k+1} = min((A_{k-1} + alpha_k tau_k) / A_k s_k, 1 / (L_{k+1} (A_k / B_k + 2 B_{k+1} / A_k)))

    It keeps two buffers.

    Args:
      smoothness: an estimate of L near the start, positive; by default the first update measures it, and then needs
        ``value_fn=`` for one more gradient.

    Returns:
      A gradient transformation; ``update`` needs params and ``value=``, the loss at params.

    Raises:
      ValueError: in ``update``, if params, the loss or both ``smoothness`` and ``value_fn=`` are missing.

    References:
      Suh & Ma, https://arxiv.org/abs/2505.11670; s_0 as in an independent implementation of it.

    >>> import jax, jax.numpy as jnp
    >>> from nag_optax import adanag
    >>> f = lambda x: 0.5 * jnp.sum(jnp.array([100.0, 1.0]) * x**2)
    >>> tx, params = adanag(), jnp.array([1.0, 1.0])
    >>> updates, state = tx.update(jax.grad(f)(params), tx.init(params), params, value=f(params), value_fn=f)
    >>> (0.0262 / state.step_size).round()  # the curvature along the gradient
    Array(100., dtype=float32)
    """
    curvature.check_smoothness(smoothness)

    def tau(k):
        return (k + 14) / 12

    def alpha(k):
        return ((tau(k + 1) - 1) / tau(k)) ** 2 / 2

    def a(k):
        return jnp.where(k < 0, 0, alpha(k + 1) * tau(k + 1) * (tau(k + 1) - 1))

    def b(k):
        return (alpha(k) * tau(k)) ** 2

    def init(params: Any) -> AdaNagState:
        value, step_size, lead = (jnp.zeros((), hyperparameter_dtype(params)) for _ in range(3))
        momentum, gradient = (jax.tree.map(jnp.zeros_like, params) for _ in range(2))
        return AdaNagState(jnp.zeros((), jnp.int32), momentum, gradient, value, step_size, lead, BaseIterate(()))

    @mixing
    def update(updates: Any, state: Any, params: Any = None, *, value: Any = None, value_fn: Any = None, **extra: Any):
        gradient, dtype = updates, state.value.dtype
        value = curvature.loss_at(params, value, "adanag", dtype)
        params, whole = trees.beside(gradient, params), (state.momentum, state.gradient)
        state = trees.fields_beside(gradient, state, "momentum", "gradient")
        k = as_float(counter(state.step, dtype))

        def first():
            estimate = curvature.at_the_start(smoothness, value_fn, params, value, gradient, "adanag")
            ratio = 27 / (2 * 15 * (2 * 144 + 8 * 12 + 17))
            return jnp.asarray(a(0.0) * ratio / (alpha(0.0) * tau(0.0) * alpha(1.0) * estimate), dtype)

        def later():
            change = trees.minus(gradient, state.gradient)
            back = state.lead, state.step_size  # x_k - x_{k+1} = lead * momentum + step_size * gradient
            slope = back[0] * trees.inner(gradient, state.momentum) + back[1] * trees.inner(gradient, state.gradient)
            turn = -back[0] * trees.inner(change, state.momentum) - back[1] * trees.inner(change, state.gradient)
            seen = curvature.between(state.value, value, slope, turn, trees.squared_norm(change))
            growth = (a(k - 2) + alpha(k - 1) * tau(k - 1)) / a(k - 1)
            limit = seen * (a(k - 1) / b(k - 1) + 2 * b(k) / a(k - 1))
            longest = growth * state.step_size
            bounded = jnp.minimum(longest, 1 / jnp.where(limit > 0, limit, 1))
            return jnp.asarray(jnp.where(limit > 0, bounded, longest), dtype)

        s = jax.lax.cond(state.step == 0, first, later)
        lead = jnp.asarray(1 / tau(k + 1), dtype)
        decay = jnp.where(state.step == 0, 0, 1 - 1 / tau(k))
        momentum = jax.tree.map(
            lambda m, g: (decay * m + (alpha(k) * tau(k) * s - s) * g).astype(m.dtype), state.momentum, gradient
        )
        updates = jax.tree.map(lambda m, g, p: (-lead * m - s * g).astype(p.dtype), momentum, gradient, params)
        gradient = optax.tree.cast_like(gradient, state.gradient)
        momentum, gradient = map(trees.filled, (momentum, gradient), whole)
        return updates, AdaNagState(increment(state.step), momentum, gradient, value, s, lead, state.base)

    return optax.GradientTransformationExtraArgs(init, update)
