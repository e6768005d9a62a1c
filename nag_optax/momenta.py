"""Momentum sequences: how much velocity Nesterov's method keeps, update after update.

Convention: ``momentum(k)`` decays the velocity in update k, counted from 0; the lookahead of that update uses
``momentum(k + 1)``. The sequences of convex optimisation start from rest: ``momentum(0) = momentum(1) = 0``, so that
the first update is a gradient step.

Sequences with a closed form are plain Optax schedules, functions of the count. `nesterov` is a recursion and therefore
a `MomentumSequence`, which carries scalars from update to update. Each works as ``nag(learning_rate, momentum=...)``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.renamed import renamed_arguments
from nag_optax.scalars import Scalar, as_float, pair_at
from nag_optax.validation import check_integer, check_number, is_concrete, number, number_or_schedule


class MomentumSequence(NamedTuple):
    """A momentum sequence that is defined by a recursion.

    Attributes:
      init: ``init() -> carry``, scalars.
      values: ``values(age, carry) -> (momentum(age), momentum(age + 1), carry)``.
    """

    init: Callable[[], Any]
    values: Callable[[Array, Any], tuple[Scalar, Scalar, Any]]


MomentumSequence.__new__ = renamed_arguments(step="values")(MomentumSequence.__new__)

Momentum = optax.ScalarOrSchedule | MomentumSequence


def as_sequence(momentum: Momentum, name: str = "momentum") -> MomentumSequence:
    """Any momentum, constant, schedule or sequence, as a `MomentumSequence`; errors name the argument.

    Raises:
      TypeError: if it is none of the three.
      ValueError: if it is a concrete number outside [0, 1).
    """
    if isinstance(momentum, MomentumSequence):
        return momentum
    checked = number_or_schedule(name, momentum, at_least=0, below=1)

    def values(age, carry):
        return *pair_at(checked, age), carry

    return MomentumSequence(tuple, values)


def nesterov() -> MomentumSequence:
    """Nesterov's sequence of 1983, which FISTA made popular ::

        momentum(k) = (t_{k-1} - 1) / t_k,   t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2,   t_0 = 1

    With learning rate 1 / L on a convex function, f(x_k) - f* <= 2 L |x_0 - x*|^2 / (k + 1)^2 after k gradients, x the
    base iterate.

    >>> from nag_optax.momenta import nesterov, tabulate
    >>> print(tabulate(nesterov(), 5).round(4))
    [0.     0.     0.2818 0.434  0.5311]

    References:
      Beck & Teboulle, A fast iterative shrinkage-thresholding algorithm, SIAM J. Imaging Sciences 2(1), 2009.
    """

    def init():
        return 0.0, 1.0  # momentum(0), t_0

    def values(age, carry):
        momentum, t = carry
        t_next = (1 + jnp.sqrt(1 + 4 * t**2)) / 2
        momentum_next = (t - 1) / t_next
        return momentum, momentum_next, (momentum_next, t_next)

    return MomentumSequence(init, values)


def polynomial(a: float = 2.0) -> optax.Schedule:
    """The momentum of the continuous-time analyses, (k - 1) / (k + a), from rest.

    ``a=2`` is Su, Boyd & Candes' sequence, ``a > 2`` Chambolle & Dossal's. With learning rate 1 / L on a convex
    function the worst case of f(x_k) - f* is L |x_0 - x*|^2 (a + 2) / (2 (k^2 + (2a + 1) k + a + 4)) after k gradients,
    numerically exact for every ``a`` that was tried.

    Args:
      a: positive; at least 2 for the guarantee.

    >>> from nag_optax.momenta import polynomial, tabulate
    >>> print(tabulate(polynomial(), 5).round(4))
    [0.         0.         0.25       0.39999998 0.5       ]

    References:
      Su, Boyd & Candes, https://arxiv.org/abs/1503.01243; Chambolle & Dossal, J. Optim. Theory Appl. 166, 2015.
    """
    check_number("a", a, above=0)

    def schedule(count):
        k = as_float(count)
        return jnp.maximum(k - 1, 0) / (k + a)

    return schedule


def sutskever(max_momentum: float = 0.99, period: int = 250) -> optax.Schedule:
    """The deep-learning schedule: momentum 1/2, 3/4, 5/6, ... for 250 updates each, up to ``max_momentum`` ::

        momentum(t) = min(1 - 2^(-1 - log2(floor(t / period) + 1)), max_momentum)

    Args:
      max_momentum: in [0, 1); the paper tries 0, 0.9, 0.99, 0.995 and 0.999.
      period: updates of every momentum, at least 1. The paper's 250 reach 0.99 after 12,250 updates of 750,000, and
        0.999 after 124,750: in a shorter training let it be shorter.

    >>> from nag_optax.momenta import sutskever
    >>> [round(float(sutskever(0.9)(t)), 4) for t in (0, 249, 250, 500, 10_000)]
    [0.5, 0.5, 0.75, 0.8333, 0.9]

    References:
      Sutskever, Martens, Dahl & Hinton, On the importance of initialization and momentum in deep learning, ICML 2013.
    """
    check_number("max_momentum", max_momentum, at_least=0, below=1)
    check_integer("period", period, at_least=1)

    def schedule(count):
        return jnp.minimum(1 - 0.5 / (jnp.floor(as_float(count) / period) + 1), max_momentum)

    return schedule


def strongly_convex(condition_number: Scalar) -> optax.Schedule:
    """Nesterov's constant momentum for a function with a known condition number L / mu ::

        momentum(k) = (sqrt(condition_number) - 1) / (sqrt(condition_number) + 1)

    With learning rate 1 / L, f(x_k) - f* <= (1 - sqrt(mu / L))^k (f(x_0) - f* + mu/2 |x_0 - x*|^2).

    Args:
      condition_number: L / mu, at least 1.

    >>> from nag_optax.momenta import strongly_convex
    >>> round(float(strongly_convex(100.0)(0)), 4)
    0.8182

    References:
      Nesterov, Lectures on convex optimization, 2018, (2.2.22).
    """
    check_number("condition_number", condition_number, at_least=1)

    def schedule(count):
        root = jnp.sqrt(jnp.asarray(condition_number, jnp.result_type(float)))
        return (root - 1) / (root + 1)

    return schedule


def chambolle_pock(
    step_size: Scalar, strong_convexity: Scalar = 0.0, prox_strong_convexity: Scalar = 0.0
) -> MomentumSequence:
    """The momentum of accelerated proximal gradient for f + g, one of them strongly convex ::

        mu = mu_f + mu_g,   q = s mu / (1 + s mu_g),   t_{k+1} = (1 - q t_k^2 + sqrt((1 - q t_k^2)^2 + 4 t_k^2)) / 2
        momentum(k) = (t_k - 1) / t_{k+1} (1 + s mu_g - t_{k+1} s mu) / (1 - s mu_f),   t_1 = 1

    With ``fista(step_size, prox, momentum=..., restart=None)`` F(x_k) - F* is at most min((1 + sqrt(q)) (1 -
    sqrt(q))^k, 4 / (k + 1)^2) (1 + s mu_g) |x_0 - x*|^2 / (2 s). Without strong convexity it is `nesterov`.

    Args:
      step_size: s, positive; at most 1 / L.
      strong_convexity: mu_f of f, at least 0 and below 1 / step_size.
      prox_strong_convexity: mu_g of g, at least 0: the strength of `nag_optax.prox.l2_squared`.

    >>> from nag_optax.momenta import chambolle_pock, tabulate
    >>> print(tabulate(chambolle_pock(1.0, strong_convexity=0.01), 100)[-1].round(4))  # (1 - 0.1) / (1 + 0.1)
    0.8182

    References:
      Chambolle & Pock, An introduction to continuous optimization for imaging, Acta Numerica 25, 2016, Algorithm 5.
    """
    check_number("step_size", step_size, above=0)
    check_number("strong_convexity", strong_convexity, at_least=0)
    check_number("prox_strong_convexity", prox_strong_convexity, at_least=0)
    if is_concrete(step_size):
        check_number("strong_convexity", strong_convexity, below=1 / number(step_size))
    mu = strong_convexity + prox_strong_convexity
    q = step_size * mu / (1 + step_size * prox_strong_convexity)

    def values(age, carry):
        momentum, t = carry
        b = 1 - q * t**2
        t_next = (b + jnp.sqrt(b**2 + 4 * t**2)) / 2
        correction = (1 + step_size * (prox_strong_convexity - t_next * mu)) / (1 - step_size * strong_convexity)
        momentum_next = (t - 1) / t_next * correction
        return momentum, momentum_next, (momentum_next, t_next)

    return MomentumSequence(lambda: (0.0, 1.0), values)


def dozat(b1: Scalar = 0.9, decay: Scalar = 0.004) -> optax.Schedule:
    """Dozat's slow warm-up of momentum, from half of ``b1`` to ``b1`` ::

        momentum(t) = b1 (1 - 0.96^(decay t) / 2)

    NAdam counts its updates from t = 1. Keras leaves out the 0.004: ``dozat(b1, decay=1)``.

    Args:
      b1: final momentum, in [0, 1).
      decay: speed of the warm-up, at least 0; psi in the paper.

    >>> from nag_optax.momenta import dozat
    >>> round(float(dozat(0.9)(100)), 4), round(float(dozat(0.9, decay=1)(100)), 4)
    (0.4573, 0.8924)

    References:
      Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016.
    """
    check_number("b1", b1, at_least=0, below=1)
    check_number("decay", decay, at_least=0)

    def schedule(count):
        return b1 * (1 - 0.5 * 0.96 ** (decay * as_float(count)))

    return schedule


def tabulate(momentum: Momentum, steps: int) -> Array:
    """The first values of a momentum, shape [steps]: what decays the velocity in updates 0, 1, ... For plots and for
    the curious.
    """
    sequence = as_sequence(momentum)
    check_integer("steps", steps, at_least=1)

    def body(carry, age):
        value, _, carry = sequence.values(age, carry)
        return carry, jnp.asarray(value, jnp.result_type(float))

    carry = jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(float)), sequence.init())
    return jax.lax.scan(body, carry, jnp.arange(steps))[1]
