"""Orthogonalised updates: the map of Muon.

Jordan et al. (2024), https://kellerjordan.github.io/posts/muon: a matrix of updates is replaced by its polar factor, so
that all its singular values are about 1, times a factor of its shape ::

    "spectral"    sqrt(max(1, outputs / inputs))     Jordan: for how much a layer's output changes
    "rms"         0.2 sqrt(max(inputs, outputs))     Liu et al., https://arxiv.org/abs/2502.16982, Sec. 2.2: entries are
                                                     as large as those of AdamW, so that its learning rate fits
"""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax
from jax import Array

from nag_optax.maps.map_state import as_link
from nag_optax.maps.matrix_axes import AxesOf, MatrixAxes, as_finder, for_each_matrix, on_matrices
from nag_optax.maps.polar_factor import Polynomial, as_floating, as_rows, polar_factor
from nag_optax.maps.whole_matrices import whole_matrices
from nag_optax.scalars import hyperparameter_dtype
from nag_optax.validation import check_choice, check_takes

SCALES: dict[str | None, Callable[[int, int], float]] = {
    "spectral": lambda inputs, outputs: math.sqrt(max(1, outputs / max(1, inputs))),
    "rms": lambda inputs, outputs: 0.2 * math.sqrt(max(inputs, outputs)),
    None: lambda inputs, outputs: 1.0,
}


def orthogonalize(
    axes: AxesOf = None,
    *,
    polynomial: Polynomial = "quintic",
    dtype: Any = "bfloat16",
    scale: str | None = None,
    map: Callable[[Array], Array] | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Replaces matrices of updates by their polar factors, by batched products.

    The size of the updates does not matter: those of 1e-30 are as good as any. Infinite ones become NaN. A link for
    matrices alone; `nag_optax.muon` sends other leaves elsewhere, ``optax.masked`` leaves them out.

    Args:
      axes: which axes of a leaf are a matrix: `MatrixAxes` for all leaves, or a function ``(path, leaf) ->
        MatrixAxes``, with the path as ``jax.tree_util.keystr`` writes it. None for leaves of two axes, inputs and
        outputs. All other axes count matrices, which are multiplied together: stacked layers, attention heads.
      polynomial: "quintic", "polar_express", or rows (a, b, c), see `nag_optax.maps.polar_factor`.
      dtype: of the products, a floating dtype: bfloat16, or float32 for all digits.
      scale: None, "spectral" (sqrt(max(1, outputs / inputs))) or "rms" (0.2 sqrt(max(inputs, outputs))).
      map: any other function of a stack of matrices [..., inputs, outputs] instead of the polar factor.

    Returns:
      A gradient transformation. Behind it there is no base iterate: `nag_optax.eval_params` refuses. In front of
      `nag_optax.nag` it makes gradients, whose base iterate is exact.

    Raises:
      ValueError: in ``init`` and ``update``, for a leaf that ``axes`` do not fit.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import orthogonalize, scale_by_nag
    >>> link = orthogonalize(polynomial="polar_express", dtype=jnp.float32)
    >>> tx = optax.chain(scale_by_nag(0.95), link, optax.scale_by_learning_rate(1.0))
    >>> gradient = jnp.array([[3.0, 0.0], [0.0, 0.01]])
    >>> tx.update(gradient, tx.init(gradient))[0].round(3)
    Array([[-1., -0.],
           [-0., -1.]], dtype=float32)
    """
    if scale is not None:
        check_choice("scale", scale, ("spectral", "rms"))
    if map is not None:
        check_takes("map", map, 1, "a function of matrices [..., inputs, outputs]")
    axes_of, rows, of_products = as_finder(axes), as_rows(polynomial), as_floating("dtype", dtype)

    def factor(x: Array) -> Array:
        return polar_factor(x, rows, of_products) if map is None else _checked(map, x)

    def of_leaf(x: Array, found: MatrixAxes) -> Array:
        _, inputs, outputs = found.of(x.shape)
        return SCALES[scale](inputs, outputs) * whole_matrices(
            lambda whole: on_matrices(factor, whole, found), x, found
        )

    def check(params: Any) -> None:
        hyperparameter_dtype(params)
        for_each_matrix(lambda x, found: x, axes_of, params)

    return as_link(check, lambda updates: for_each_matrix(of_leaf, axes_of, updates))


def _checked(map: Callable[[Array], Array], x: Array) -> Array:
    mapped = map(x)
    if jnp.shape(mapped) != x.shape:
        raise ValueError(f"map must keep the shape {x.shape} of a stack of matrices, got {jnp.shape(mapped)}.")
    return jnp.asarray(mapped).astype(x.dtype)
