"""Adaptive restart: drop the momentum when it works against the objective.

An accelerated method oscillates on functions that are, around the minimum, better conditioned than it assumes. A
restart test detects the first overshoot, empties the buffer and restarts the momentum sequence; on smooth strongly
convex functions this gives, in practice, a linear rate without knowledge of the condition number. With x the base
iterate and y the params ::

    gradient()   <grad f(y_k), x_{k+1} - x_k> > 0           O'Donoghue & Candes, https://arxiv.org/abs/1204.3982
    value()      f(x_{k+1}) > f(x_k)                        the same
    speed()      |x_{k+1} - x_k| < |x_k - x_{k-1}|          Su, Boyd & Candes, https://arxiv.org/abs/1503.01243
    every(n)     n updates have passed

Each returns a `RestartTest` for the argument ``restart`` of every method; the first three also have string names, as in
``nag(0.1, restart="gradient")``. Your own test is a function of `Evidence`, see `nag_optax.extend`.

>>> from nag_optax import momenta, nag, restart
>>> tx = nag(0.1, momenta.nesterov(), restart=restart.speed())
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from nag_optax.validation import check_integer


class Evidence(NamedTuple):
    """What a restart test can inspect before the update. Functions cost something only if called.

    Attributes:
      updates: number of updates so far, an integer scalar.
      age: updates since the last restart, an integer scalar.
      reference: the scalar that this test kept from the last update.
      slope: ``slope()`` is <g, x_{k+1} - x_k>, up to a positive factor: above 0 the base iterate is about to move
        uphill. With a prox, g is the gradient mapping.
      squared_speed: ``squared_speed()`` is |x_{k+1} - x_k|^2.
      value: ``value()`` is the loss: at the next base iterate where ``update`` got ``value_fn=``, at params where it
        got ``value=``. Raises ValueError where it got neither.
      gradients: at params.
      params: where the gradient was taken, or None.
      extra: the keyword arguments of ``update``.
    """

    updates: Array
    age: Array
    reference: Array
    slope: Callable[[], Array]
    squared_speed: Callable[[], Array]
    value: Callable[[], Array]
    gradients: Any
    params: Any
    extra: dict[str, Any]

    def just_restarted(self) -> Array:
        """Whether the last update ended in a restart, a boolean scalar."""
        return (self.age == 0) & (self.updates > 0)


class Verdict(NamedTuple):
    """The result of a restart test.

    Attributes:
      restart: whether the momentum sequence starts again after this update, a boolean scalar.
      reference: the scalar that the next test sees.
    """

    restart: Array
    reference: Array


class RestartTest(NamedTuple):
    """When to restart.

    A restart is a plain step: the step that the method takes with an empty buffer. It leads to the base iterate and
    leaves an empty buffer. A test that restarts when the gradient is small in every entry:

    >>> import jax.numpy as jnp
    >>> from nag_optax import extend, nag
    >>> def small(evidence):
    ...     return extend.Verdict(jnp.max(jnp.abs(evidence.gradients)) < 1e-3, evidence.reference)
    >>> tx = nag(0.1, restart=extend.RestartTest(small))

    Attributes:
      judge: ``judge(evidence) -> verdict``; under ``jax.jit``, everything in it is traced.
      reference: the scalar that the first test sees.
      late: whether the update after the verdict is the plain step, instead of the judged update.
    """

    judge: Callable[[Evidence], Verdict]
    reference: float = 0.0
    late: bool = False

    def verdict(self, evidence: Evidence) -> Verdict:
        """What the test judges.

        Raises:
          TypeError: if that is no `Verdict`.
          ValueError: if the verdict does not consist of scalars.
        """
        verdict = self.judge(evidence)
        if not isinstance(verdict, Verdict):
            raise TypeError(f"judge of a RestartTest must return a Verdict, got {type(verdict).__name__}.")
        for name, x in verdict._asdict().items():
            if x is None or jnp.shape(x):
                raise ValueError(f"{name} of a Verdict must be a scalar, got {x!r}.")
        return verdict


Restart = RestartTest | str | None
"""What the argument ``restart`` may be."""


def gradient() -> RestartTest:
    """Restarts when the base iterate is about to move uphill.

    >>> from nag_optax import nag, restart
    >>> tx = nag(0.1, 0.99, restart=restart.gradient())  # or restart="gradient"
    """
    return RestartTest(lambda evidence: Verdict(evidence.slope() > 0, evidence.reference))


def value() -> RestartTest:
    """Restarts when the loss has gone up.

    With ``update(..., value_fn=loss)`` it is the published test on the loss of the next base iterate, which costs one
    evaluation per step. With ``value=``, the loss at params that a training step computes anyway, it tests f(y_k) >
    f(y_{k-1}).

    >>> import jax.numpy as jnp
    >>> from nag_optax import nag, restart
    >>> tx, params = nag(1.0, 0.99, restart=restart.value()), jnp.ones(())
    >>> _, state = tx.update(params, tx.init(params), params, value=1.0)
    >>> _, state = tx.update(params, state, params, value=2.0)
    >>> int(state.restarts)
    1
    """

    def judge(evidence: Evidence) -> Verdict:
        value = jnp.asarray(evidence.value(), evidence.reference.dtype)
        reference = jnp.where(jnp.isnan(value), evidence.reference, value)
        remembers = evidence.reference != 0  # or it is the state of a run without this test, until now
        return Verdict((value > evidence.reference) & remembers, reference)

    return RestartTest(judge, reference=jnp.inf)


def speed(first: int = 10) -> RestartTest:
    """Restarts when the base iterate slows down; the next update is the plain step, as published.

    Args:
      first: the first update of the sequence, counted from 1, that it tests: k_min in the paper, which uses 10. At
        least 1.

    Raises:
      TypeError: if ``first`` is no integer.
      ValueError: if it is below 1.

    >>> from nag_optax import momenta, nag, restart
    >>> tx = nag(0.1, momenta.nesterov(), restart=restart.speed(first=20))
    """
    check_integer("first", first, at_least=1)

    def judge(evidence: Evidence) -> Verdict:
        squared_speed = evidence.squared_speed()
        return Verdict((squared_speed < evidence.reference) & (evidence.age >= first - 1), squared_speed)

    return RestartTest(judge, late=True)


def every(period: int | Array) -> RestartTest:
    """Restarts after a fixed number of updates; best if the condition number is known.

    Args:
      period: at least 1; may be traced.

    Raises:
      TypeError: if ``period`` is no integer.
      ValueError: if it is below 1.

    >>> import jax.numpy as jnp
    >>> from nag_optax import nag, restart
    >>> tx, gradient = nag(0.1, 0.9, restart=restart.every(3)), jnp.ones(())
    >>> state = tx.init(gradient)
    >>> for _ in range(7):
    ...     _, state = tx.update(gradient, state)
    >>> int(state.age)
    1
    """
    check_integer("period", period, at_least=1, may_be_traced=True)
    return RestartTest(lambda evidence: Verdict(evidence.age >= period - 1, evidence.reference))


NAMED = {"gradient": gradient, "value": value, "speed": speed}


def as_test(restart: Any) -> RestartTest | None:
    """The test of an argument ``restart``.

    Raises:
      TypeError: if a `RestartTest` has no function to judge by.
      ValueError: if it is none of None, a name and a `RestartTest`, or if the test's reference is no scalar.
    """
    if isinstance(restart, RestartTest):
        if not callable(restart.judge):
            raise TypeError(f"restart: judge of a RestartTest must be a function, got {restart.judge!r}.")
        if jnp.shape(restart.reference):
            raise ValueError(f"restart: reference of a RestartTest must be a scalar, got {restart.reference!r}.")
    if restart is None or isinstance(restart, RestartTest):
        return restart
    if not (isinstance(restart, str) and restart in NAMED):
        names = ", ".join(map(repr, (None, *NAMED)))
        hint = ": a function that makes a test must be called" if callable(restart) else ""
        raise ValueError(f"restart must be one of {names} or a RestartTest, got {restart!r}{hint}.")
    return NAMED[restart]()
