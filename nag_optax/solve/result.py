"""What a minimisation returns: the solution, how it ended, and what happened on the way."""

import enum
from typing import Any, NamedTuple

from jax import Array


class Status(enum.IntEnum):
    """How a minimisation ended; ``print(solution)`` says it in words.

    >>> import jax.numpy as jnp
    >>> from nag_optax import Status, minimize
    >>> bool(minimize(lambda x: jnp.sum((x - 1) ** 2), jnp.zeros(2)).status == Status.CONVERGED)
    True
    """

    CONVERGED = 0
    MAX_STEPS = 1
    NONFINITE = 2
    STALLED = 3
    STOPPED = 4
    BADLY_SCALED = 5


WORDS = {
    Status.CONVERGED: "converged",
    Status.MAX_STEPS: "stopped at max_steps",
    Status.NONFINITE: "stopped at a function or gradient that is not finite",
    Status.STALLED: "stalled: as accurate as the dtype permits",
    Status.STOPPED: "stopped on request",
    Status.BADLY_SCALED: "stopped: steps are lost in rounding (rescale params, start nearer, or use float64)",
}


class History(NamedTuple):
    """What happened, step by step; NaN after the last one.

    Attributes:
      value: f + g (by a named method or transformation without line search: f, or what stands for it), [max_steps].
      error: what is compared with ``tol``, [max_steps].
    """

    value: Array
    error: Array


class SolverState(NamedTuple):
    """What a warm start needs, and what a benchmark counts.

    Attributes:
      step_size: of the last step.
      scale: the unit of the error, relative to |grad f| + |params| / step_size: a number without units.
      gradients: evaluations of f and its gradient.
      values: evaluations of f alone.
      history: a `History`, or None.
    """

    step_size: Array
    scale: Array
    gradients: Array
    values: Array
    history: History | None


class Solution(NamedTuple):
    """The result of `nag_optax.minimize`.

    Attributes:
      params: the minimiser; where the method did not converge, the best finite point that it saw.
      value: f + g at params (f alone if the prox does not know its g).
      error: norm of the gradient mapping in the unit that ``tol`` of `nag_optax.minimize` describes.
      steps: steps taken.
      status: a `Status`, as an int32.
      state: for warm starts: pass the whole solution in the place of initial params.
      aux: what ``fun`` returned beside its value, at params, with ``has_aux=True``.
      gap: a duality gap: value is at most so far above the minimum of f + g, but for rounding; NaN where ``fun`` is no
        loss of `nag_optax.losses`, or the prox does not know its conjugate.

    >>> import jax.numpy as jnp
    >>> from nag_optax import minimize
    >>> solution = minimize(lambda x: jnp.sum((x - 1) ** 2) + 3.0, jnp.zeros(2))
    >>> solution.params.round(4), solution.value.round(4)
    (Array([1., 1.], dtype=float32), Array(3., dtype=float32))
    """

    params: Any
    value: Array
    error: Array
    steps: Array
    status: Array
    state: SolverState
    aux: Any = None
    gap: Any = None

    def __str__(self) -> str:
        """How it ended, in words."""
        if self.status.ndim:
            return ", ".join(f"{int((self.status == s).sum())} {WORDS[s]}" for s in Status if (self.status == s).any())
        words = WORDS[Status(int(self.status))]
        return f"{words} after {int(self.steps)} steps, value {float(self.value):.6g}, error {float(self.error):.2g}"
