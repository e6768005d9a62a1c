"""Nesterov's method run backwards: it minimises the gradient norm in a given number of steps.

The H-dual (Kim, Ozdaglar, Park & Ryu, https://arxiv.org/abs/2305.06628) of Nesterov's method with t_k, see
`nag_optax.theory.h_dual`: what bounds f(x_N) - f* there bounds the squared gradient here, four times as large. With the
momentum beta_k of the method, L the smoothness and N the horizon, the matrix of steps is that of Nesterov's method
transposed along its antidiagonal. It is to OGM-G what Nesterov's method is to OGM.
"""

import functools
from typing import Any

import numpy as np
import optax

from nag_optax.methods.nag import nag_rule
from nag_optax.methods.ogm_g import small_gradients
from nag_optax.momenta import nesterov
from nag_optax.theory.dual import dual_coupling


def nag_g(
    learning_rate: optax.ScalarOrSchedule, horizon: int, *, accumulator_dtype: Any = None
) -> optax.GradientTransformationExtraArgs:
    """The dual of Nesterov's method: |grad f(y_N)|^2 <= 4 L (f(y_0) - f*) / (4 S_N + 2), exact, where Nesterov's has
    f(x_N) - f* <= L |x_0 - x*|^2 / (4 S_N + 2).

    Args:
      learning_rate, horizon, accumulator_dtype: as in `nag_optax.ogm_g`.

    Raises:
      ValueError: in an eager ``update``, after ``horizon`` updates.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import nag, momenta, nag_g, theory
    >>> backwards = theory.step_matrix(nag(1.0, momenta.nesterov()), 3, output="base").output[::-1]
    >>> (theory.step_matrix(nag_g(1.0, 3), 3).output - backwards).round(12)
    array([0., 0., 0.])
    """
    return small_gradients(_dual_of_nag, learning_rate, horizon, accumulator_dtype)


@functools.cache
def _dual_of_nag(horizon: int) -> np.ndarray:
    return dual_coupling(nag_rule(1.0, nesterov(), 1.0, "gradient"), horizon, "base")
