"""Halpern's iteration: fixed points of nonexpansive maps, anchored at the start.

Halpern (1967), with the constants of Lieder, https://doi.org/10.1007/s11590-020-01617-9, for a map T with
|T x - T y| <= |x - y|, and its residual r_k = y_k - T(y_k) ::

    y_{k+1} = y_0 / (k + 2) + (k + 1) / (k + 2) (y_k - step_size r_k)

With a step size of 2 and the residual of a proximal map or any resolvent J it is Kim's accelerated proximal point
method, https://arxiv.org/abs/1905.05149, since 2 J - 1 is nonexpansive. The buffer is y_0 - y_k: what goes back to the
anchor is five numbers, too.
"""

from typing import Any

import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Coefficients, Rule
from nag_optax.scalars import Scalar
from nag_optax.validation import check_number


def halpern(step_size: Scalar = 1.0, *, accumulator_dtype: Any = None) -> optax.GradientTransformationExtraArgs:
    """Halpern's iteration with optimal constants: |y_N - T(y_N)|^2 <= 4 |y_0 - y*|^2 / (N + 1)^2, exact.

    Update it with a residual in the place of a gradient: ``tx.update(y - T(y), state, y)``.

    Args:
      step_size: positive: 1 for the residual of a nonexpansive map; 2 for that of a proximal map or another resolvent,
        y - J(y), for which |y_N - J(y_N)| <= |y_0 - y*| / (N + 1); 2 / L for the gradient of an L-smooth convex
        function, for which |grad f(y_N)| <= L |y_0 - y*| / (N + 1).
      accumulator_dtype: see `nag_optax.accelerate`.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import halpern
    >>> tx, params = halpern(), jnp.array([1.0, 0.0])
    >>> state = tx.init(params)
    >>> for _ in range(99):  # a rotation by a right angle: repeating it goes round for ever
    ...     residual = params - jnp.array([-params[1], params[0]])
    ...     updates, state = tx.update(residual, state, params)
    ...     params = optax.apply_updates(params, updates)
    >>> bool(jnp.linalg.norm(params) < 0.02)
    True
    """
    check_number("step_size", step_size, above=0)

    def numbers(count, age, carry):
        kept, back = (age + 1) / (age + 2), -1 / (age + 1)
        return Coefficients(kept, kept * step_size, back, step_size, readout=0), carry

    return accelerate(Rule(tuple, numbers), accumulator_dtype=accumulator_dtype)
