"""The exact worst case of a method, by a semidefinite program.

Drori & Teboulle, https://arxiv.org/abs/1206.3209; Taylor, Hendrickx & Glineur, https://arxiv.org/abs/1502.05666. Over all
smooth convex functions, the largest error that a method with fixed steps can leave is the value of a semidefinite
program in the inner products of its gradients. PEPit writes it down, Clarabel solves it: the extra ``theory``.
"""

import importlib
import time
from typing import Any, NamedTuple

import numpy as np
import optax

from nag_optax.theory.step_matrix import step_matrix
from nag_optax.validation import check_choice, check_convexity


class WorstCase(NamedTuple):
    """Attributes:
    value: the largest error, for a start of 1.
    multipliers: of the inequalities that prove it, the dual solution.
    seconds: that it took.
    """

    value: float
    multipliers: np.ndarray
    seconds: float


def worst_case(
    tx: optax.GradientTransformation,
    steps: int,
    *,
    smoothness: float = 1.0,
    strong_convexity: float = 0.0,
    measure: str = "value",
    start: str = "distance",
    output: str = "params",
) -> WorstCase:
    check_choice("measure", measure, ("value", "gradient", "distance"))
    check_choice("start", start, ("distance", "value"))
    check_convexity(smoothness, strong_convexity, strong_convexity_may_be_zero=True)
    H = step_matrix(tx, steps, output=output)
    begin = time.perf_counter()
    pepit, functions, cvxpy = (importlib.import_module(n) for n in ("PEPit", "PEPit.functions", "cvxpy"))
    problem = pepit.PEP()
    if strong_convexity:
        f = problem.declare_function(functions.SmoothStronglyConvexFunction, mu=strong_convexity, L=smoothness)
    else:
        f = problem.declare_function(functions.SmoothConvexFunction, L=smoothness)
    optimum = f.stationary_point()
    origin = problem.set_initial_point()
    gradients: list[Any] = []

    def point(row: np.ndarray) -> Any:
        return origin - sum((h * g for h, g in zip(row, gradients, strict=False)), 0 * origin)

    for k in range(steps):
        gradients.append(f.gradient(point(H.params[k])))
    first = (origin - optimum) ** 2 if start == "distance" else f(origin) - f(optimum)
    problem.set_initial_condition(first <= 1)
    last = point(H.output)
    measured = {
        "value": lambda: f(last) - f(optimum),
        "gradient": lambda: f.gradient(last) ** 2,
        "distance": lambda: (last - optimum) ** 2,
    }
    problem.set_performance_metric(measured[measure]())
    value = problem.solve(wrapper="cvxpy", solver=cvxpy.CLARABEL, verbose=0)
    multipliers = np.array([c.eval_dual() for c in f.list_of_class_constraints])
    return WorstCase(float(value), multipliers, time.perf_counter() - begin)
