"""The argument ``linear`` of `nag_optax.minimize`: f is a function of A params, the image, and A is cheap to combine.

Where params are combined, their images are combined alike, without another product. A step then costs one product with
A, for the image of the new params, and one with its transpose, for the gradient, as in TFOCS (Becker, Candes & Grant,
arXiv:1009.2065).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.experimental.sparse import JAXSparse
from jax.extend.core import Var

from nag_optax import trees
from nag_optax.solve.while_loop import summed_like
from nag_optax.validation import check_takes


class Linear(NamedTuple):
    """A, and f as a function of the image.

    Attributes:
      image: ``image(params)``, A params, or A params + c.
      value: ``value(image) -> f``.
      value_and_slope: ``value_and_slope(image) -> (f, derivative of f with respect to the image)``.
      shifts: whether there may be a c.
    """

    image: Callable[[Any], Any]
    value: Callable[[Any], Array]
    value_and_slope: Callable[[Any], tuple[Array, Any]]
    shifts: bool = False

    def gradient(self, params: Any, slope: Any) -> Any:
        """A^T slope, like params."""
        return jax.linear_transpose(self.image, params)(slope)[0]

    def moved(self, params: Any, direction: Any) -> Any:
        """A direction, like the image."""
        return jax.jvp(self.image, (params,), (direction,))[1]

    def offset(self, params: Any, image: Any, slope: Any, gradient: Any) -> Array | int:
        """<slope, c>."""
        if not self.shifts:
            return 0
        whole = trees.inner(gradient, params)
        return pairing(slope, image, whole) - whole


def pairing(slope: Any, image: Any, value: Array) -> Array:
    """<slope, image>: over the devices of ``jax.shard_map`` too, where they share an image whose value they sum."""
    return summed_like(trees.inner(slope, image), value)


def as_matrix(linear: Any) -> Any:
    """An array of NumPy as one of JAX, and all else as it is.

    Raises:
      TypeError: if it does not hold numbers.
    """
    try:
        return jnp.asarray(linear) if isinstance(linear, np.ndarray) else linear
    except (TypeError, ValueError) as error:
        raise TypeError(f"linear must be an array of numbers: {error}") from error


def image_function(linear: Any) -> Callable[[Any], Any]:
    """A as a function of params: that of an array or a sparse matrix, or the function itself."""
    if callable(linear):
        return linear
    return lambda params: linear @ params


def check_linear(linear: Any, params: Any) -> None:
    """Checks a linear map before the first step.

    Raises:
      TypeError: if it is neither a matrix nor a function.
      ValueError: if a matrix does not fit params, or a function is not linear.
    """
    if not callable(linear):
        if not isinstance(linear, jax.Array | np.ndarray | JAXSparse):
            raise TypeError(
                "linear must be an array, a jax.experimental.sparse BCOO or BCSR (BCOO.from_scipy_sparse makes one of "
                f"SciPy's), or a linear function, got {type(linear).__module__}.{type(linear).__name__}."
            )
        fits = isinstance(params, jax.Array) and params.ndim in (1, 2) and linear.ndim == 2
        if not (fits and params.shape[0] == linear.shape[1]):
            shown = f"shape {list(params.shape)}" if isinstance(params, jax.Array) else f"a {type(params).__name__}"
            raise ValueError(
                "linear, an array [m, n], needs init_params of shape [n] or [n, k], and a pytree of params a linear "
                f"function; got shape {list(linear.shape)} for {shown}."
            )
    else:
        check_takes("linear", linear, 1, "an array or a linear function of params")
    image = image_function(linear)
    try:
        traced = jax.make_jaxpr(image)(params).jaxpr
        jax.eval_shape(lambda x: jax.linear_transpose(image, x)(jax.tree.map(jnp.zeros_like, image(x)))[0], params)
    # An AssertionError is all that JAX has to say about a function that is bilinear.
    except (AssertionError, NotImplementedError, TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"linear must be a linear function of params: {error}") from error
    if not _depends(traced):
        raise ValueError("linear must be a linear function of params, got one that does not look at them.")


def _depends(program: Any) -> bool:
    """Whether the result of a program depends on its arguments."""
    moving = set(program.invars)
    for equation in program.eqns:
        if any(isinstance(v, Var) and v in moving for v in equation.invars):
            moving.update(equation.outvars)
    return any(isinstance(v, Var) and v in moving for v in program.outvars)
