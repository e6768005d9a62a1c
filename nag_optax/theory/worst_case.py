"""The exact worst case of a method, by a semidefinite program.

Drori & Teboulle, https://arxiv.org/abs/1206.3209; Taylor, Hendrickx & Glineur, https://arxiv.org/abs/1502.05666: over
all functions of a class, in any dimension, the largest error that a method with fixed steps can leave is the value of a
semidefinite program in the inner products of what it is fed. PEPit (https://arxiv.org/abs/2201.04040) writes it down,
Clarabel solves it: the extra ``theory``.
"""

import importlib.util
import time
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from nag_optax.theory.program import FIRST, OUTPUT, Program, WorstFunction
from nag_optax.theory.step_matrix import Linear, StepMatrix, step_matrix
from nag_optax.validation import check_choice, check_convexity

DEGREE = {"distance": 0, "value": 1, "potential": 1, "gradient": 2}
"""How an error scales with a function."""


class WorstCase(NamedTuple):
    """A worst case.

    Attributes:
      value: the largest error, from a start of 1.
      uncertainty: about how far the value may be from the truth: what the worst function found violates, and what is
        left over in the proof. At most 1e-5 of the value.
      functions: what leaves it: f, and then g of a composite method.
      sensitivity: derivatives of the value with respect to the step matrix, arrays of its shapes; where several
        functions are the worst, as for optimal methods, it is that of one of them.
      seconds: that it took.
    """

    value: float
    uncertainty: float
    functions: tuple[WorstFunction, ...]
    sensitivity: StepMatrix
    seconds: float


def worst_case(
    tx: Linear,
    steps: int,
    *,
    smoothness: float | None = None,
    strong_convexity: float = 0.0,
    measure: str = "value",
    start: str = "distance",
    output: str = "params",
    feedback: str = "gradient",
) -> WorstCase:
    """The largest error that a linear method can have left.

    Args:
      tx: as in `step_matrix`. A function ``prox -> transformation`` makes a method for f + g, g any convex function.
      steps: N, the number of updates; up to about 30.
      smoothness: L of f, positive; needed for gradients.
      strong_convexity: of f, at least 0 and below ``smoothness``.
      measure: the error at the output: "value" (f - f*, of f + g), "gradient" (the squared norm of the gradient, or of
        what takes its place) or "distance" (|x - x*|^2).
      start: what is at most 1 in the beginning: "distance" (|x_0 - x*|^2), "value" (f(x_0) - f*), or "potential" (the
        value and ``strong_convexity`` / 2 times the distance).
      output: the point that is judged: "params", "base", or another output of `nag_optax.eval_params`.
      feedback: what takes the place of gradients: "gradient"; "proximal", y - prox_f(y) of a convex f, not smooth, as
        in proximal point methods; or "nonexpansive", y - T(y) of a map T that is nonexpansive.

    Returns:
      A `WorstCase`.

    Raises:
      ImportError: without PEPit, CVXPY and Clarabel: ``pip install "nag_optax[theory]"``.
      ValueError: if ``tx`` is not linear, see `step_matrix`; if what is asked for has no finite answer, or none here.

    >>> import optax
    >>> from nag_optax.theory import worst_case
    >>> round(worst_case(optax.sgd(0.1), 2, smoothness=10.0).value, 6)  # L / (4 N + 2)
    1.0
    """
    _check(smoothness, strong_convexity, measure, start, feedback)
    begin, L = time.perf_counter(), 1.0 if smoothness is None else float(smoothness)
    H = step_matrix(tx, steps, output=output)
    if len(H.proximal) and (feedback != "gradient" or measure == "gradient"):
        raise ValueError("tx may use an operator only where feedback is 'gradient' and measure is not.")
    program = _posed(StepMatrix(*(L * rows for rows in H)), strong_convexity / L, measure, start, feedback)
    value, uncertainty = program.solve()
    functions = [asked.found() for asked in program.asked]
    slopes = program.sensitivity(functions)
    factor, by_value = L ** (DEGREE[measure] - DEGREE[start]), start != "distance"

    def of_smoothness(found: WorstFunction) -> WorstFunction:
        return found._replace(
            points=found.points / L ** (by_value / 2),
            answers=found.answers * L ** (1 - by_value / 2),
            values=found.values * L ** (1 - by_value),
        )

    return WorstCase(
        value=factor * value,
        uncertainty=factor * uncertainty,
        functions=tuple(map(of_smoothness, functions)),
        sensitivity=StepMatrix(*(factor * L * slope for slope in slopes)),
        seconds=time.perf_counter() - begin,
    )


def _check(smoothness: float | None, strong_convexity: float, measure: str, start: str, feedback: str) -> None:
    check_choice("measure", measure, ("value", "gradient", "distance"))
    check_choice("start", start, ("distance", "value", "potential"))
    check_choice("feedback", feedback, ("gradient", "proximal", "nonexpansive"))
    if (smoothness is None) == (feedback == "gradient"):
        raise ValueError(f"smoothness must be given where feedback is 'gradient', and only there, got {smoothness!r}.")
    if smoothness is not None:
        check_convexity(smoothness, strong_convexity, strong_convexity_may_be_zero=True)
    elif strong_convexity != 0:
        raise ValueError("strong_convexity must be 0 where feedback is not 'gradient'.")
    if feedback == "nonexpansive" and (measure == "value" or start != "distance"):
        raise ValueError("measure and start must need no value where feedback is 'nonexpansive': a map has none.")
    for package in ("PEPit", "cvxpy", "clarabel"):
        if importlib.util.find_spec(package) is None:
            raise ImportError(f'worst_case needs {package}: pip install "nag_optax[theory]".')


def _posed(H: StepMatrix, q: float, measure: str, start: str, feedback: str) -> Program:
    """The program at smoothness 1, where a step matrix is L times as large."""
    program, gradients = Program(H), len(H.params) - 1
    f, along = program.asks({"gradient": "smooth", "proximal": "convex"}.get(feedback, feedback), q), np.eye(gradients)
    for k, answer in enumerate(program.fed[:gradients]):
        f.ask(("params", k), answer, at=H.params[k] + along[k] if feedback == "proximal" else None)
    if len(H.proximal):
        g = program.asks("convex")
        for i, answer in enumerate(program.fed[gradients:]):
            g.ask(("proximal", i), answer)
    begun = {"distance": 1, "value": 0, "potential": q / 2}[start] * program.distance(FIRST)
    program.begin(begun if start == "distance" else begun + program.value(FIRST))
    if measure == "gradient":
        answer = program.unknown()
        f.ask(OUTPUT, answer, off=answer if feedback == "proximal" else None)
        program.judge(answer**2)
    elif measure == "distance":
        program.judge(program.distance(OUTPUT), lambda point: jnp.sum(point**2))
    else:
        if any(asked.kind == "convex" and asked.known(OUTPUT) is None for asked in program.asked):
            raise ValueError(
                "output must be a point to which a proximal step leads, such as 'base', where measure is 'value': "
                "elsewhere a function that is not smooth may have any value."
            )
        program.judge(program.value(OUTPUT))
    return program
