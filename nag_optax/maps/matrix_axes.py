"""Which axes of an array make a matrix: a layer's inputs and outputs. All others are a batch of matrices ::

    Dense kernel                [inputs, outputs]                         MatrixAxes(0, 1)
    layers under jax.lax.scan   [layers, inputs, outputs]                 MatrixAxes(1, 2)
    attention heads             [inputs, heads, size]                     MatrixAxes(0, 2)
    convolution of Flax         [height, width, inputs, outputs]          MatrixAxes((0, 1, 2), 3)
    weight of PyTorch           [outputs, inputs]                         MatrixAxes(1, 0)

The layout decides what a factor of the shape sees, and which axes are multiplied.
"""

import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_optax.validation import check_takes, leaf_name


class MatrixAxes(NamedTuple):
    """The axes of an array that are a matrix; the remaining ones count matrices.

    Attributes:
      inputs: the axis, or the axes, that a layer sums over.
      outputs: the axis, or the axes, of what it makes.

    >>> from nag_optax.maps import MatrixAxes
    >>> convolution = MatrixAxes(inputs=(0, 1, 2), outputs=3)
    >>> convolution.of((3, 3, 16, 32))
    (1, 144, 32)
    """

    inputs: int | tuple[int, ...]
    outputs: int | tuple[int, ...]

    def of(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """How many matrices an array of this shape is, and the inputs and outputs of each.

        Raises:
          ValueError: if it has no such axes.
        """
        count, inputs, outputs = (math.prod(shape[i] for i in part) for part in self.parts(len(shape)))
        return count, inputs, outputs

    def parts(self, ndim: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """The axes of the batch, of the inputs and of the outputs, counted from 0.

        Raises:
          ValueError: if an array of so many axes has no such axes, or one of them twice.
        """
        try:
            inputs, outputs = (
                tuple(map(operator.index, part if isinstance(part, tuple | list) else (part,))) for part in self
            )
        except TypeError:
            raise TypeError(f"MatrixAxes must hold an integer or integers for each part, got {tuple(self)}.") from None
        given = [i + ndim if i < 0 else i for i in (*inputs, *outputs)]
        if not inputs or not outputs or len(set(given)) < len(given) or not all(0 <= i < ndim for i in given):
            raise ValueError(f"{self} is not a matrix in an array of {ndim} axes.")
        rows, columns = tuple(given[: len(inputs)]), tuple(given[len(inputs) :])
        return tuple(i for i in range(ndim) if i not in given), rows, columns


Finder = Callable[[str, Any], MatrixAxes | None]
"""A function ``(path, leaf)``, with the path as ``jax.tree_util.keystr`` writes it; None for what is no matrix."""

AxesOf = MatrixAxes | Finder | None
"""Matrix axes for all leaves, or a function that finds those of each, or None for arrays of two axes."""


def as_finder(axes: AxesOf) -> Finder:
    """The function of path and leaf that this argument stands for, which checks what it returns.

    Raises:
      TypeError: if the argument is none; in the function, if what was given returns something else.
      ValueError: in the function, for a leaf that has no such axes.
    """
    kind = "MatrixAxes, or a function (path, leaf) that returns MatrixAxes or None"
    if axes is not None and not isinstance(axes, MatrixAxes):
        check_takes("axes", axes, 2, kind)

    def of_leaf(path: str, leaf: Any) -> MatrixAxes | None:
        found = axes
        if axes is None:
            found = MatrixAxes(0, 1) if np.ndim(leaf) == 2 else None
        elif not isinstance(axes, MatrixAxes):
            found = axes(path, leaf)
        if found is None:
            return None
        if not isinstance(found, MatrixAxes):
            raise TypeError(f"axes must be {kind}, got {found!r} for {path}.")
        try:
            found.parts(np.ndim(leaf))
        except (TypeError, ValueError) as error:
            raise type(error)(f"axes do not fit {path}, of shape {np.shape(leaf)}: {error}") from None
        return found

    return of_leaf


def for_each_matrix(function: Callable[..., Array], axes_of: Finder, tree: Any, *rest: Any) -> Any:
    """A function of each leaf, its axes, and the leaves of further trees in the same place.

    Raises:
      ValueError: for a leaf that is no matrix.
    """

    def of_leaf(path, x, *others):
        name = leaf_name(path)
        found = axes_of(name, x)
        if found is None:
            raise ValueError(
                f"axes must say which axes of {name}, of shape {np.shape(x)}, are a matrix; "
                "keep what is none away from this link, by optax.masked or by nag_optax.muon."
            )
        return function(x, found, *others)

    return jax.tree_util.tree_map_with_path(of_leaf, tree, *rest)


def on_matrices(function: Callable[[Array], Array], x: Array, axes: MatrixAxes) -> Array:
    """A function of matrices [..., inputs, outputs], of an array in the layout of these axes."""
    batch, inputs, outputs = axes.parts(x.ndim)
    order = (*batch, *inputs, *outputs)
    moved = jnp.transpose(x, order)
    if len(inputs) == len(outputs) == 1:  # no axes to merge, which a sharding may forbid
        done = function(moved)
    else:
        _, rows, columns = axes.of(x.shape)
        done = function(moved.reshape(*moved.shape[: len(batch)], rows, columns)).reshape(moved.shape)
    return jnp.transpose(done, sorted(range(x.ndim), key=order.__getitem__))
