"""Functions of one variable on which worst cases are attained: smoothness 1, minimum 0 at 0.

A parabola in the middle, straight or slightly curved lines outside.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np


class Functions(NamedTuple):
    """A batch of functions: curvature x^2 / 2 between -left and right, outside of that lines with curvature q.

    Attributes:
      left: where the parabola ends on the negative side, [functions]; infinite if it does not.
      right: where it ends on the positive side.
      curvature: of the parabola.
      q: curvature of the lines.
    """

    left: np.ndarray
    right: np.ndarray
    curvature: np.ndarray
    q: float

    def split(self, x):
        """The part of x inside the parabola, and the rest."""
        inside = jnp.clip(x, -self.left, self.right)
        return inside, x - inside

    def value(self, x):
        """f(x)."""
        inside, outside = self.split(x)
        return self.curvature * inside**2 / 2 + jnp.abs(inside * outside) + self.q * outside**2 / 2

    def gradient(self, x):
        """f'(x)."""
        inside, outside = self.split(x)
        return self.curvature * inside + self.q * outside


class Composites(NamedTuple):
    """A batch of functions f + g: g = slope |x| + bend x^2 / 2, which a method meets by its proximal map.

    Attributes:
      f: the smooth parts, or None for 0.
      slope: of g, [functions].
      bend: its curvature, [functions].
    """

    f: Functions | None
    slope: np.ndarray
    bend: np.ndarray

    def value(self, x):
        """f(x) + g(x)."""
        g = self.slope * jnp.abs(x) + self.bend * x**2 / 2
        return g if self.f is None else g + self.f.value(x)

    def gradient(self, x):
        """f'(x)."""
        return jnp.zeros_like(x) if self.f is None else self.f.gradient(x)

    def prox(self, x, step_size):
        """The proximal map of g."""
        return jnp.sign(x) * jnp.maximum(jnp.abs(x) - step_size * self.slope, 0) / (1 + step_size * self.bend)


def kinks(slopes, bends=0.0, f=None):
    """Slope |x| + bend x^2 / 2, and perhaps a smooth function."""
    slopes = np.atleast_1d(np.asarray(slopes, float))
    return Composites(f, slopes, np.broadcast_to(np.asarray(bends, float), slopes.shape))


def huber(deltas, q=0.0):
    """Parabolas of curvature 1 up to delta on both sides."""
    deltas = np.atleast_1d(np.asarray(deltas, float))
    return Functions(deltas, deltas, np.ones_like(deltas), q)


def one_sided(deltas, q=0.0):
    """Parabolas of curvature 1 that end at -delta on the left."""
    deltas = np.atleast_1d(np.asarray(deltas, float))
    return Functions(deltas, np.full_like(deltas, np.inf), np.ones_like(deltas), q)


def quadratic(curvatures=1.0, q=0.0):
    """Parabolas."""
    curvatures = np.atleast_1d(np.asarray(curvatures, float))
    ends = np.full_like(curvatures, np.inf)
    return Functions(ends, ends, curvatures, q)
