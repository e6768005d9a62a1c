"""Adaptive restart: drop the momentum when it works against the objective.

An accelerated method oscillates on functions that are better conditioned, around the minimum, than it assumes. A
restart test notices the first overshoot, empties the buffer and starts the momentum sequence again; on smooth strongly
convex functions this gives, in practice, a linear rate without knowledge of the condition number. Three published
tests, with x the base iterate and y the params ::

    gradient   <grad f(y_k), x_{k+1} - x_k> > 0             O'Donoghue & Candes, https://arxiv.org/abs/1204.3982
    value      f(x_{k+1}) > f(x_k)                          the same
    speed      |x_{k+1} - x_k| < |x_k - x_{k-1}|            Su, Boyd & Candes, https://arxiv.org/abs/1503.01243

None needs an array that the engine does not hold. The move of the base iterate is a combination of the buffer before
the update and the gradient ::

    x_{k+1} - x_k = -(p m_k + q g_k)
    p = (lead - readout_{k+1}) decay + readout_k
    q = (lead - readout_{k+1}) gain + step

and q is the length of the plain step: the one that the method takes with an empty buffer, onto its base iterate. A
restart is that step with an empty buffer left behind: five other scalars, chosen before any array is touched.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_optax.coefficients import Coefficients
from nag_optax.trees import total

SPEED_TEST_FROM = 10
"""The speed test waits until the sequence's (age + 1)-th update: k_min of Su, Boyd & Candes, who use 10."""


class Evidence(NamedTuple):
    """What a restart test may look at, before the update.

    Attributes:
      coefficients: the update that the rule proposes.
      state: the `nag_optax.AccelerateState` so far, with the reference that this test kept.
      gradients: at params.
      params: where the gradient was taken, or None.
      extra: the keyword arguments of ``update``.
    """

    coefficients: Coefficients
    state: Any
    gradients: Any
    params: Any
    extra: dict[str, Any]


class Verdict(NamedTuple):
    """What follows from a restart test.

    Attributes:
      coefficients: the update to make.
      restart: whether the momentum sequence starts again after it, a boolean scalar.
      reference: the scalar that the next test compares with.
    """

    coefficients: Coefficients
    restart: Array
    reference: Array


class RestartTest(NamedTuple):
    """A restart test: ``judge(evidence) -> verdict``, and the reference that it begins with."""

    reference: float
    judge: Callable[[Evidence], Verdict]


def gradient_test(evidence: Evidence) -> Verdict:
    """Restarts when the base iterate is about to move uphill."""
    p, q = _move(evidence.coefficients, evidence.state.readout)
    descent = total(lambda g, m: (g.conj() * (p * m + q * g)).real, evidence.gradients, evidence.state.momentum)
    restart = descent < 0
    return Verdict(_plain_if(restart, evidence.coefficients), restart, evidence.state.reference)


def value_test(evidence: Evidence) -> Verdict:
    """Restarts when the loss has gone up.

    With ``value_fn=`` it is the published test: the loss of the next base iterate, at the price of one evaluation a
    step. With ``value=``, the loss at params that a training step has anyway, it compares f(y_k) > f(y_{k-1}).
    """
    value, value_fn = evidence.extra.get("value"), evidence.extra.get("value_fn")
    if value_fn is not None:
        value = value_fn(_next_base_iterate(evidence))
    if value is None:
        raise ValueError("restart='value' needs update(..., value=loss at params) or update(..., value_fn=loss).")
    value = jnp.asarray(value, evidence.state.reference.dtype)
    restart = value > evidence.state.reference
    reference = jnp.where(jnp.isnan(value), evidence.state.reference, value)
    return Verdict(_plain_if(restart, evidence.coefficients), restart, reference)


def speed_test(evidence: Evidence) -> Verdict:
    """Restarts when the base iterate slows down; the update after that is the plain step, as published."""
    just_restarted = (evidence.state.age == 0) & (evidence.state.step > 0)
    coefficients = _plain_if(just_restarted, evidence.coefficients)
    p, q = _move(coefficients, evidence.state.readout)
    speed = total(lambda g, m: jnp.abs(p * m + q * g) ** 2, evidence.gradients, evidence.state.momentum)
    restart = (speed < evidence.state.reference) & (evidence.state.age + 1 >= SPEED_TEST_FROM)
    return Verdict(coefficients, restart, speed)


RESTART_TESTS = {
    "gradient": RestartTest(0.0, gradient_test),
    "value": RestartTest(jnp.inf, value_test),
    "speed": RestartTest(0.0, speed_test),
}


def _move(c: Coefficients, readout: Array) -> tuple[Any, Any]:
    """(p, q): the base iterate moves by -(p m + q g)."""
    return (c.lead - c.readout) * c.decay + readout, (c.lead - c.readout) * c.gain + c.step


def _plain_if(condition: Array, c: Coefficients) -> Coefficients:
    """Where the condition holds, the plain step, which leaves an empty buffer.

    A ``cond``, because XLA's CPU backend copies the scalars of a ``where``, and the sums that they come from, into the
    loop of every parameter: with 200 of them it compiles for a minute.
    """
    _, plain_step = _move(c, jnp.zeros(()))
    plain = c._replace(decay=0, gain=0, step=plain_step)
    plain, c = (jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(float)), k) for k in (plain, c))
    return jax.lax.cond(condition, lambda: plain, lambda: c)


def _next_base_iterate(evidence: Evidence) -> Any:
    if evidence.params is None:
        raise ValueError(
            "restart='value' with value_fn= needs params: call update(gradients, state, params, value_fn=...)."
        )
    c = evidence.coefficients
    overhang, (_, plain_step) = (c.lead - c.readout) * c.decay, _move(c, evidence.state.readout)
    return jax.tree.map(
        lambda p, m, g: (p - overhang * m - plain_step * g).astype(p.dtype),
        evidence.params,
        evidence.state.momentum,
        evidence.gradients,
    )
