"""Accelerated GRAAL: acceleration without a step size, whose steps may grow geometrically.

It adapts to the curvature that it measures; see `nag_optax.curvature`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax import curvature, trees
from nag_optax.readings import BaseIterate
from nag_optax.scalars import Scalar, hyperparameter_dtype, increment, mixing
from nag_optax.validation import check_number


class GraalState(NamedTuple):
    """State of `graal`.

    Attributes:
      step: updates so far, int32.
      x: the sequence that gradients move, a pytree like params.
      gradient: that of the loss at the base iterate.
      value: the loss at the base iterate.
      curvature: between the base iterate and the last params.
      step_size: eta of the last update.
      sums: H / eta of the last update, and of the one before it.
      base: xb, the base iterate.
    """

    step: Array
    x: Any
    gradient: Any
    value: Array
    curvature: Array
    step_size: Array
    sums: tuple[Array, Array]
    base: BaseIterate

    def measured(self) -> dict[str, Array]:
        """Returns the counter and the step size by name."""
        return {"step": self.step, "step_size": self.step_size}

    def anchored(self, old: Any) -> "GraalState":
        """Returns this new state: the measured curvature belongs to the old params."""
        return self


def graal(
    smoothness: Scalar | None = None, *, theta: Scalar = 1.0, gamma: Scalar = 0.4
) -> optax.GradientTransformationExtraArgs:
    """Accelerated GRAAL: parameter-free acceleration for smooth convex functions, f - f* = O(1 / k^2).

    With 4 nu theta (1 + gamma)^2 = gamma, from x_0 = xb_0 = xt_0, H_{-1} = H_0 = eta_{-1} = eta_0 and beta_0 = 1 ::

        alpha_{k+1} = (1 + gamma) eta_k / (H_k + (1 + gamma) eta_k)
        x_{k+1}     = x_k - eta_k grad f(xt_k)
        xb_{k+1}    = beta_k xt_k + (1 - beta_k) xb_k                                   base iterate
        xt_{k+1}    = alpha_{k+1} (x_{k+1} + theta (x_{k+1} - x_k)) + (1 - alpha_{k+1}) xb_{k+1}    params
        L_{k+1}     = the larger curvature between xb_{k+1} and xt_k, and between xb_{k+1} and xt_{k+1}
        eta_{k+1}   = min((1 + gamma) eta_k, nu H_{k-1} / (eta_{k-1} L_{k+1}))
        H_{k+1}     = H_k + eta_{k+1},   beta_{k+1} = eta_{k+1} / (alpha_{k+1} H_{k+1})

    where the curvature between a and b is |grad f(a) - grad f(b)|^2 / (2 (f(a) - f(b) - <grad f(b), a - b>)). Step
    sizes may grow by 1 + gamma in every update, so that a first step that is far too short costs logarithmically many
    updates, and a curvature that falls along the way is followed. An update takes a second gradient, at the base
    iterate. It keeps three buffers.

    Args:
      smoothness: an estimate of L near the start, positive; eta_0 = nu / smoothness. By default the first update
        measures it, with one more gradient.
      theta: how far x is extrapolated, positive.
      gamma: how fast step sizes may grow, positive. The default pair was the best of 63, by little, on fifty smooth
        problems of `benchmarks.smooth_problems`.

    Returns:
      A gradient transformation; ``update`` needs params, ``value=``, the loss at params, and ``value_fn=``, the loss as
      a function of params.

    Raises:
      ValueError: in ``update``, if params, the loss or ``value_fn=`` are missing.

    References:
      Borodich & Kovalev, https://arxiv.org/abs/2507.09823. Where step sizes grow as fast as they may, xb is xt, and
      near a solution differences of values cancel: rounding is kept out of the curvature in both cases.

    >>> import jax, jax.numpy as jnp
    >>> from nag_optax import graal
    >>> f = lambda x: 0.5 * jnp.sum(jnp.array([100.0, 1.0]) * x**2)
    >>> tx, params = graal(smoothness=1e12), jnp.array([1.0, 1.0])
    >>> state = tx.init(params)
    >>> for _ in range(100):
    ...     updates, state = tx.update(jax.grad(f)(params), state, params, value=f(params), value_fn=f)
    ...     params += updates
    >>> bool(state.step_size > 1e-3)  # of steps that began at 1e-13
    True
    """
    curvature.check_smoothness(smoothness)
    check_number("theta", theta, above=0)
    check_number("gamma", gamma, above=0)
    growth = 1 + gamma
    nu = gamma / (4 * theta * growth**2)

    def init(params: Any) -> GraalState:
        dtype = hyperparameter_dtype(params)
        value, seen, step_size = (jnp.zeros((), dtype) for _ in range(3))
        sums = jnp.ones((), dtype), jnp.ones((), dtype)
        x, base = (trees.copied(params) for _ in range(2))
        gradient, step = jax.tree.map(jnp.zeros_like, params), jnp.zeros((), jnp.int32)
        return GraalState(step, x, gradient, value, seen, step_size, sums, BaseIterate(base))

    @mixing
    def update(updates: Any, state: Any, params: Any = None, *, value: Any = None, value_fn: Any = None, **extra: Any):
        gradient, dtype = updates, state.value.dtype
        value = curvature.loss_at(params, value, "graal", dtype)
        if value_fn is None:
            raise ValueError("graal needs the loss as a function: call update(..., value=loss(params), value_fn=loss).")
        everything, whole = params, (state.x, state.gradient, state.base.params)
        params, base = (trees.beside(gradient, tree) for tree in (params, state.base.params))
        state = trees.fields_beside(gradient, state, "x", "gradient")

        def loss(part):
            return value_fn(trees.filled(part, everything))

        def to_params(base, value_there, gradient_there):
            change, apart = trees.minus(gradient_there, gradient), trees.minus(base, params)
            slope, turn = trees.inner(gradient, apart), trees.inner(change, apart)
            seen = curvature.between(value_there, value, slope, turn, trees.squared_norm(change))
            return jnp.asarray(seen, dtype)

        def first():
            return jnp.asarray(nu / curvature.at_the_start(smoothness, loss, params, value, gradient, "graal"), dtype)

        begins, (last, before) = state.step == 0, state.sums
        seen = jnp.maximum(state.curvature, to_params(base, state.value, state.gradient))
        longest = jnp.where(begins | (state.step_size < jnp.finfo(dtype).max ** 0.5), growth, 1)
        limit = nu * before / jnp.where(seen > 0, seen * state.step_size, 1)
        ratio = jnp.where(~begins & (seen > 0), jnp.minimum(longest, limit), longest)  # eta_k / eta_{k-1}
        eta = jax.lax.cond(begins, first, lambda: jnp.asarray(ratio * state.step_size, dtype))
        sums = jnp.where(begins, 1, 1 + last / ratio)
        kept = jnp.where(begins, 0, last * (growth / ratio - 1) / (growth * sums))  # 1 - beta, exactly 0 in growth
        alpha = growth / (sums + growth)

        base_next = trees.plus(params, kept, trees.minus(base, params))
        ahead = trees.plus(state.x, -(1 + theta) * eta, gradient)
        updates = jax.tree.map(
            lambda a, b, p: (alpha * a + (1 - alpha) * b - p).astype(p.dtype), ahead, base_next, params
        )
        x = trees.plus(state.x, -eta, gradient)
        value_there, gradient_there = curvature.value_and_ascent(loss)(base_next)
        seen = to_params(base_next, jnp.asarray(value_there, dtype), gradient_there)
        gradient_there = optax.tree.cast_like(gradient_there, state.gradient)
        x, gradient_there, base_next = map(trees.filled, (x, gradient_there, base_next), whole)
        return updates, GraalState(
            increment(state.step),
            x,
            gradient_there,
            jnp.asarray(value_there, dtype),
            seen,
            eta,
            (jnp.asarray(sums, dtype), last),
            BaseIterate(base_next),
        )

    return optax.GradientTransformationExtraArgs(init, update)
