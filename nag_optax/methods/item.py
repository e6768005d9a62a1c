"""ITEM, the information-theoretic exact method: optimal, including the constant, for smooth, strongly convex functions.

Taylor & Drori, https://arxiv.org/abs/2101.09741, with q = mu / L and A_0 = 0 ::

    A_{k+1} = ((1 + q) A_k + 2 (1 + sqrt((1 + A_k) (1 + q A_k)))) / (1 - q)^2
    beta_k  = A_k / ((1 - q) A_{k+1}),   delta_k = (1 + sqrt((1 + A_k) (1 + q A_k))) / (1 + q + q A_k)
    y_k     = beta_k x_k + (1 - beta_k) z_k
    x_{k+1} = y_k - g_k / L
    z_{k+1} = (1 - q delta_k) z_k + q delta_k y_k - (delta_k / L) g_k

Params are y, the base iterate is x, the paper's output is z. A grows geometrically and would overflow float32, so the
rule carries B = 1 / A. mu = 0 gives OGM, and as k grows the coefficients converge to those of the triple momentum
method.
"""

from typing import Any

import jax.numpy as jnp
import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Rule, from_coupling
from nag_optax.engine.restart import Restart
from nag_optax.validation import check_convexity


def item(
    smoothness: float, strong_convexity: float, *, restart: Restart = None, accumulator_dtype: Any = None
) -> optax.GradientTransformationExtraArgs:
    """The information-theoretic exact method: |z_N - x*|^2 <= |x_0 - x*|^2 / (1 + q A_N), which no method improves.

    Args:
      smoothness: L, positive.
      strong_convexity: mu, at least 0 and below L.
      restart, accumulator_dtype: see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import eval_params, item
    >>> params = jnp.array([1.0])
    >>> tx = item(smoothness=1.0, strong_convexity=0.5)
    >>> updates, state = tx.update(params, tx.init(params), params)  # one gradient of x^2 / 2
    >>> eval_params(state, optax.apply_updates(params, updates), output="z").round(4)  # z^2 = 1 / 9
    Array([-0.3333], dtype=float32)
    """
    check_convexity(smoothness, strong_convexity, strong_convexity_may_be_zero=True)
    q = strong_convexity / smoothness

    def of_inverse(inverse, first):
        """(beta_k, delta_k, 1 / A_{k+1}) of 1 / A_k, which is infinite the first time."""
        root = jnp.sqrt((inverse + 1) * (inverse + q))
        ratio = ((1 + q) + 2 * (inverse + root)) / (1 - q) ** 2  # A_{k+1} / A_k
        beta = jnp.where(first, 0, 1 / (ratio * (1 - q)))
        delta = jnp.where(first, 2 / (1 + q), (inverse + root) / ((1 + q) * inverse + q))
        return beta, delta, jnp.where(first, (1 - q) ** 2 / 4, inverse / ratio)

    def numbers(count, age, inverse):
        beta, delta, following = of_inverse(inverse, age == 0)
        beta_next, _, _ = of_inverse(following, False)
        c = from_coupling(1 - beta, 1 - beta_next, q * delta, delta / smoothness, 1 / smoothness)
        return c, following

    return accelerate(Rule(lambda: 1.0, numbers), restart=restart, accumulator_dtype=accumulator_dtype)
