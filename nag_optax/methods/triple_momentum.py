"""TMM, the triple momentum method: the fastest known rate for smooth, strongly convex functions.

Van Scoy, Freeman & Lynch, IEEE Control Systems Letters 2(1), 2018; with q = mu / L, in coupled sequences ::

    y_k     = (1 - tau) x_k + tau z_k                               tau = 2 sqrt(q) / (1 + sqrt(q))
    x_{k+1} = y_k - g_k / L
    z_{k+1} = (1 - sqrt(q)) z_k + sqrt(q) y_k - g_k / sqrt(mu L)

Params are y, the base iterate is x. The paper's output is z: in the worst case its loss is exactly L kappa (1 -
sqrt(q))^{2N} R^2 / 2 above f*, kappa (1 + sqrt(q))^2 / 4 times that of y. Evaluate at y or x.
"""

from typing import Any

import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Rule, from_coupling
from nag_optax.engine.restart import Restart
from nag_optax.validation import check_convexity


def triple_momentum(
    smoothness: float, strong_convexity: float, *, restart: Restart = None, accumulator_dtype: Any = None
) -> optax.GradientTransformationExtraArgs:
    """The triple momentum method: |z_N - x*|^2 <= kappa (1 - sqrt(mu / L))^{2N} |x_0 - x*|^2, exact.

    For few steps, prefer `nag_optax.item`, whose first steps are better.

    Args:
      smoothness: L, positive.
      strong_convexity: mu, positive and below L.
      restart, accumulator_dtype: see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import eval_params, triple_momentum
    >>> params = jnp.array([1.0])
    >>> tx = triple_momentum(smoothness=1.0, strong_convexity=0.25)
    >>> updates, state = tx.update(params, tx.init(params), params)  # one gradient of x^2 / 2
    >>> eval_params(state, optax.apply_updates(params, updates), output="z").round(4)  # z^2 = 4 (1/2)^2, attained
    Array([-1.], dtype=float32)
    """
    check_convexity(smoothness, strong_convexity)
    root = (strong_convexity / smoothness) ** 0.5
    tau, long_step = 2 * root / (1 + root), 1 / (smoothness * root)

    def numbers(count, age, carry):
        return from_coupling(tau, tau, root, long_step, 1 / smoothness), carry

    return accelerate(Rule(tuple, numbers), restart=restart, accumulator_dtype=accumulator_dtype)
