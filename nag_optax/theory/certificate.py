"""How much a solved semidefinite program proves.

A solver ends with a worst function that violates its inequalities a little, and with a proof that does not quite add
up. Neither the gap between the two nor the solver's word says how much that matters: where a method diverges, numbers
are huge and cancel.
"""

import importlib
import warnings
from typing import Any

import numpy as np


def quietly_imported(name: str) -> Any:
    """A package, whose own source may warn when it is compiled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def uncertainty_of(problem: Any, bound: float) -> float:
    """How far the bound of a solved problem of PEPit may be from the worst case: the gap to what the function found
    leaves, what that function violates, and what is left over in the proof, each as large as it counts.
    """
    constraints = problem._list_of_prepared_constraints
    multipliers = np.array([constraint.eval_dual() for constraint in constraints])
    slacks = -np.array([constraint.eval() for constraint in constraints])
    violated = np.sum(np.abs(multipliers * np.minimum(slacks, 0)) + np.abs(np.minimum(multipliers, 0) * slacks))
    gram, residual = problem.G_value, problem.residual
    indefinite = sum(
        np.trace(other) * max(0.0, -np.linalg.eigvalsh(one)[0]) for one, other in ((gram, residual), (residual, gram))
    )
    proof = sum(m * constraint.expression for m, constraint in zip(multipliers, constraints, strict=True))
    gap = abs(bound - problem.wrapper.objective.value)
    return float(gap + violated + indefinite + _left_over(problem.objective - proof, residual))


def _left_over(expression: Any, residual: np.ndarray) -> float:
    """The size of an expression that the square with the residual should cancel, but for a constant."""
    points = quietly_imported("PEPit").Point.list_of_leaf_points
    tools = quietly_imported("PEPit.tools.dict_operations")
    whole = expression + np.dot(points, np.dot(residual, points))
    lengths = {point: np.linalg.norm(point.eval()) for point in points}

    def size(term: Any) -> float:
        return float(lengths[term[0]] * lengths[term[1]] if isinstance(term, tuple) else abs(term.eval()))

    terms = tools.prune_dict(tools.symmetrize_dict(whole.decomposition_dict))
    return float(sum(abs(coefficient) * size(term) for term, coefficient in terms.items() if term != 1))
