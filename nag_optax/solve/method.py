"""What `minimize` runs: a problem, and a method that goes from point to point.

A `Method` is a pair of functions on a `Point`. The loop around it (stopping, the best point, the history) is the same
for all methods, and so is a new method's whole interface.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from nag_optax.scalars import Scalar
from nag_optax.solve.linear import Linear


class Problem(NamedTuple):
    """f + g.

    Attributes:
      value: ``value(params) -> f``, a scalar in the dtype of the hyperparameters.
      value_and_gradient: ``value_and_gradient(params) -> (f, gradient of f)``.
      prox: ``prox(params, step_size) -> params``, of g.
      prox_value: ``prox_value(params) -> g`` at a point that prox returned; 0 where nobody knows it.
      smooth: whether g = 0.
      dtype: of all scalars.
      unrolled: whether derivatives go through the steps, which must then be free of ``while_loop``.
      linear: how f depends on params through a linear map; None where nobody says so.
      lower_bound: ``lower_bound(params, image, slope, gradient)`` of a point, a number that f + g nowhere falls below,
        see `nag_optax.solve.certificate`; None where nobody knows one.
      curvature: a bound of the second derivative of f with respect to what it sees; None where nobody knows one.
    """

    value: Callable[[Any], Array]
    value_and_gradient: Callable[[Any], tuple[Array, Any]]
    prox: Callable[[Any, Scalar], Any]
    prox_value: Callable[[Any], Array]
    smooth: bool
    dtype: Any
    unrolled: bool = False
    linear: Linear | None = None
    lower_bound: Callable[[Any, Any, Any, Any], Array] | None = None
    curvature: Any = None

    def seen(self, params: Any) -> Any:
        """What f sees of params: their image, or params themselves."""
        return params if self.linear is None else self.linear.image(params)

    def value_at(self, seen: Any) -> Array:
        """The value of f."""
        return self.value(seen) if self.linear is None else self.linear.value(seen)

    def value_and_slope(self, seen: Any) -> tuple[Array, Any]:
        """The value of f, and its derivative with respect to what it sees."""
        return self.value_and_gradient(seen) if self.linear is None else self.linear.value_and_slope(seen)

    def gradient(self, params: Any, slope: Any) -> Any:
        """The gradient of f at params, from its slope there."""
        return slope if self.linear is None else self.linear.gradient(params, slope)


class Point(NamedTuple):
    """Where a method is.

    Attributes:
      params: the base iterate, a point that prox returned.
      value: what the best point is chosen by: f + g at params, or a surrogate that the method has anyway.
      mapping: norm of the gradient mapping (y - prox(y - s grad f(y))) / s of the last step.
      resolution: the mapping that rounding leaves at a solution, in the dtypes of params.
      gradient: norm of grad f(y) in the last step.
      step_size: s of the last step.
      gradients: how often f and its gradient were evaluated.
      values: how often f alone was.
      stuck: whether the method can go no further.
      carry: what else the method keeps.
      objective: f + g near params, where value is a surrogate; None where it is not.
      curvature: of f near params; None where it is 1 / step_size.
      potential: sum |m_i| |x_i|, m the gradient mapping: how far a convex f + g could fall, were every coordinate's way
        as long as x's; None for mapping |x|, which is larger.
      lower: a number that f + g nowhere falls below; None where the method does not say one.
    """

    params: Any
    value: Array
    mapping: Array
    resolution: Array
    gradient: Array
    step_size: Array
    gradients: Array
    values: Array
    stuck: Array
    carry: Any
    objective: Array | None = None
    curvature: Array | None = None
    potential: Array | None = None
    lower: Array | None = None


class Method(NamedTuple):
    """How to go on.

    Attributes:
      init: ``init(problem, params, step_size) -> Point``; ``step_size`` is that of a warm start, or None.
      advance: ``advance(problem, point) -> Point``, one step further.
    """

    init: Callable[[Problem, Any, Array | None], Point]
    advance: Callable[[Problem, Point], Point]


def start(params: Any, carry: Any, dtype: Any, step_size: Any = 0.0, gradients: int = 0, values: int = 0) -> Point:
    """A point before its first step."""
    count = jnp.zeros((), jnp.int32)
    infinite = jnp.asarray(jnp.inf, dtype)
    return Point(
        params=params,
        value=infinite,
        mapping=infinite,
        resolution=jnp.zeros((), dtype),
        gradient=infinite,
        step_size=jnp.asarray(step_size, dtype),
        gradients=count + gradients,
        values=count + values,
        stuck=jnp.asarray(False),
        carry=carry,
    )
