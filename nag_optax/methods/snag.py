"""SNAG: Nesterov's method under the strong growth condition.

Vaswani, Bach & Schmidt, https://arxiv.org/abs/1810.07288, eq. (3)-(5), for gradients with E|g|^2 <= rho |grad f|^2 ::

    y_k     = alpha_k z_k + (1 - alpha_k) x_k                           params
    x_{k+1} = y_k - g_k / (rho L)                                       base iterate
    z_{k+1} = beta_k z_k + (1 - beta_k) y_k - gamma_k g_k / (rho L)

With mu > 0, as coupled sequences with s = sqrt(mu / L) / rho: tau = s / (1 + s), mixing s, long step 1 / (rho sqrt(mu
L)). With mu = 0: tau = 1 / t_k and long step t_k / (rho^2 L), t_k FISTA's. rho = 1 is Nesterov's method.
"""

from typing import Any

import jax.numpy as jnp
import optax

from nag_optax import trees
from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Rule, from_coupling
from nag_optax.engine.restart import Restart
from nag_optax.scalars import is_number
from nag_optax.validation import check_convexity, check_number


def snag(
    smoothness: float,
    strong_convexity: float = 0.0,
    growth: float = 1.0,
    *,
    restart: Restart = None,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Stochastic Nesterov acceleration for interpolating models.

    E f(x_N) - f* is at most 2 rho^2 L R^2 / N^2, and with mu > 0 at most
    (1 - sqrt(mu / L) / rho)^N (f(x_0) - f* + mu R^2 / 2) (Theorems 1 and 2).

    Args:
      smoothness: L, positive.
      strong_convexity: mu, at least 0 and below L; 0 selects the convex scheme. With an array, as from
        ``optax.inject_hyperparams``, the scheme is selected in every update.
      growth: rho, at least 1.
      restart, accumulator_dtype: see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp
    >>> from nag_optax import snag
    >>> tx = snag(smoothness=1.0, growth=2.0)
    >>> tx.update(jnp.array([1.0]), tx.init(jnp.array([0.0])))[0].round(4)  # less than half a gradient step
    Array([-0.3455], dtype=float32)
    """
    check_convexity(smoothness, strong_convexity, strong_convexity_may_be_zero=True)
    check_number("growth", growth, at_least=1)
    short = 1 / (growth * smoothness)
    known = is_number(strong_convexity)
    root = (strong_convexity / smoothness) ** 0.5 / growth

    def strongly_convex(count, age, carry):
        tau = root / (1 + root)
        finite = root if known else jnp.where(root > 0, root, 1)
        return from_coupling(tau, tau, root, short / (finite * growth), short), carry

    def convex(count, age, t):
        t_next = (1 + jnp.sqrt(1 + 4 * t**2)) / 2
        return from_coupling(1 / t, 1 / t_next, 0, short * t / growth, short), t_next

    def either(count, age, t):
        (flat, t), (curved, _) = convex(count, age, t), strongly_convex(count, age, t)
        return trees.where(strong_convexity > 0, curved, flat), t

    if not known:
        rule = Rule(lambda: 1.0, either)
    else:
        rule = Rule(tuple, strongly_convex) if strong_convexity else Rule(lambda: 1.0, convex)
    return accelerate(rule, restart=restart, accumulator_dtype=accumulator_dtype)
