"""What a method with constant numbers does on quadratics: a linear recursion, whose eigenvalues say everything.

On a curvature lambda the gradient is lambda y plus noise, and params and buffers z follow ::

    z' = (A_0 + lambda A_1) z + b noise

The rate is the spectral radius of the worst curvature; the variance that noise leaves solves P = A P A^T + b b^T.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nag_optax.validation import check_convexity, check_number, check_transformation

SETTLED, GRID = 10, 4001


def rate_on_quadratics(tx: optax.GradientTransformation, smoothness: float, strong_convexity: float) -> float:
    """The factor by which the error shrinks in a step, in the long run, on the worst quadratic.

    Args:
      tx: a transformation that is linear in the gradients, with constant numbers.
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

    low, high = float(strong_convexity), float(smoothness)
    for _ in range(12):  # a finer grid around the largest
        grid = np.linspace(low, high, GRID)
        values = radius(grid)
        best = int(values.argmax())
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)]
    return float(values[best])


def noise_amplification(tx: optax.GradientTransformation, curvature: float) -> float:
    """The variance of params that gradient noise of variance 1 leaves on a quadratic of this curvature.

    Args:
      tx: a transformation that is linear in the gradients, with constant numbers.
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


def _recursion(tx: optax.GradientTransformation) -> tuple[np.ndarray, np.ndarray]:
    """(A_0, A_1), of params and of everything in the state that has their shape, in float64."""
    check_transformation("tx", tx)
    tx = optax.with_extra_args_support(tx)
    with jax.enable_x64(True):
        zero = jnp.zeros((1,))
        state = tx.init(zero)
        jacobians = []
        for _ in range(SETTLED):
            jacobians.append([_jacobian(tx, state, curvature) for curvature in (0.0, 1.0, 2.0)])
            _, state = tx.update(zero, state, zero)
    (still, one, two), before = jacobians[-1], jacobians[-2]
    linear = np.allclose(two - one, one - still, atol=1e-10) and np.isfinite(two).all()
    if not linear or not np.allclose(still, before[0], atol=1e-10) or not np.allclose(one, before[1], atol=1e-10):
        raise ValueError("tx must have updates that are linear in the gradients, with numbers that do not vary.")
    return still, one - still


def _jacobian(tx: Any, state: Any, curvature: float) -> np.ndarray:
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
        return jnp.concatenate([moved, *(jax.tree.leaves(after)[i] for i in dynamic)])

    return np.asarray(jax.jacobian(step)(jnp.zeros(len(dynamic) + 1)))
