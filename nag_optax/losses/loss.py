"""What a loss is, and how one is made of what it is for a sample."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from nag_optax.trees import widened
from nag_optax.validation import check_entries, is_concrete

SLACK = 100
"""In units in the last place: how far outside of its domain a conjugate takes what rounding has put there."""


class Loss(NamedTuple):
    """A convex function of predictions, ``loss(predictions)``, with its conjugate.

    Attributes:
      value: ``value(predictions)``, a scalar.
      conjugate: ``conjugate(slope)``, sup of <slope, z> - value(z) over z, a scalar, infinite outside of its domain,
        which holds 0: value is bounded from below.
      curvature: the largest second derivative along any unit vector, at least 0; None where there is no bound.

    It is a pytree; its leaves are its data if the functions are ``jax.tree_util.Partial`` of them.

    >>> import jax.numpy as jnp
    >>> from nag_optax.losses import Loss
    >>> half_square = Loss(lambda z: jnp.sum(z**2) / 2, lambda u: jnp.sum(u**2) / 2, curvature=1.0)
    >>> float(half_square(jnp.array([1.0, 2.0])))
    2.5
    """

    value: Callable[[Any], Array]
    conjugate: Callable[[Any], Array]
    curvature: Any = None

    def __call__(self, predictions: Any) -> Array:
        """Returns ``value(predictions)``."""
        return self.value(predictions)


class Samples(NamedTuple):
    """A loss of one sample, or of many at once.

    Attributes:
      value: ``value(z, y, *more)``.
      conjugate: ``conjugate(u, y, *more)``.
      curvature: a bound of the second derivative of value, or None.
      classes: whether a sample is a row of z.
      numbered: whether its target is the number of a class.
      of_complex: whether z and y may be complex; the conjugate is that of the inner product Re <u, z>.
    """

    value: Callable[..., Array]
    conjugate: Callable[..., Array]
    curvature: float | None
    classes: bool = False
    numbered: bool = False
    of_complex: bool = False

    def loss(self, targets: Any, weights: Any, *more: Any) -> Loss:
        """The loss of a sum over samples. Its functions compare equal where those of the samples are one constant."""
        check_entries("weights", weights, at_least=0)
        targets, weights = as_numbers(targets), widened(jnp.asarray(weights))
        bound = None if self.curvature is None else self.curvature * jnp.max(weights)
        given = targets, weights, more
        return Loss(Partial(self.total, *given), Partial(self.total_conjugate, *given), bound)

    def total(self, targets: Array, weights: Array, more: tuple[Any, ...], predictions: Any) -> Array:
        """The value at predictions."""
        z = widened(_as_array("predictions", predictions))
        self._check(targets, weights, z)
        return jnp.sum(weights * self.value(z, self._like(targets, z), *more))

    def total_conjugate(self, targets: Array, weights: Array, more: tuple[Any, ...], slope: Any) -> Array:
        """The conjugate at a slope."""
        u = widened(_as_array("slope", slope))
        self._check(targets, weights, u)
        spread = weights[..., None] if self.classes and weights.ndim else weights
        each = self.conjugate(u / jnp.where(spread > 0, spread, 1), self._like(targets, u), *more)
        lost = (spread == 0) & (u != 0)  # where nothing is weighted, no slope is possible
        return jnp.sum(jnp.where(weights > 0, weights * each, 0)) + jnp.where(jnp.any(lost), jnp.inf, 0)

    def _like(self, targets: Array, z: Array) -> Array:
        """Targets in the dtype of predictions, but for those that are numbers of classes."""
        return targets if self.numbered else targets.astype(z.dtype)

    def _check(self, targets: Array, weights: Array, z: Array) -> None:
        if self.classes and not z.ndim:
            raise ValueError("predictions must be [..., classes], got a scalar.")
        self._check_dtypes(targets, z)
        samples = z.shape[:-1] if self.classes else z.shape
        wanted = samples if self.numbered else z.shape
        for name, array, shape in (("targets", targets, wanted), ("weights", weights, samples)):
            try:
                fits = jnp.broadcast_shapes(array.shape, shape) == shape
            except ValueError:
                fits = False
            if not fits:
                kind = "predictions [..., classes]" if self.classes else "predictions"
                raise ValueError(f"{name} must broadcast against {kind}, got {array.shape} for {z.shape}.")
        if self.numbered and is_concrete(targets) and np.any(np.asarray(targets) >= z.shape[-1]):
            raise ValueError(f"labels must be below {z.shape[-1]}, the number of classes of predictions.")

    def _check_dtypes(self, targets: Array, z: Array) -> None:
        complex_targets, complex_z = map(jnp.iscomplexobj, (targets, z))
        if (complex_targets or complex_z) and not self.of_complex:
            raise TypeError(
                "this loss is for real predictions and targets (losses.squared takes complex ones), got "
                f"{z.dtype} and {targets.dtype}."
            )
        if complex_targets and not complex_z:
            raise TypeError(f"targets must be real where predictions are, got {targets.dtype} for {z.dtype}.")


def _as_array(name: str, given: Any) -> Array:
    """Raises TypeError if it is a pytree of several arrays, or none."""
    try:
        return jnp.asarray(given)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} of this loss must be one array, got {type(given).__name__}: {error}") from None


def as_numbers(labels: Any) -> Array:
    """Booleans as 0 and 1."""
    labels = jnp.asarray(labels)
    return labels.astype(jnp.int32) if labels.dtype == bool else labels


def inside_of(x: Array, inside: Array, value: Any) -> Array:
    """A conjugate's value at the nearest point of its domain; infinite where that is farther than rounding."""
    far = jnp.abs(x - inside) > SLACK * jnp.finfo(x.dtype).eps * (1 + jnp.abs(inside))
    return jnp.where(far, jnp.inf, value)
