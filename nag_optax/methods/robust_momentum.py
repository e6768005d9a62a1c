"""RMM, the robust momentum method: triple momentum with a trade-off between speed and robustness to gradient noise.

Cyrus, Hu, Van Scoy & Lessard, https://arxiv.org/abs/1710.04753, with kappa = L / mu, as a two-step recursion ::

    alpha = kappa (1 - rho)^2 (1 + rho) / L                         beta = kappa rho^3 / (kappa - 1)
    gamma = rho^3 / ((kappa - 1) (1 - rho)^2 (1 + rho))             delta = rho^2 / (1 - rho^2)

Params are the point where the gradient is taken, the base iterate is the gradient step of length 1 / L from it, the
paper's output is "z". rho = 1 - 1 / sqrt(kappa) is the triple momentum method, rho = 1 - 1 / kappa gradient descent.
"""

from typing import Any

import jax
import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Rule, from_two_step
from nag_optax.engine.restart import Restart
from nag_optax.validation import check_convexity, check_number, is_concrete


def robust_momentum(
    smoothness: float,
    strong_convexity: float,
    rho: float,
    *,
    restart: Restart = None,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """The robust momentum method; without noise it contracts by rho per step.

    Args:
      smoothness: L, positive.
      strong_convexity: mu, positive and below L.
      rho: rate, in [1 - 1 / sqrt(kappa), 1 - 1 / kappa]: smaller is faster, larger is more robust.
      restart, accumulator_dtype: see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp
    >>> from nag_optax import eval_params, robust_momentum
    >>> tx = robust_momentum(smoothness=1.0, strong_convexity=0.25, rho=0.75)  # gradient descent: z moves by g / L
    >>> updates, state = tx.update(jnp.array([1.0]), tx.init(jnp.array([0.0])))
    >>> eval_params(state, updates, output="z")
    Array([-1.], dtype=float32)
    """
    check_convexity(smoothness, strong_convexity)
    kappa = smoothness / strong_convexity
    # The ends of the interval are methods of their own, and are computed with rounding.
    slack = 1e-6 if any(isinstance(x, jax.Array) for x in (smoothness, strong_convexity, rho)) else 1e-12
    limits = {"at_least": 1 - kappa**-0.5 - slack, "at_most": 1 - 1 / kappa + slack} if is_concrete(kappa) else {}
    check_number("for this smoothness and strong_convexity rho", rho, **limits)
    alpha = kappa * (1 - rho) ** 2 * (1 + rho) / smoothness
    beta = kappa * rho**3 / (kappa - 1)
    gamma = rho**3 / ((kappa - 1) * (1 - rho) ** 2 * (1 + rho))
    delta = rho**2 / (1 - rho**2)

    def numbers(count, age, carry):
        c = from_two_step(beta, alpha, gamma, delta)
        return c._replace(readout=c.lead, outputs={"z": c.readout}), carry

    return accelerate(Rule(tuple, numbers), restart=restart, accumulator_dtype=accumulator_dtype)
