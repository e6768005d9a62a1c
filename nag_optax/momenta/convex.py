"""Sequences from convex optimisation, each with a guarantee."""

import jax.numpy as jnp
import optax

from nag_optax.momenta.sequence import MomentumSequence
from nag_optax.scalars import Scalar, as_float
from nag_optax.validation import check_number, is_concrete, number


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
    numerically exact for every ``a`` that we tried.

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
