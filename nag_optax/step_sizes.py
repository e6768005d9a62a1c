"""Acceleration without momentum: long steps now and then, as learning rates of plain gradient descent.

No step of a constant length above 2 / L converges, but a sequence of them may. With h the steps times L ::

    silver        h_i = 1 + rho^(v(i) - 1), i = 1, 2, ...; rho = 1 + sqrt(2), v(i) the powers of two in i
    long steps    the best sequence of its kind for a given number of steps n, by concatenation (below)

The first are those of Altschuler & Parrilo, https://arxiv.org/abs/2309.16530, the second those of Zhang & Jiang,
https://arxiv.org/abs/2410.12395, and Grimmer, Shu & Wang, https://arxiv.org/abs/2410.16249. With sums P_0 = D_0 = 0 ::

    phi(x, y) = (-x - y + sqrt((x + y + 2)^2 + 4 (x + 1) (y + 1))) / 2
    psi(x, y) = (3 - 2 y + sqrt((2 y + 1) (2 y + 8 x + 9))) / 4
    P_n = max over k of P_k + phi(P_k, P_{n-1-k}) + P_{n-1-k}
    D_n = max over k of P_k + psi(P_k, D_{n-1-k}) + D_{n-1-k}

and the steps are those of D_n, in this order. There is no state but a counter. Noise is amplified: these are for exact
gradients.

>>> import optax
>>> from nag_optax import step_sizes
>>> tx = optax.sgd(step_sizes.silver(smoothness=10.0))
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nag_optax.scalars import Scalar
from nag_optax.validation import check_integer, check_number

RHO = 1 + np.sqrt(2)


def silver(smoothness: Scalar = 1.0) -> optax.Schedule:
    """The silver steps: after n = 2^k - 1 updates, f - f* <= L R^2 / (4 rho^k - 2), exactly.

    Args:
      smoothness: L, positive.

    Returns:
      A schedule of the update, for ``optax.sgd``; it needs no horizon.

    >>> import jax.numpy as jnp
    >>> from nag_optax import step_sizes
    >>> [round(float(step_sizes.silver()(k)), 4) for k in range(7)]
    [1.4142, 2.0, 1.4142, 3.4142, 1.4142, 2.0, 1.4142]
    """
    check_number("smoothness", smoothness, above=0)

    def schedule(count: Any) -> Any:
        count = jnp.asarray(count)
        count = count.astype(jnp.promote_types(jnp.uint32, f"uint{8 * count.dtype.itemsize}"))  # count + 1 has a place
        twos = jax.lax.population_count(count ^ (count + 1)).astype(jnp.result_type(float)) - 1
        return (1 + RHO ** (twos - 1)) / smoothness

    return schedule


def long_steps(horizon: int, smoothness: Scalar = 1.0) -> optax.Schedule:
    """The best long steps for a number of updates n: f - f* <= L R^2 / (4 D_n + 2), exactly.

    Args:
      horizon: n, at least 1; further updates take steps of 1 / L.
      smoothness: L, positive.

    Returns:
      A schedule of the update, for ``optax.sgd``.

    >>> from nag_optax import step_sizes
    >>> [round(float(step_sizes.long_steps(5)(k)), 4) for k in range(5)]
    [1.4142, 2.0, 1.4142, 3.5576, 1.5]
    """
    check_integer("horizon", horizon, at_least=1)
    check_number("smoothness", smoothness, above=0)
    table = np.append(_concatenated(horizon), 1.0)

    def schedule(count: Any) -> Any:
        count = jnp.asarray(count)
        count = jnp.minimum(count.astype(jnp.promote_types(count.dtype, jnp.int32)), horizon)
        return jnp.asarray(table, jnp.result_type(float))[count] / smoothness

    return schedule


def _concatenated(n: int) -> np.ndarray:
    """The steps of D_n."""
    middle: list[np.ndarray] = [np.empty(0)]
    last: list[np.ndarray] = [np.empty(0)]
    for m in range(1, n + 1):
        middle.append(_best(middle, middle, m, _phi))
        last.append(_best(middle, last, m, _psi))
    return last[n]


def _best(first: list[np.ndarray], second: list[np.ndarray], n: int, joint: Callable[[Any, Any], Any]) -> np.ndarray:
    """The concatenation of two sequences with a step between them whose sum is the largest."""
    of_first, of_second = (np.array([x.sum() for x in part[:n]]) for part in (first, second))
    between = joint(of_first, of_second[::-1])
    k = int(np.argmax(of_first + between + of_second[::-1]))
    return np.concatenate([first[k], [between[k]], second[n - 1 - k]])


def _phi(x, y):
    return (-x - y + np.sqrt((x + y + 2) ** 2 + 4 * (x + 1) * (y + 1))) / 2


def _psi(x, y):
    return (3 - 2 * y + np.sqrt((2 * y + 1) * (2 * y + 8 * x + 9))) / 4
