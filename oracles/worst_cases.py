"""Exact worst cases: the largest error that a method can have left on any function of its class, and where it has it.

Smoothness 1, strong convexity q, minimum 0 at 0, start at 1. The closed form of a row comes from the paper, or from the
method's published recursion on a straight line. Rows whose closed form is not in a paper were found numerically, by
semidefinite programming, and are "numerically exact".
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from oracles.functions import Functions, huber, quadratic
from oracles.lines import on_lines
from oracles.published import accelerated


class Row(NamedTuple):
    """One exact worst case.

    Attributes:
      method: whose.
      point: of the paper that is judged: "x_N", its base iterate; "y_N", where it takes the next gradient; or another.
      error: ``error(functions, x)``, what is judged of it.
      worst: ``worst(q, steps) -> (largest error, functions that attain it)``.
      convex: whether q must be 0.
      fixed_horizon: whether the method knows the number of steps.
    """

    method: str
    point: str
    error: Callable[[Functions, jax.Array], jax.Array]
    worst: Callable[[float, int], tuple[float, list[Functions]]]
    convex: bool = False
    fixed_horizon: bool = False


# What is judged


def value(f, x):
    """f(x_N) - f*, with |x_0 - x*| = 1."""
    return f.value(x)


def squared_distance(f, x):
    """|x_N - x*|^2, with |x_0 - x*| = 1."""
    return x**2


def squared_gradient(f, x):
    """|f'(x_N)|^2, with f(x_0) - f* = 1."""
    return f.gradient(x) ** 2 / f.value(jnp.ones_like(x))


def normalised_value(f, x):
    """f(x_N) - f*, with f(x_0) - f* + (q/2) |x_0 - x*|^2 = 1."""
    return f.value(x) / (f.value(jnp.ones_like(x)) + f.q / 2)


# How large it is at most


def on_quadratic(closed_form, *others):
    """A worst case by its closed form, attained on x^2 / 2, and on ``others(q, steps)``."""

    def worst(q, steps):
        return closed_form(q, steps), [quadratic(1.0, q), *(other(q, steps) for other in others)]

    return worst


def nag_on_the_line(a):
    """The worst case of momentum (k - 1) / (k + a) by its recursion."""
    return on_lines(lambda q, gradient, x: accelerated.polynomial_nag(gradient, x, 1.0, a))


def polynomial_case(a):
    """The same by its closed form."""

    def worst(q, steps):
        largest = (a + 2) / (2 * (steps**2 + (2 * a + 1) * steps + a + 4))
        return largest, [huber(2 * largest)]

    return worst


def rho(q):
    """The rate of the triple momentum method."""
    return 1 - q**0.5


def nth(iterator, n):
    """Its n-th element."""
    return next(itertools.islice(iterator, n, None))


def theta(steps):
    """theta_N of OGM's ordinary sequence."""
    return nth(accelerated.t_sequence(), steps)


def item_at(q, steps):
    """(A_N, beta_N) of ITEM."""
    A, beta, _ = nth(accelerated.item_sequence(q), steps)
    return A, beta


def _convex(method):
    return lambda q, gradient, x: method(gradient, x, 1.0)


def _with_q(method):
    return lambda q, gradient, x: method(gradient, x, 1.0, q)


_BOTH = ("right", "left")

ROWS = {
    "NAG t_k, f(x_N)": Row("NAG t_k", "x_N", value, on_lines(_convex(accelerated.nag)), convex=True),
    "NAG t_k, f(y_N)": Row("NAG t_k", "y_N", value, on_lines(_convex(accelerated.nag), point=0), convex=True),
    "NAG (k-1)/(k+2), f(x_N)": Row("NAG (k-1)/(k+2)", "x_N", value, polynomial_case(2), convex=True),
    "NAG (k-1)/(k+3), f(x_N)": Row("NAG (k-1)/(k+3)", "x_N", value, polynomial_case(3), convex=True),
    "OGM, last step, f": Row(
        "OGM",
        "last step",
        value,
        on_quadratic(
            lambda q, n: 1 / (2 * accelerated.last_theta(n) ** 2),
            lambda q, n: huber(1 / accelerated.last_theta(n) ** 2),
        ),
        convex=True,
    ),
    "OGM, f(x_N)": Row("OGM", "x_N", value, on_lines(_convex(accelerated.ogm)), convex=True),
    "OGM, f(y_N)": Row("OGM", "y_N", value, on_quadratic(lambda q, n: 1 / (2 * theta(n) ** 2)), convex=True),
    "OGM-G, |g(y_N)|^2": Row(
        "OGM-G",
        "y_N",
        squared_gradient,
        on_quadratic(lambda q, n: 2 / accelerated.ogm_g_thetas(n)[0] ** 2),
        convex=True,
        fixed_horizon=True,
    ),
    "NAG constant, f(x_N)": Row("NAG constant", "x_N", value, on_lines(_with_q(accelerated.constant_nag), _BOTH)),
    "NAG constant, f(x_N) normalised": Row(
        "NAG constant", "x_N", normalised_value, on_lines(_with_q(accelerated.constant_nag), _BOTH, normalised=True)
    ),
    "NAG non-stationary, f(x_N)": Row(
        "NAG non-stationary", "x_N", value, on_lines(_with_q(accelerated.strongly_convex_nag))
    ),
    "TMM, f(z_N)": Row("TMM", "z_N", value, on_quadratic(lambda q, n: rho(q) ** (2 * n) / q / 2)),
    "TMM, |z_N - x*|^2": Row("TMM", "z_N", squared_distance, on_quadratic(lambda q, n: rho(q) ** (2 * n) / q)),
    "TMM, f(y_N)": Row("TMM", "y_N", value, on_quadratic(lambda q, n: 2 * rho(q) ** (2 * n) / (1 + q**0.5) ** 2)),
    "TMM, f(x_N)": Row("TMM", "x_N", value, on_lines(_with_q(accelerated.triple_momentum), _BOTH)),
    "ITEM, |z_N - x*|^2": Row(
        "ITEM",
        "z_N",
        squared_distance,
        on_quadratic(lambda q, n: 1 / (1 + q * item_at(q, n)[0]), lambda q, n: quadratic(q, q)),
    ),
    "ITEM, f(y_N)": Row(
        "ITEM",
        "y_N",
        value,
        on_quadratic(lambda q, n: (1 - item_at(q, n)[1]) ** 2 / (2 * (1 + q * item_at(q, n)[0]))),
    ),
    "ITEM, f(x_N)": Row("ITEM", "x_N", value, on_lines(_with_q(accelerated.item))),
}


def worst_case(row, q, steps):
    """The largest error by its closed form, and the functions that attain it."""
    return row.worst(0.0 if row.convex else q, steps)
