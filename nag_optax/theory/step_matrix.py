"""The step matrix of a method: what each of its points is made of.

A method whose updates are linear in the gradients is a lower triangular matrix H and nothing else ::

    y_k = y_0 - sum over i < k of H[k, i] g_i                   g_i = gradient at y_i

It is found by feeding unit vectors for gradients: with g_i = e_i in R^N and y_0 = 0, the k-th point is minus the k-th
row. So any transformation of Optax has one, if it neither divides by gradients nor looks at params. A proximal step is
a step along a subgradient h_i at the point to which it leads, prox_{s h}(v) = v - s h_i: the operator of a composite
method feeds unit vectors, too.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Rule
from nag_optax.evaluation import eval_params
from nag_optax.theory.float64 import float64
from nag_optax.validation import check_integer, check_takes, check_transformation

Linear = optax.GradientTransformation | Rule | Callable[[Any], optax.GradientTransformation]
"""A transformation with its learning rate, a rule, or a function of a proximal operator that makes a transformation."""

TOLERANCE = 1e-9
SIZES, OTHER = (1e-30, 1.0, 1e30), (2, 3)


class StepMatrix(NamedTuple):
    """The points of a method as combinations of what it is fed, in float64: a row ``r`` is y_0 - r @ fed.

    The columns are the gradients, one for each of the steps, and then the subgradients, one for each proximal step.

    Attributes:
      params: H, [steps + 1, columns]: row k makes params after k updates.
      output: the row of the point that is evaluated after the last update, [columns].
      proximal: the rows of the points to which proximal steps lead, [proximal steps, columns].
    """

    params: np.ndarray
    output: np.ndarray
    proximal: np.ndarray


def step_matrix(tx: Linear, steps: int, *, output: str = "params") -> StepMatrix:
    """The step matrix of a gradient transformation.

    Args:
      tx: any transformation whose updates are linear in the gradients, with its learning rate; a `nag_optax.Rule`; or,
        for a composite method, a function ``prox -> transformation``.
      steps: N, the number of updates, at least 1.
      output: the point that is evaluated in the end: "params", or "base" or another output of `nag_optax.eval_params`.

    Raises:
      ValueError: if updates are not linear in the gradients (adaptive methods, clipping, restart, rounded state) or
        depend on params (weight decay).

    >>> import optax
    >>> from nag_optax.theory import step_matrix
    >>> step_matrix(optax.sgd(1.0, 0.5, nesterov=True), 2).params
    array([[0.  , 0.  ],
           [1.5 , 0.  ],
           [1.75, 1.5 ]])
    """
    make = maker(tx)
    check_integer("steps", steps, at_least=1)
    with float64(), jax.disable_jit():
        _check_init(make)
        try:
            _, calls = _run(make, np.zeros((steps, 1)), None, np.zeros(1), output)
        except (AttributeError, TypeError) as error:
            raise TypeError(f"tx must need nothing but gradients and params: {error}") from error
        columns = steps + len(calls)
        unit = np.eye(columns)
        points, proximal = _run(make, unit[:steps], unit[steps:], np.zeros(columns), output)
        _check_linear(make, np.concatenate([points, proximal]), columns, steps, output)
    return StepMatrix(0 - points[:-1], 0 - points[-1], 0 - proximal)


def maker(tx: Linear) -> Callable[[Any], optax.GradientTransformationExtraArgs]:
    """The function of a proximal operator that makes the transformation, which may have no use for one.

    Raises:
      TypeError: if it is neither a transformation, nor a rule, nor a function of an operator.
    """
    if isinstance(tx, Rule):
        tx = accelerate(tx)
    if not callable(tx):
        check_transformation("tx", tx)
        return lambda prox: optax.with_extra_args_support(tx)
    check_takes("tx", tx, 1, "a gradient transformation, a Rule, or a function prox -> gradient transformation")

    def make(prox: Any) -> optax.GradientTransformationExtraArgs:
        try:
            made = tx(prox)
        except TypeError as error:
            raise TypeError(f"tx must be called first, or take an operator and nothing else: {error}") from error
        check_transformation("tx", made)
        return optax.with_extra_args_support(made)

    return make


def _check_init(make: Any) -> None:
    """Raises if a state depends on what an operator returns before the first update."""
    states = [jax.tree.leaves(make(lambda x, step_size, c=c: x + c).init(jnp.zeros(2))) for c in (0.0, 1.0)]
    pairs = [pair for pair in zip(*states, strict=True) if jnp.issubdtype(pair[0].dtype, jnp.floating)]
    if not all(np.array_equal(*pair) for pair in pairs):
        raise ValueError("tx must take no proximal step in init.")


def _check_linear(make: Any, points: np.ndarray, columns: int, steps: int, output: str) -> None:
    """Compares with what the method makes of small and large random matrices, and of gradients that turn back, as a
    restart looks for, from a random start.
    """
    rng = np.random.default_rng(0)
    turning = (-0.1) ** (np.arange(columns) % 8)
    for size in (*SIZES, turning[:, None, None]):
        turns = np.ndim(size) > 0
        fed = size * rng.standard_normal((1, *OTHER) if turns else (columns, *OTHER))
        start = (1 if turns else size) * rng.standard_normal(OTHER)
        seen = np.concatenate(_run(make, fed[:steps], fed[steps:], start, output))
        expected = start + np.tensordot(points, fed, 1)
        if not np.allclose(seen, expected, rtol=TOLERANCE, atol=TOLERANCE * np.abs(expected).max()):
            raise ValueError(
                "tx must have updates that are linear in the gradients, entry by entry, and depend on nothing else: no "
                "adaptive method, clipping, restart, weight decay, or state of few digits."
            )


def _run(make: Any, gradients: np.ndarray, subgradients: np.ndarray | None, start: np.ndarray, output: str) -> Any:
    """(Params after every update and the output after the last, the points to which proximal steps have led)."""
    proximal: list[np.ndarray] = []
    listening = False

    def prox(params: Any, step_size: Any) -> Any:
        if not listening:  # it is only looked at
            return params
        moved = params if subgradients is None else params - step_size * subgradients[len(proximal)]
        proximal.append(np.asarray(moved))
        return moved

    tx, params = make(prox), jnp.asarray(start)
    state, points = tx.init(params), [start]
    listening = True
    for gradient in gradients:
        updates, state = tx.update(jnp.asarray(gradient), state, params)
        params = optax.apply_updates(params, updates)
        points.append(np.asarray(params))
    points.append(points[-1] if output == "params" else np.asarray(eval_params(state, params, output=output)))
    return np.stack(points), np.array(proximal).reshape(-1, *start.shape)
