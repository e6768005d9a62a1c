"""H-duality: a method for the value becomes one for the gradient norm.

Kim, Ozdaglar, Park & Ryu, https://arxiv.org/abs/2305.06628: transpose the matrix of steps along its antidiagonal, and a
bound on f(x_N) - f* in |x_0 - x*|^2 becomes one on |grad f(y_N)|^2 in f(y_0) - f*, four times as large. Methods of five
numbers are closed under it. With N steps, for k = 0, ..., N - 1 ::

    decay_k = decay of the primal at N - k  (0 for k = 0)       gain_k = lead at N - 1 - k, less the readout at the end
    step_k  = step at N - 1 - k                                 lead_k = gain at N - 1 - k

Time runs backwards, and gain and lead change places. The buffer may be measured in any unit. In the one in which
params + (lead - 1) m is where params would end without further gradients, the dual is three coupled sequences
(`nag_optax.from_coupling`), and that point is their z.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_optax.engine.coefficients import Coefficients, Rule, from_coupling
from nag_optax.theory.float64 import float64
from nag_optax.validation import check_integer


def h_dual(rule: Rule, horizon: int, *, output: str = "base") -> Rule:
    """The H-dual of a method, for a number of updates.

    If the method guarantees f(x_N) - f* <= c L |x_0 - x*|^2, its dual guarantees |grad f(y_N)|^2 <= 4 c L (f(y_0) -
    f*), at params after N updates; and the other way round. `nag_optax.ogm_g` and `nag_optax.nag_g` are duals.

    Args:
      rule: the method.
      horizon: N, at least 1. After that, params stay where they are.
      output: the point of the method that is judged: "base", "params", or another output of its coefficients.

    Raises:
      ValueError: if the rule has no such output.

    >>> from nag_optax import Coefficients, Rule, accelerate, theory
    >>> momentum = Rule(tuple, lambda count, age, carry: (Coefficients(0.5, 1, 0.5, 1, 0.5), carry))
    >>> theory.step_matrix(momentum, 2, output="base").output  # f is judged after its last step
    array([1.5, 1. ])
    >>> theory.step_matrix(theory.h_dual(momentum, 2), 2).output  # and |grad f| after that of the dual
    array([1. , 1.5])
    """
    if not isinstance(rule, Rule):
        raise TypeError(f"rule must be a nag_optax.Rule, got {type(rule).__name__}.")
    check_integer("horizon", horizon, at_least=1)
    table = np.append(dual_coupling(rule, horizon, output), [[1.0, 0.0, 0.0, 0.0]], axis=0)

    def numbers(count: Any, age: Any, carry: Any) -> tuple[Coefficients, Any]:
        tau, tau_next, long_step, step = jnp.asarray(table, jnp.result_type(float))[jnp.minimum(count, horizon)]
        return from_coupling(tau, tau_next, 0, long_step, step)._replace(readout=0), carry

    return Rule(tuple, numbers)


def dual_coupling(rule: Rule, horizon: int, output: str) -> np.ndarray:
    """tau, tau_next, long step and short step of each step of the dual, [horizon, 4], in float64."""
    decay, gain, lead, step, readout = _numbers(rule, horizon, output)
    lead[-1] -= readout[-1]
    decay, gain, lead, step = np.append(0.0, decay[:0:-1]), lead[::-1], gain[::-1], step[::-1]
    ahead = np.append(0.0, lead)  # by how much a unit of the buffer before each step will have moved params in the end
    for k in reversed(range(1, horizon)):
        ahead[k] += decay[k] * ahead[k + 1]
    heeded = ahead[1:] != 0
    unit = np.where(heeded, ahead[1:], 1)
    tau = 1 - np.where(heeded, decay * unit / np.append(1.0, unit[:-1]), 0)
    return np.stack([tau, lead / unit, np.where(heeded, gain * unit, 0) + step, step], axis=1)


def _numbers(rule: Rule, horizon: int, output: str) -> np.ndarray:
    """Decay, gain, lead, step size and the readout of an output, [5, horizon], in float64, also within a trace."""

    rows: list[np.ndarray] = []

    @jax.jit
    def step(carry: Any, count: Any) -> tuple[Any, Any]:
        c, carry = rule.numbers(count, count, carry)
        readouts = {"base": c.readout, "params": 0.0, **c.outputs}
        if output not in readouts:
            raise ValueError(f"output must be one of {', '.join(map(repr, readouts))} for this rule, got {output!r}.")
        row = c.decay, c.gain, c.lead, c.step_size, readouts[output]
        return jax.tree.map(jnp.float64, carry), jnp.stack([jnp.asarray(x, float) for x in row])

    with float64(), jax.ensure_compile_time_eval():
        carry = jax.tree.map(jnp.float64, rule.init())
        for count in range(horizon):
            carry, row = step(carry, count)
            rows.append(np.asarray(row))
    return np.array(rows).T
