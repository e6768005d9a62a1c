"""Nesterov's method for smooth, strongly convex functions, with or without a warm-up.

d'Aspremont, Scieur & Taylor, https://arxiv.org/abs/2101.09545, section 4.5, with q = mu / L and A_0 = 0 ::

    A_{k+1} = (2 A_k + 1 + sqrt(4 A_k + 4 q A_k^2 + 1)) / (2 (1 - q)),      a_k = A_{k+1} - A_k
    tau_k   = a_k (1 + q A_k) / (A_{k+1} + 2 q A_k A_{k+1} - q A_k^2),      delta_k = a_k / (1 + q A_{k+1})
    y_k     = (1 - tau_k) x_k + tau_k z_k
    x_{k+1} = y_k - g_k / L
    z_{k+1} = (1 - q delta_k) z_k + q delta_k y_k - (delta_k / L) g_k

Params are y, the base iterate is x. mu = 0 gives FISTA's sequence. The rule carries B = 1 / A, because A overflows. The
coefficients converge to those of Nesterov's constant scheme, Lectures on convex optimization, 2018, (2.2.22): tau =
sqrt(q) / (1 + sqrt(q)), delta = 1 / sqrt(q), whose guarantee needs f(x_0) - f*, not only the distance.
"""

from typing import Any

import jax.numpy as jnp
import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Rule, from_coupling
from nag_optax.engine.restart import Restart
from nag_optax.validation import check_boolean, check_convexity


def strongly_convex_nag(
    smoothness: float,
    strong_convexity: float,
    *,
    stationary: bool = False,
    restart: Restart = None,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Nesterov's method for a known condition number: f(x_N) - f* <= L R^2 / (2 A_N).

    Args:
      smoothness: L, positive.
      strong_convexity: mu, positive and below L; 0 is allowed unless stationary.
      stationary: whether to use the constant scheme, f(x_N) - f* <= (1 - sqrt(q))^N (f(x_0) - f* + mu R^2 / 2). With mu
        = L / 100 and only R known, its exact worst case after 20 gradients is 15 times larger.
      restart, accumulator_dtype: see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp
    >>> from nag_optax import strongly_convex_nag
    >>> tx = strongly_convex_nag(smoothness=1.0, strong_convexity=0.25)
    >>> tx.update(jnp.array([1.0]), tx.init(jnp.array([0.0])))[0]  # the first step is a gradient step
    Array([-1.], dtype=float32)
    """
    check_boolean("stationary", stationary)
    check_convexity(smoothness, strong_convexity, strong_convexity_may_be_zero=not stationary)
    q = strong_convexity / smoothness

    def constant(count, age, carry):
        tau = q**0.5 / (1 + q**0.5)
        return from_coupling(tau, tau, q**0.5, q**-0.5 / smoothness, 1 / smoothness), carry

    def of_inverse(inverse, first):
        """(tau_k, delta_k, 1 / A_{k+1}) of 1 / A_k, which is infinite the first time."""
        ratio = (2 + inverse + jnp.sqrt(4 * inverse + 4 * q + inverse**2)) / (2 * (1 - q))  # A_{k+1} / A_k
        tau = jnp.where(first, 1, (ratio - 1) * (inverse + q) / (ratio * inverse + 2 * q * ratio - q))
        delta = jnp.where(first, 1, (ratio - 1) / (inverse + q * ratio))
        return tau, delta, jnp.where(first, 1 - q, inverse / ratio)

    def numbers(count, age, inverse):
        tau, delta, following = of_inverse(inverse, age == 0)
        tau_next, _, _ = of_inverse(following, False)
        return from_coupling(tau, tau_next, q * delta, delta / smoothness, 1 / smoothness), following

    rule = Rule(tuple, constant) if stationary else Rule(lambda: 1.0, numbers)
    return accelerate(rule, restart=restart, accumulator_dtype=accumulator_dtype)
