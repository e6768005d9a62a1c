"""What a method with constant numbers does on quadratics: a linear recursion, whose eigenvalues say everything.

On a curvature lambda the gradient is lambda y plus noise, and params and buffers z follow ::

    z' = (A_0 + lambda A_1) z + b noise

The rate is the spectral radius of the worst curvature; the variance that noise leaves solves P = A P A^T + b b^T
(Mohammadi, Razaviyayn & Jovanovic, https://arxiv.org/abs/1905.11011).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nag_optax.engine.coefficients import Rule
from nag_optax.theory.float64 import float64
from nag_optax.theory.step_matrix import Linear, maker, step_matrix
from nag_optax.validation import check_convexity, check_number, check_transformation

LINEAR, SETTLED, UPDATES = 32, 256, 512
"""Updates that are tested for linearity; after which numbers must not vary; and until when that is tested."""

GRID, REFINEMENTS = 4001, 12


def rate_on_quadratics(tx: Linear, smoothness: float, strong_convexity: float) -> float:
    """The factor by which the error shrinks in a step, in the long run, on the worst quadratic.

    Args:
      tx: a transformation, or a rule, that is linear in the gradients, with constant numbers. The error is that of
        params and of whatever the state holds beside them: an average of params counts, too.
      smoothness: L, the largest curvature.
      strong_convexity: mu, the smallest one, positive.

    Raises:
      ValueError: if updates are not linear in the gradients, or their numbers vary.

    >>> import optax
    >>> from nag_optax import theory
    >>> round(theory.rate_on_quadratics(optax.sgd(2 / 1.1), 1.0, 0.1), 6)  # (L - mu) / (L + mu)
    0.818182
    """
    check_convexity(smoothness, strong_convexity)
    still, moving = _recursion(tx)

    def radius(curvatures: np.ndarray) -> np.ndarray:
        return np.abs(np.linalg.eigvals(still + curvatures[:, None, None] * moving)).max(-1)

    low, high, largest = float(strong_convexity), float(smoothness), 0.0
    for _ in range(REFINEMENTS):
        grid = np.linspace(low, high, GRID)
        values = radius(grid)
        best, largest = int(values.argmax()), float(values.max())
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)]
    return largest


def noise_amplification(tx: Linear, curvature: float) -> float:
    """The variance of params that gradient noise of variance 1 leaves on a quadratic of this curvature.

    Args:
      tx: as in `rate_on_quadratics`.
      curvature: positive.

    Raises:
      ValueError: if updates are not linear in the gradients, or their numbers vary; or if the recursion diverges.

    >>> import optax
    >>> from nag_optax import theory
    >>> round(theory.noise_amplification(optax.sgd(0.5), 1.0), 6)  # eta^2 / (1 - (1 - eta)^2)
    0.333333
    """
    check_number("curvature", curvature, above=0)
    still, moving = _recursion(tx)
    A, b = still + curvature * moving, moving[:, 0]
    if np.abs(np.linalg.eigvals(A)).max() >= 1:
        raise ValueError(f"curvature must be one on which tx converges, got {curvature}.")
    n = len(A)
    return float(np.linalg.solve(np.eye(n * n) - np.kron(A, A), np.kron(b, b))[0])


def _recursion(tx: Linear) -> tuple[np.ndarray, np.ndarray]:
    """(A_0, A_1), of params and of everything in the state that has their shape, in float64."""
    if not isinstance(tx, Rule):
        check_transformation("tx", tx)
    step_matrix(tx, LINEAR)  # is it linear?
    tx = maker(tx)(None)
    with float64():
        zero = jnp.zeros((1,))

        @jax.jit
        def advance(state: Any) -> tuple[Any, jax.Array]:
            jacobians = [_jacobian(tx, state, curvature) for curvature in (0.0, 1.0)]
            return tx.update(zero, state, zero)[1], jnp.stack(jacobians)

        state, seen = tx.init(zero), []
        for _ in range(UPDATES):
            state, jacobians = advance(state)
            seen.append(np.asarray(jacobians))
    tail = np.stack(seen[SETTLED:])
    if not np.allclose(tail, tail[-1], rtol=1e-10, atol=1e-10):
        raise ValueError(f"tx must have numbers that do not vary after {SETTLED} updates: no schedule, and no period.")
    still, one = tail[-1]
    return still, one - still


def _jacobian(tx: Any, state: Any, curvature: float) -> jax.Array:
    leaves, structure = jax.tree.flatten(state)
    dynamic = [
        i for i, leaf in enumerate(leaves) if jnp.shape(leaf) == (1,) and jnp.issubdtype(leaf.dtype, jnp.floating)
    ]

    def step(z: jax.Array) -> jax.Array:
        params, parts = z[:1], list(leaves)
        for place, i in enumerate(dynamic):
            parts[i] = z[place + 1 : place + 2]
        updates, after = tx.update(curvature * params, structure.unflatten(parts), params)
        moved = optax.apply_updates(params, updates)
        return jnp.concatenate([jnp.asarray(moved), *(jax.tree.leaves(after)[i] for i in dynamic)])

    return jax.jacobian(step)(jnp.zeros(len(dynamic) + 1))
