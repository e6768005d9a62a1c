"""NorMuon: one second moment for each output of a layer, behind the polar factor.

Li et al., https://arxiv.org/abs/2510.05491, Algorithm 1, with O the orthogonalised matrix ::

    v <- b2 v + (1 - b2) mean over inputs of |O|^2
    O / sqrt(v), times what restores the norm of O
"""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.maps.map_state import NO_POINT
from nag_optax.maps.matrix_axes import AxesOf, MatrixAxes, as_finder, for_each_matrix
from nag_optax.readings import Readings
from nag_optax.scalars import Scalar, hyperparameter_dtype, increment, mixing
from nag_optax.trees import beside, filled, widened
from nag_optax.validation import check_number


class NeuronsState(NamedTuple):
    """State of `normalize_neurons`.

    Attributes:
      step: updates so far, int32.
      mean_square: v, a pytree like params, whose leaves have length 1 along the inputs; real, float32 or better.
      weight: the sum of the weights in v, a scalar.
    """

    step: Array
    mean_square: Any
    weight: Array

    def follow(self, readings: Readings) -> Readings:
        """Raises ValueError: it divides updates by numbers that depend on them."""
        raise ValueError(NO_POINT)


def normalize_neurons(b2: Scalar = 0.95, axes: AxesOf = None) -> optax.GradientTransformationExtraArgs:
    """Divides the updates of every neuron, an output of a layer, by their running root mean square, and restores the
    norm of the matrix; a link behind `nag_optax.orthogonalize`.

    Args:
      b2: decay of the mean square, in [0, 1).
      axes: as in `nag_optax.orthogonalize`.

    Returns:
      A gradient transformation. Its mean is one of the updates so far, so that the first one has no small denominator.

    Raises:
      ValueError: in ``init`` and ``update``, for a leaf that ``axes`` do not fit.

    >>> import jax.numpy as jnp
    >>> from nag_optax.maps import normalize_neurons
    >>> tx, updates = normalize_neurons(), jnp.array([[3.0, 0.1], [3.0, 0.1]])
    >>> tx.update(updates, tx.init(updates))[0].round(2)  # the second output is as fast as the first
    Array([[2.12, 2.12],
           [2.12, 2.12]], dtype=float32)
    """
    check_number("b2", b2, at_least=0, below=1)
    axes_of = as_finder(axes)

    @mixing
    def init(params: Any) -> NeuronsState:
        def zeros(p: Any, found: MatrixAxes) -> Array:
            return jnp.zeros_like(_mean_square(jnp.zeros_like(p), found))

        return NeuronsState(
            jnp.zeros((), jnp.int32),
            for_each_matrix(zeros, axes_of, params),
            jnp.zeros((), hyperparameter_dtype(params)),
        )

    @mixing
    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, NeuronsState]:
        del params, extra
        weight = jnp.asarray(b2 * state.weight + (1 - b2), state.weight.dtype)
        old = beside(updates, state.mean_square)

        def averaged(u: Array, found: MatrixAxes, v: Array) -> Array:
            return (b2 * v + (1 - b2) * _mean_square(u, found)).astype(v.dtype)

        def divided(u: Array, found: MatrixAxes, v: Array) -> Array:
            wide = widened(u)
            even = wide / jnp.sqrt(jnp.where(v == 0, 1, v / weight))
            return (even * (_norm(wide, found) / _norm(even, found))).astype(u.dtype)

        mean_square = for_each_matrix(averaged, axes_of, updates, old)
        updates = for_each_matrix(divided, axes_of, updates, mean_square)
        return updates, NeuronsState(increment(state.step), filled(mean_square, state.mean_square), weight)

    return optax.GradientTransformationExtraArgs(init, update)


def _mean_square(x: Array, axes: MatrixAxes) -> Array:
    _, inputs, _ = axes.parts(x.ndim)
    count = max(1, math.prod(x.shape[i] for i in inputs))
    return jnp.sum(jnp.abs(widened(x)) ** 2, axis=inputs, keepdims=True) / count


def _norm(x: Array, axes: MatrixAxes) -> Array:
    """Of each matrix; 1 of zeros."""
    _, inputs, outputs = axes.parts(x.ndim)
    squares = jnp.sum(jnp.abs(x) ** 2, axis=(*inputs, *outputs), keepdims=True)
    return jnp.sqrt(jnp.where(squares == 0, 1, squares))
