"""The semidefinite program of a worst case, in PEPit: what a class of functions allows at the points of a method.

A function of a class with given points, gradients and values exists if and only if certain inequalities hold between
them, pair by pair (Taylor, Hendrickx & Glineur, https://arxiv.org/abs/1502.05666). They are linear in the values and in
the inner products, the Gram matrix, of the vectors. The minimum is at 0, and its value is 0.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nag_optax.theory.certificate import quietly_imported, uncertainty_of
from nag_optax.theory.float64 import float64
from nag_optax.theory.step_matrix import StepMatrix

ACCURACY, TOLERANCE, SAME = 1e-5, 1e-10, 1e-12

Row = tuple[str, Any]
"""A row of a step matrix: its field, and the index there."""

FIRST: Row = ("params", 0)
OUTPUT: Row = ("output", ...)


class WorstFunction(NamedTuple):
    """A worst function, or map, where it is asked; its minimum, or fixed point, is at 0 and the last of the places.

    Attributes:
      points: [places, dimension].
      answers: its gradients there, of a map the residuals, [places, dimension].
      values: above that at the minimum, [places]; of a map without meaning.
      multipliers: of the inequality between each two places, [places, places]: their sum proves that no function is
        worse.
    """

    points: np.ndarray
    answers: np.ndarray
    values: np.ndarray
    multipliers: np.ndarray


class Place(NamedTuple):
    """Where a function is asked.

    Attributes:
      row: of the step matrix, whose point it is, or a constant away from; None for the minimum.
      at: y_0 - at @ fed is the place, [columns]; None where that does not say it.
      point: the same as PEPit's vector.
      answer: its gradient there; of a map, the residual.
      value: its value there, PEPit's expression.
    """

    row: Row | None
    at: np.ndarray | None
    point: Any
    answer: Any
    value: Any


class Asked:
    """A function of a class, or a nonexpansive map, and the places where it is asked.

    Args:
      program: the program.
      kind: "smooth" (with smoothness 1), "convex" or "nonexpansive".
      q: the strong convexity of a smooth function.
    """

    def __init__(self, program: "Program", kind: str, q: float):
        self.program, self.kind, self.q = program, kind, q
        self.places: list[Place] = []
        functions, operators = quietly_imported("PEPit.functions"), quietly_imported("PEPit.operators")
        classes = {
            "nonexpansive": (operators.NonexpansiveOperator, {}),
            "convex": (functions.ConvexFunction, {}),
            "smooth": (functions.SmoothStronglyConvexFunction, {"mu": q, "L": 1.0})
            if q
            else (functions.SmoothConvexFunction, {"L": 1.0}),
        }
        made, constants = classes[kind]
        self.function = program.problem.declare_function(made, **constants)

    def ask(self, row: Row | None, answer: Any, *, at: np.ndarray | None = None, off: Any = None) -> Place:
        """A place at the point of a row, or at another of coefficients ``at`` or by a vector ``off`` away from it."""
        at = self.program.coefficients(row) if at is None and row is not None else at
        point = self.program.point(at) if off is None else self.program.point(at) - off
        expression = self.program.pepit.Expression
        value = expression() if row is not None else expression(is_leaf=False, decomposition_dict={})  # 0
        place = Place(row, None if off is not None else at, point, answer, value)
        self.function.add_point((point, point - answer if self.kind == "nonexpansive" else answer, place.value))
        self.places.append(place)
        return place

    def known(self, row: Row) -> Place | None:
        """The place of a row's point, if it was asked there."""
        at = self.program.coefficients(row)
        return next((p for p in self.places if p.at is not None and np.abs(p.at - at).max() <= SAME), None)

    def value(self, row: Row) -> Any:
        """The value at the point of a row."""
        place = self.known(row) or self.ask(row, self.program.unknown())
        return place.value

    def found(self) -> WorstFunction:
        """That of the solution."""
        points, answers = (np.stack([getattr(p, name).eval() for p in self.places]) for name in ("point", "answer"))
        (table,) = self.function.get_class_constraints_duals().values()
        values = np.array([place.value.eval() for place in self.places])
        return WorstFunction(points, answers, values, np.array(table, float))

    def slacks(self, points: Any, found: WorstFunction) -> Any:
        """What the inequalities have to spare, [places, places], in JAX, if the points were others."""
        x, g = (a[:, None] - a[None] for a in (points, found.answers))
        if self.kind == "nonexpansive":
            return jnp.sum(x**2, -1) - jnp.sum((x - g) ** 2, -1)
        spare = found.values[:, None] - found.values[None] - jnp.einsum("jd,ijd->ij", found.answers, x)
        if self.kind == "convex":
            return spare
        return spare - jnp.sum(g**2, -1) / 2 - self.q / (2 * (1 - self.q)) * jnp.sum((x - g) ** 2, -1)


class Program:
    """A problem about a step matrix: its start, its functions, and what the method is fed."""

    def __init__(self, H: StepMatrix):
        self.pepit = quietly_imported("PEPit")
        self.problem = self.pepit.PEP()
        self.H = H
        self.origin = self.problem.set_initial_point()
        self.fed = [self.unknown() for _ in range(H.params.shape[1])]
        self.asked: list[Asked] = []
        self._moving: Callable[[Any], Any] | None = None

    def unknown(self) -> Any:
        """A vector."""
        return self.pepit.Point()

    def asks(self, kind: str, q: float = 0.0) -> Asked:
        """One more function."""
        self.asked.append(Asked(self, kind, q))
        return self.asked[-1]

    def coefficients(self, row: Row) -> np.ndarray:
        """[columns]."""
        field, index = row
        return getattr(self.H, field)[index]

    def point(self, at: np.ndarray | None) -> Any:
        """y_0 - at @ fed; the minimum without coefficients."""
        nothing = 0 * self.origin
        return nothing if at is None else self.origin - sum((h * g for h, g in zip(at, self.fed, strict=True)), nothing)

    def distance(self, row: Row) -> Any:
        """The squared distance of a point from the minimum."""
        return self.point(self.coefficients(row)) ** 2

    def value(self, row: Row) -> Any:
        """The value of all functions together, above that at the minimum."""
        return sum(asked.value(row) for asked in self.asked)

    def begin(self, what: Any) -> None:
        """Sets what is at most 1 in the beginning."""
        self.problem.set_initial_condition(what <= 1)

    def judge(self, error: Any, moving: Callable[[Any], Any] | None = None) -> None:
        """Sets the error, in PEPit; and in JAX, where it is a function of the point of the output."""
        self.problem.set_performance_metric(error)
        self._moving = moving

    def solve(self) -> tuple[float, float]:
        """The largest error, and how far it may be from the truth.

        Raises:
          ValueError: if there is no bound, or the solver has not found it to five digits.
        """
        self._ask_at_the_minimum()
        cvxpy = quietly_imported("cvxpy")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of results that may be inaccurate: judged below
                options = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), TOLERANCE)
                bound = self.problem.solve(wrapper="cvxpy", solver=cvxpy.CLARABEL, verbose=0, **options)
        except cvxpy.error.SolverError:
            bound = None
        uncertainty = np.inf if bound is None else uncertainty_of(self.problem, bound)
        if bound is None or not uncertainty <= ACCURACY * bound:
            raise ValueError(
                "measure has no bound, or none that the solver finds to five digits: what is at most 1 in the "
                f"beginning may not limit it, or tx diverges (status: {self.problem.wrapper.prob.status})."
            )
        return float(bound), uncertainty

    def sensitivity(self, functions: Sequence[WorstFunction]) -> StepMatrix:
        """The derivative of the solution, of these functions, with respect to the entries of the step matrix, by the
        envelope theorem: the inequalities times their multipliers are all that moves.
        """
        slopes = StepMatrix(*map(np.zeros_like, self.H))
        fed = np.stack([g.eval() for g in self.fed])

        def add(row: Row, slope: Any) -> None:
            field, index = row
            getattr(slopes, field)[index] -= np.asarray(slope) @ fed.T

        with float64():
            for asked, found in zip(self.asked, functions, strict=True):

                def proof(points: Any, asked: Asked = asked, found: WorstFunction = found) -> Any:
                    return jnp.sum(found.multipliers * asked.slacks(points, found))

                for place, slope in zip(asked.places, jax.grad(proof)(jnp.asarray(found.points)), strict=True):
                    if place.row is not None:
                        add(place.row, slope)
            if self._moving is not None:
                add(OUTPUT, jax.grad(self._moving)(jnp.asarray(self.point(self.H.output).eval())))
        return slopes

    def _ask_at_the_minimum(self) -> None:
        """There the answers add up to 0, and every value is 0."""
        others = [self.unknown() for _ in self.asked[1:]]
        for asked, answer in zip(self.asked, [-sum(others, 0 * self.origin), *others], strict=True):
            asked.ask(None, answer)
