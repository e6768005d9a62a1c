"""A restart in five numbers.

None of the published tests needs an array that the engine does not hold. The move of the base iterate is a combination
of the buffer before the update and the gradient ::

    x_{k+1} - x_k = -(p m_k + q g_k)
    p = (lead - readout_{k+1}) decay + readout_k
    q = (lead - readout_{k+1}) gain + step_size

and q is the length of the plain step: the step that the method takes with an empty buffer, to its base iterate. A
restart takes that step and leaves an empty buffer: five other scalars, chosen before any array is touched.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax.engine.coefficients import Coefficients
from nag_optax.engine.restart import Evidence, RestartTest, Verdict
from nag_optax.trees import total


def judged(
    test: RestartTest, coefficients: Coefficients, state: Any, gradients: Any, params: Any, extra: dict[str, Any]
) -> tuple[Coefficients, Verdict]:
    """The coefficients of the update to make, given those that the rule proposes, and the verdict.

    Args:
      test: the restart test.
      coefficients: of the proposed update.
      state: the `nag_optax.AccelerateState` so far, its buffer as an array.
      gradients: at params.
      params: where the gradient was taken, or None.
      extra: the keyword arguments of ``update``.
    """

    def evidence(c: Coefficients) -> Evidence:
        p, q = _move(c, state.readout)

        def slope():
            return -total(lambda g, m: (g.conj() * (p * m + q * g)).real, gradients, state.momentum)

        def squared_speed():
            return total(lambda g, m: jnp.abs(p * m + q * g) ** 2, gradients, state.momentum)

        def value():
            value, value_fn = extra.get("value"), extra.get("value_fn")
            if value_fn is not None:
                value = value_fn(_next_base_iterate(c, state, gradients, params))
            if value is None:
                raise ValueError("restart='value' needs update(..., value=loss at params), or value_fn=loss.")
            return value

        return Evidence(state.step, state.age, state.reference, slope, squared_speed, value, gradients, params, extra)

    if test.late:
        coefficients = _plain_if(evidence(coefficients).just_restarted(), coefficients)
    verdict = test.verdict(evidence(coefficients))
    return coefficients if test.late else _plain_if(verdict.restart, coefficients), verdict


def _move(c: Coefficients, readout: Array) -> tuple[Any, Any]:
    """(p, q): the base iterate moves by -(p m + q g)."""
    return (c.lead - c.readout) * c.decay + readout, (c.lead - c.readout) * c.gain + c.step_size


def _plain_if(condition: Array, c: Coefficients) -> Coefficients:
    """The plain step, which leaves an empty buffer, where the condition holds.

    A ``cond``, because XLA's CPU backend copies the scalars of a ``where``, and the sums that they come from, into the
    loop of every parameter: with 200 of them it compiles for a minute.
    """
    _, plain_step_size = _move(c, jnp.zeros(()))
    plain = c._replace(decay=0, gain=0, step_size=plain_step_size)
    plain, c = (jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(float)), k) for k in (plain, c))
    return jax.lax.cond(condition, lambda: plain, lambda: c)


def _next_base_iterate(c: Coefficients, state: Any, gradients: Any, params: Any) -> Any:
    if params is None:
        raise ValueError(
            "restart='value' with value_fn= needs params: call update(gradients, state, params, value_fn=...)."
        )
    overhang, (_, plain_step_size) = (c.lead - c.readout) * c.decay, _move(c, state.readout)
    return jax.tree.map(
        lambda p, m, g: (p - overhang * m - plain_step_size * g).astype(p.dtype), params, state.momentum, gradients
    )
