"""Five numbers a step: the common form of the accelerated first-order methods.

Every method with a fixed step structure keeps one buffer ``m`` per parameter, and five scalars define a step ::

    m      <-  decay * m + gain * g                     g = gradient at params
    params <-  params - lead * m - step_size * g        (m is the new one)
    base iterate  =  params + readout * m

``params`` is the point where the gradient is taken, the base iterate the point that the theory bounds. A method is a
`Rule`: a function that returns these numbers as `Coefficients` at every step. Papers write their methods in one of
three shapes; the three functions ``from_*`` below convert each of them to `Coefficients`. Rescaling ``m -> sigma m``
leaves the iterates unchanged; the sign of m is chosen here so that the numbers are positive.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jax import Array

from nag_optax.renamed import renamed_arguments
from nag_optax.scalars import Scalar


class Coefficients(NamedTuple):
    """The scalars of one step. A Python ``0`` or ``1`` costs nothing: the engine skips that product.

    Attributes:
      decay: the factor of the old buffer.
      gain: weight of the gradient in the buffer.
      lead: distance that params move against the new buffer.
      step_size: distance that params move against the gradient.
      readout: the base iterate after this step is ``params + readout * m``.
      outputs: other points that the method's paper analyses, by name: ``params + outputs[name] * m``. The same names at
        every step.
      hyperparams: values of this step to log, by name: "learning_rate", "momentum". The same names at every step; no
        update depends on them.

    A step of the heavy ball, x - 0.1 g - 0.9 (x_previous - x), with the buffer m = x_previous - x:

    >>> from nag_optax import Coefficients
    >>> step = Coefficients(decay=0.9, gain=0.1, lead=1, step_size=0, readout=0)
    >>> step.with_output("previous", 1.0).outputs  # params + m
    {'previous': 1.0}
    """

    decay: Scalar
    gain: Scalar
    lead: Scalar
    step_size: Scalar
    readout: Scalar
    outputs: Mapping[str, Scalar] = {}
    hyperparams: Mapping[str, Scalar] = {}

    def with_output(self, name: str, readout: Scalar) -> "Coefficients":
        """The same step with one more point to read out."""
        return self._replace(outputs={**self.outputs, name: readout})


class Rule(NamedTuple):
    """A method: how to compute its `Coefficients` in each step.

    Attributes:
      init: ``init() -> carry``, the scalars of a recursion such as t_k at its start; ``()`` if the method has none.
      numbers: ``numbers(count, age, carry) -> (coefficients, carry)``. ``count`` counts updates from 0 and drives a
        learning-rate schedule, ``age`` counts them since the last restart and drives a momentum sequence. A restart
        sets ``age`` to 0 and ``carry`` to ``init()``.

    Gradient descent with a step of 1 / sqrt(k), from k = 1:

    >>> import jax.numpy as jnp
    >>> from nag_optax import Coefficients, Rule, accelerate
    >>> def numbers(count, age, carry):
    ...     return Coefficients(decay=0, gain=0, lead=0, step_size=1 / jnp.sqrt(count + 1.0), readout=0), carry
    >>> tx = accelerate(Rule(tuple, numbers))
    >>> tx.update(jnp.ones(()), tx.init(jnp.ones(())))[0]
    Array(-1., dtype=float32)
    """

    init: Callable[[], Any]
    numbers: Callable[[Array, Array, Any], tuple[Coefficients, Any]]


Coefficients.__new__ = renamed_arguments(step="step_size")(Coefficients.__new__)
Rule.__new__ = renamed_arguments(step="numbers")(Rule.__new__)


def from_coupling(
    tau: Scalar, tau_next: Scalar, mixing: Scalar, long_step: Scalar, learning_rate: Scalar
) -> Coefficients:
    """Coefficients of a method written with three coupled sequences (x short steps, z long steps) ::

        y_k     = (1 - tau_k) x_k + tau_k z_k                           params
        x_{k+1} = y_k - learning_rate g_k                               base iterate
        z_{k+1} = (1 - mixing) z_k + mixing y_k - long_step g_k         output "z"

    The buffer is m = x - z, which starts at 0 because the method starts at x_0 = z_0.

    Args:
      tau: tau_k, in (0, 1].
      tau_next: tau_{k+1}.
      mixing: weight of y_k in the long step, in [0, 1]; 0 for methods that do not use strong convexity.
      long_step: step length of z.
      learning_rate: step length of x, 1 / L in most papers.

    >>> from nag_optax import from_coupling
    >>> c = from_coupling(tau=1.0, tau_next=0.5, mixing=0.0, long_step=1.0, learning_rate=1.0)
    >>> c.decay, c.gain, c.lead, c.step_size, c.readout, c.outputs
    (0.0, 0.0, 0.5, 1.0, 0.5, {'z': -0.5})
    """
    return Coefficients(
        decay=(1 - mixing) * (1 - tau),
        gain=long_step - learning_rate,
        lead=tau_next,
        step_size=learning_rate,
        readout=tau_next,
        outputs={"z": tau_next - 1},
        hyperparams={
            "learning_rate": learning_rate,
            "momentum": (1 - mixing) * (1 - tau) * tau_next / tau,  # as `from_momentum_and_correction` has it
        },
    )


def from_momentum_and_correction(momentum: Scalar, correction: Scalar, learning_rate: Scalar) -> Coefficients:
    """Coefficients of a method written with the base iterate's last moves ::

        x_{k+1} = y_k - learning_rate g_k                                                       base iterate
        y_{k+1} = x_{k+1} + momentum (x_{k+1} - x_k) + correction (x_{k+1} - y_k)               params

    The buffer is the displacement m = x - y. ``correction=0`` is Nesterov's method; OGM has both.

    Args:
      momentum: beta_{k+1}, used after the (k+1)-th gradient.
      correction: gamma_{k+1}.
      learning_rate: step length of x, 1 / L in most papers.

    >>> from nag_optax import from_momentum_and_correction
    >>> c = from_momentum_and_correction(momentum=0.5, correction=0.0, learning_rate=1.0)
    >>> c.decay, c.gain, c.lead, c.step_size, c.readout
    (0.5, 0.5, 1, 1.0, 1)
    """
    return Coefficients(
        decay=momentum,
        gain=learning_rate * (momentum + correction),
        lead=1,
        step_size=learning_rate,
        readout=1,
        hyperparams={"learning_rate": learning_rate, "momentum": momentum},
    )


def from_two_step(
    beta: Scalar,
    alpha: Scalar,
    gamma: Scalar,
    delta: Scalar = 0.0,
    *,
    gamma_next: Scalar | None = None,
    delta_next: Scalar | None = None,
) -> Coefficients:
    """Coefficients of a method written as a two-step recursion (control theory, triple momentum) ::

        xi_{k+1} = xi_k + beta (xi_k - xi_{k-1}) - alpha g_k
        y_k      = xi_k + gamma_k (xi_k - xi_{k-1})                     params
        x_k      = xi_k + delta_k (xi_k - xi_{k-1})                     base iterate

    The buffer is the velocity m = xi_{k-1} - xi_k.

    Args:
      beta: momentum of xi, not 0.
      alpha: step length.
      gamma: where the gradient is taken: 0 for the heavy ball, beta for Nesterov.
      delta: where the method is evaluated.
      gamma_next: gamma_{k+1} where it varies; gamma by default.
      delta_next: delta_{k+1} where it varies; delta by default.

    >>> from nag_optax import from_two_step
    >>> c = from_two_step(beta=0.5, alpha=1.0, gamma=0.5)
    >>> c.decay, c.gain, c.lead, c.step_size, c.readout
    (0.5, 1.0, 0.5, 1.0, 0.5)
    """
    gamma_next = gamma if gamma_next is None else gamma_next
    delta_next = delta if delta_next is None else delta_next
    return Coefficients(
        decay=beta,
        gain=alpha,
        lead=1 - gamma / beta + gamma_next,
        step_size=alpha * gamma / beta,
        readout=gamma_next - delta_next,
        hyperparams={"learning_rate": alpha, "momentum": beta},
    )
