"""Exact worst cases: the largest error that a method can have left on any function of its class, and where it has it.

Smoothness 1, strong convexity q, minimum 0 at 0, start at 1. The closed form of a row comes from the paper, or from the
method's published recursion on a straight line. Rows whose closed form is not in a paper were found numerically, by
semidefinite programming, and are "numerically exact".
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from oracles.errors import (
    normalised_value,
    squared_distance,
    squared_gradient,
    squared_move,
    squared_residual,
    value,
)
from oracles.functions import huber, quadratic
from oracles.largest import (
    BOTH,
    convex,
    item_at,
    nag_weight,
    nth,
    of_halpern,
    of_nag,
    of_nag_g,
    of_steps,
    on_kink,
    on_quadratic,
    polynomial_case,
    rho,
    theta,
    whole_silver,
    with_q,
)
from oracles.lines import on_lines
from oracles.published import accelerated, step_sizes


class Row(NamedTuple):
    """One exact worst case.

    Attributes:
      method: whose.
      point: of the paper that is judged: "x_N", its base iterate; "y_N", where it takes the next gradient; or another.
      error: ``error(functions, x)``, what is judged of it.
      worst: ``worst(q, steps) -> (largest error, functions that attain it)``.
      convex: whether q must be 0.
      fixed_horizon: whether the method knows the number of steps.
      fed: what the method meets: "gradient"; "composite", gradients of f and the proximal map of g; "proximal", the
        residual x - prox_g(x); "nonexpansive" and "resolvent", residuals of 1 - 2 f' and of 1 - f', where f' stands for
        what is firmly nonexpansive.
      rounded: the number of steps that is judged where another is asked for.
    """

    method: str
    point: str
    error: Callable[[Any, jax.Array], jax.Array]
    worst: Callable[[float, int], tuple[float, list[Any]]]
    convex: bool = False
    fixed_horizon: bool = False
    fed: str = "gradient"
    rounded: Callable[[int], int] = lambda steps: steps


ROWS = {
    "NAG t_k, f(x_N)": Row("NAG t_k", "x_N", value, of_nag, convex=True),
    "NAG t_k, f(y_N)": Row("NAG t_k", "y_N", value, on_lines(convex(accelerated.nag), point=0), convex=True),
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
    "OGM, f(x_N)": Row("OGM", "x_N", value, on_lines(convex(accelerated.ogm)), convex=True),
    "OGM, f(y_N)": Row("OGM", "y_N", value, on_quadratic(lambda q, n: 1 / (2 * theta(n) ** 2)), convex=True),
    "OGM-G, |g(y_N)|^2": Row(
        "OGM-G",
        "y_N",
        squared_gradient,
        on_quadratic(lambda q, n: 2 / accelerated.ogm_g_thetas(n)[0] ** 2),
        convex=True,
        fixed_horizon=True,
    ),
    "dual NAG, |g(y_N)|^2": Row("dual NAG", "y_N", squared_gradient, of_nag_g, convex=True, fixed_horizon=True),
    "silver steps, f": Row(
        "silver steps", "y_N", value, of_steps(step_sizes.silver), convex=True, rounded=whole_silver
    ),
    "long steps, f": Row(
        "long steps",
        "y_N",
        value,
        of_steps(lambda n: step_sizes.concatenations(n)[n][1]),
        convex=True,
        fixed_horizon=True,
    ),
    "FISTA, f + g at x_N": Row("FISTA", "x_N", value, on_kink(nag_weight), convex=True, fed="composite"),
    "OptISTA, f + g at y_N": Row(
        "OptISTA",
        "x_N",
        value,
        on_kink(lambda n: (accelerated.last_theta(n) ** 2 - 1) / 2),
        convex=True,
        fixed_horizon=True,
        fed="composite",
    ),
    "Guler's second, f(x_N)": Row(
        "Guler's second",
        "x_N",
        value,
        on_kink(lambda n: nth(accelerated.t_sequence(), n - 1) ** 2),
        convex=True,
        fed="proximal",
    ),
    "Halpern, |x_N - T(x_N)|^2": Row(
        "Halpern",
        "y_N",
        squared_residual,
        of_halpern(4),
        convex=True,
        fed="nonexpansive",
    ),
    "APPM, |y_N - J(y_N)|^2": Row(
        "APPM",
        "y_N",
        squared_move,
        of_halpern(1),
        convex=True,
        fed="resolvent",
    ),
    "NAG constant, f(x_N)": Row("NAG constant", "x_N", value, on_lines(with_q(accelerated.constant_nag), BOTH)),
    "NAG constant, f(x_N) normalised": Row(
        "NAG constant", "x_N", normalised_value, on_lines(with_q(accelerated.constant_nag), BOTH, normalised=True)
    ),
    "NAG non-stationary, f(x_N)": Row(
        "NAG non-stationary", "x_N", value, on_lines(with_q(accelerated.strongly_convex_nag))
    ),
    "TMM, f(z_N)": Row("TMM", "z_N", value, on_quadratic(lambda q, n: rho(q) ** (2 * n) / q / 2)),
    "TMM, |z_N - x*|^2": Row("TMM", "z_N", squared_distance, on_quadratic(lambda q, n: rho(q) ** (2 * n) / q)),
    "TMM, f(y_N)": Row("TMM", "y_N", value, on_quadratic(lambda q, n: 2 * rho(q) ** (2 * n) / (1 + q**0.5) ** 2)),
    "TMM, f(x_N)": Row("TMM", "x_N", value, on_lines(with_q(accelerated.triple_momentum), BOTH)),
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
    "ITEM, f(x_N)": Row("ITEM", "x_N", value, on_lines(with_q(accelerated.item))),
}


def worst_case(row, q, steps):
    """The largest error by its closed form, and the functions that attain it."""
    return row.worst(0.0 if row.convex else q, row.rounded(steps))
