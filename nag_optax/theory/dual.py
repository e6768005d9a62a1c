"""H-duality: a method for the value becomes one for the gradient norm.

Kim, Ozdaglar, Park & Ryu, https://arxiv.org/abs/2305.06628: transpose the matrix of steps along its antidiagonal, and a
bound on f(x_N) - f* in |x_0 - x*|^2 becomes one on |grad f(x_N)|^2 in f(x_0) - f*, four times as large. Methods of five
numbers are closed under it. With N steps, for k = 0, ..., N - 1 ::

    decay_k = decay of the primal at N - k  (k > 0)      gain_k = lead at N - 1 - k
    step_k  = step at N - 1 - k                          lead_k = gain at N - 1 - k         readout = 0

Time runs backwards, and gain and lead change places.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_optax.engine.coefficients import Coefficients, Rule
from nag_optax.validation import check_integer


def h_dual(rule: Rule, horizon: int, *, output: str = "base") -> Rule:
    """The H-dual of a method, for a number of updates.

    If the method guarantees f(x_N) - f* <= c L |x_0 - x*|^2, its dual guarantees |grad f(y_N)|^2 <= 4 c L (f(y_0) -
    f*), at params after N updates.

    Args:
      rule: the method.
      horizon: N, at least 1. After that, params stay where they are.
      output: the point of the method that is judged, "base" or another output of its coefficients.

    >>> import jax.numpy as jnp
    >>> from nag_optax import Coefficients, Rule, theory
    >>> momentum = Rule(tuple, lambda k, age, carry: (Coefficients(0.5, 1, 0.5, 1, 0.5), carry))
    >>> dual = theory.h_dual(momentum, horizon=2)
    >>> dual.numbers(jnp.asarray(0), jnp.asarray(0), ())[0].gain  # the last lead, less the readout
    Array(0., dtype=float32)
    """
    if not isinstance(rule, Rule):
        raise TypeError(f"rule must be a nag_optax.Rule, got {type(rule).__name__}.")
    check_integer("horizon", horizon, at_least=1)
    decay, gain, lead, step = _table(rule, horizon, output)
    rows = np.stack([np.append(0.0, decay[:0:-1]), lead[::-1], gain[::-1], step[::-1]], axis=1)
    table = np.concatenate([rows, np.zeros((1, 4))])

    def numbers(count: Any, age: Any, carry: Any) -> tuple[Coefficients, Any]:
        row = jnp.asarray(table, jnp.result_type(float))[jnp.minimum(count, horizon)]
        return Coefficients(*row, readout=0), carry

    return Rule(tuple, numbers)


def _table(rule: Rule, horizon: int, output: str) -> np.ndarray:
    """Decay, gain, lead and step of every update, the last of which leads to the output, in float64."""
    columns = []
    with jax.enable_x64(True):
        carry = jax.tree.map(jnp.float64, rule.init())
        c: Any = None
        for k in range(horizon):
            c, carry = rule.numbers(jnp.asarray(k), jnp.asarray(k), carry)
            columns.append([float(x) for x in c[:4]])
        readouts = {"base": c.readout, "params": 0.0, **c.outputs}
        if output not in readouts:
            raise ValueError(f"output must be one of {', '.join(map(repr, readouts))} for this rule, got {output!r}.")
        columns[-1][2] -= float(readouts[output])
    return np.array(columns).T
