"""AC-FGM: acceleration without a step size, for f + g.

It adapts to the curvature that it measures; see `nag_optax.curvature`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax import curvature, trees
from nag_optax.prox import Prox, none
from nag_optax.prox.foreign import check_prox, check_steps
from nag_optax.readings import BaseIterate
from nag_optax.scalars import Scalar, hyperparameter_dtype, increment, mixing
from nag_optax.validation import check_number


class AcFgmState(NamedTuple):
    """State of `ac_fgm`.

    Attributes:
      step: updates so far, int32.
      average: y, a pytree like params.
      previous: the last params.
      gradient: the last gradient.
      value: the last loss.
      step_size: eta of the last update.
      tau: tau of the last update, and of the one before it.
      base: params are the base iterate.
    """

    step: Array
    average: Any
    previous: Any
    gradient: Any
    value: Array
    step_size: Array
    tau: tuple[Array, Array]
    base: BaseIterate

    def measured(self) -> dict[str, Array]:
        """Returns the counter and the step size by name."""
        return {"step": self.step, "step_size": self.step_size}

    def anchored(self, old: Any) -> "AcFgmState":
        """Returns this new state: the measured curvature belongs to the old params."""
        return self


def ac_fgm(
    prox: Prox | Callable[[Any, Scalar], Any] | None = None,
    smoothness: Scalar | None = None,
    *,
    beta: Scalar = 1 - 6**0.5 / 3,
    alpha: Scalar = 0.1,
) -> optax.GradientTransformationExtraArgs:
    """AC-FGM, the auto-conditioned fast gradient method: parameter-free acceleration for f + g.

    Counting from t = 1 at params x_0, with y_0 = x_0, tau_0 = 0, tau_1 = 1 ::

        eta_1   = 1 / (2.5 L_0),   x_1 = prox_{eta_1 g}(x_0 - eta_1 grad f(x_0)),   y_1 = y_0
        eta_t   = min(4/3 eta_{t-1}, (tau_{t-2} + 1) / tau_{t-1} eta_{t-1}, tau_{t-1} / (4 L_{t-1}))
        tau_t   = tau_{t-1} + 2 (1 - alpha) eta_t L_{t-1} / tau_{t-1} + alpha / 2
        z_t     = prox_{eta_t g}(y_{t-1} - eta_t grad f(x_{t-1}))
        y_t     = (1 - beta) y_{t-1} + beta z_t
        x_t     = (z_t + tau_t x_{t-1}) / (1 + tau_t)                                   params
        L_t     = |g_t - g_{t-1}|^2 / (2 (f_{t-1} - f_t - <g_t, x_{t-1} - x_t>))

    and eta_2 <= (1 - beta) eta_1, L_1 = L_0. It keeps three buffers.

    Args:
      prox: of g; None for smooth problems.
      smoothness: L_0, an upper bound on the curvature near the start, positive; by default the first update finds it,
        and then needs ``value_fn=`` for a few more gradients.
      beta: averaging, in (0, 1).
      alpha: how fast tau grows without curvature, in [0, 1].

    Returns:
      A gradient transformation; ``update`` needs params and ``value=``, f at params. For complex params,
      gradients are the conjugates of those of ``jax.grad``, as everywhere in Optax.

    Raises:
      ValueError: in ``update``, if params, the loss or both ``smoothness`` and ``value_fn=`` are missing.

    References:
      Li & Lan, https://arxiv.org/abs/2310.10082; indices and constants as in the authors' code.

    >>> import jax.numpy as jnp
    >>> from nag_optax import ac_fgm
    >>> tx, params = ac_fgm(smoothness=1.0), jnp.array([1.0])
    >>> updates, _ = tx.update(params, tx.init(params), params, value=0.5)
    >>> round(float(updates[0]), 4)  # the first step, 1 / 2.5
    -0.4
    """
    curvature.check_smoothness(smoothness)
    check_number("beta", beta, above=0, below=1)
    check_number("alpha", alpha, at_least=0, at_most=1)
    prox = none() if prox is None else prox
    check_prox("prox", prox)

    def init(params: Any) -> AcFgmState:
        check_steps("prox", prox, params)
        dtype = hyperparameter_dtype(params)
        value, step_size, tau_before = (jnp.zeros((), dtype) for _ in range(3))
        taus = (jnp.ones((), dtype), tau_before)
        average, previous = (trees.copied(params) for _ in range(2))
        gradient = jax.tree.map(jnp.zeros_like, params)
        step = jnp.zeros((), jnp.int32)
        return AcFgmState(step, average, previous, gradient, value, step_size, taus, BaseIterate(()))

    @mixing
    def update(updates: Any, state: Any, params: Any = None, *, value: Any = None, value_fn: Any = None, **extra: Any):
        gradient, dtype = updates, state.value.dtype
        value = curvature.loss_at(params, value, "ac_fgm", dtype)
        params, whole = trees.beside(gradient, params), (state.average, state.previous, state.gradient)
        state = trees.fields_beside(gradient, state, "average", "previous", "gradient")
        first, second = state.step == 0, state.step == 1

        def estimate():
            return jnp.asarray(_upper_smoothness(smoothness, value_fn, params, value, gradient, prox), dtype)

        def seen():
            change, moved = trees.minus(gradient, state.gradient), trees.minus(params, state.previous)
            return jnp.asarray(
                curvature.between(
                    state.value,
                    value,
                    -trees.inner(gradient, moved),
                    trees.inner(change, moved),
                    trees.squared_norm(change),
                ),
                dtype,
            )

        def recalled():
            return 1 / (2.5 * state.step_size) + trees.zeros(value, dtype)  # of a type with the others in shard_map

        L = jax.lax.switch(jnp.minimum(state.step, 2), (estimate, recalled, seen))
        tau, tau_before = state.tau
        eta = state.step_size * jnp.where(second, 1 - beta, 1)
        limited = jnp.minimum(jnp.minimum(4 / 3, (tau_before + 1) / tau) * eta, tau / (4 * jnp.where(L > 0, L, 1)))
        eta = jnp.where(first, 1 / (2.5 * L), jnp.where(L > 0, limited, eta))
        tau_next = jnp.where(first, tau, tau + 2 * (1 - alpha) * eta * L / tau + alpha / 2)

        z = prox(trees.plus(state.average, -eta, gradient), eta)
        average = trees.plus(state.average, jnp.where(first, 0, beta), trees.minus(z, state.average))
        share = 1 / (1 + jnp.where(first, 0, tau_next))
        updates = jax.tree.map(lambda a, p: (share * (a - p)).astype(p.dtype), z, params)
        gradient = optax.tree.cast_like(gradient, state.gradient)
        taus = (jnp.asarray(tau_next, dtype), jnp.where(first, tau_before, tau))
        eta = jnp.asarray(eta, dtype)
        average, params, gradient = map(trees.filled, (average, params, gradient), whole)
        return updates, AcFgmState(increment(state.step), average, params, gradient, value, eta, taus, state.base)

    return optax.GradientTransformationExtraArgs(init, update)


def _upper_smoothness(smoothness: Any, value_fn: Any, params: Any, value: Array, gradient: Any, prox: Any) -> Any:
    """L with |g_1 - g_0| <= L |x_1 - x_0| in the first step: a quarter of the curvature, times 1.5 until it holds."""
    start = curvature.at_the_start(smoothness, value_fn, params, value, gradient, "ac_fgm")
    if smoothness is not None:
        return start

    def too_small(L):
        eta = 1 / (2.5 * L)
        moved = prox(trees.plus(params, -eta, gradient), eta)
        change = trees.norm(trees.minus(curvature.ascent(value_fn)(moved), gradient))
        return ~(change <= L * trees.norm(trees.minus(moved, params)))

    trials = 200
    L, _ = jax.lax.while_loop(
        lambda carry: too_small(carry[0]) & (carry[1] < trials),
        lambda carry: (1.5 * carry[0], carry[1] + 1),
        (start / 4, 0),
    )
    return L
