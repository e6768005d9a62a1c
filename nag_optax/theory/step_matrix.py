"""The step matrix of a method: what each of its points is made of.

A method whose updates are linear in the gradients is a lower triangular matrix H and nothing else ::

    y_k = y_0 - sum over i < k of H[k, i] g_i                   g_i = gradient at y_i

It is found by feeding unit vectors for gradients: with g_i = e_i in R^N and y_0 = 0, the k-th point is minus the k-th
row. So any transformation of Optax has one, if it neither divides by gradients nor looks at params.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nag_optax.evaluation import eval_params
from nag_optax.validation import check_integer, check_transformation

TOLERANCE = 1e-9


class StepMatrix(NamedTuple):
    """The points of a method as combinations of its gradients, in float64.

    Attributes:
      params: H, lower triangular [steps + 1, steps]: row k makes params after k updates.
      output: the row of the point that is evaluated after the last update [steps].
    """

    params: np.ndarray
    output: np.ndarray


def step_matrix(tx: optax.GradientTransformation, steps: int, *, output: str = "params") -> StepMatrix:
    """The step matrix of a gradient transformation.

    Args:
      tx: any transformation whose updates are linear in the gradients, with its learning rate.
      steps: N, the number of updates, at least 1.
      output: the point that is evaluated in the end: "params", or "base" or another output of `eval_params`.

    Raises:
      ValueError: if updates are not linear in the gradients (adaptive methods, clipping, restart) or depend on params
        (weight decay).

    >>> import optax
    >>> from nag_optax.theory import step_matrix
    >>> step_matrix(optax.sgd(1.0, 0.5, nesterov=True), 2).params
    array([[0.  , 0.  ],
           [1.5 , 0.  ],
           [1.75, 1.5 ]])
    """
    check_transformation("tx", tx)
    check_integer("steps", steps, at_least=1)
    with jax.enable_x64(True):
        points, last = _run(tx, np.eye(steps), np.zeros(steps), output)
        H = StepMatrix(-points, -last)
        rng = np.random.default_rng(0)
        gradients, start = rng.standard_normal((steps, steps)), rng.standard_normal(steps)
        seen, seen_last = _run(tx, gradients, start, output)
    expected = start - np.concatenate([H.params, H.output[None]]) @ gradients
    got = np.concatenate([seen, seen_last[None]])
    if not np.allclose(got, expected, rtol=TOLERANCE, atol=TOLERANCE * np.abs(expected).max()):
        raise ValueError(
            "tx must have updates that are linear in the gradients and do not depend on params: no adaptive method, "
            "clipping, restart or weight decay."
        )
    return H


def _run(tx: Any, gradients: np.ndarray, start: np.ndarray, output: str) -> tuple[np.ndarray, np.ndarray]:
    """Params after every update, and the output after the last."""
    tx = optax.with_extra_args_support(tx)
    params = jnp.asarray(start)
    state, points = tx.init(params), [start]
    for gradient in gradients:
        updates, state = tx.update(jnp.asarray(gradient), state, params)
        params = optax.apply_updates(params, updates)
        points.append(np.asarray(params))
    last = points[-1] if output == "params" else np.asarray(eval_params(state, params, output=output))
    return np.stack(points), last
