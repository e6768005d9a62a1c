"""Penalties of blocks of a linear map, g(x) = sum of radius |(K x)_block|_2: the proximal operator by its dual.

The point is x = v - K^T p for the p that minimises |v - K^T p|^2 / 2 over |p_block| <= radius. FISTA with gradient
restart finds p (Beck & Teboulle, IEEE Trans. Image Processing 18(11), 2009; O'Donoghue & Candes, arXiv:1204.3982). The
duality gap, sum of radius |y_block| - <p, y> at y = K x, bounds |x - x*|^2 / 2.

The derivative is that of the fixed point p = P(q), q = p + step K x, of the projection P onto the balls. P's derivative
D is symmetric: 1 inside of a ball, and radius / |q| orthogonally to u = q / |q| outside of it, where the radius adds
u dr. So dp = u dr + D^(1/2) z and ::

    ((1 - D) / step + D^(1/2) K K^T D^(1/2)) z = D^(1/2) K (dv - K^T u dr),        dx = dv - K^T dp

The system is symmetric, positive semidefinite and consistent; conjugate gradients solve it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.sparse.linalg import cg

from nag_optax.momenta import polynomial
from nag_optax.trees import inner, squared_norm, zeros

_MOMENTUM = polynomial()


class Run(NamedTuple):
    """The dual, K x there, both one step ago, steps since the last restart and in all, and how near the end is."""

    p: Array
    y: Array
    p_before: Array
    y_before: Array
    age: Array
    steps: Array
    gap: Array
    change: Array


class Blocks(NamedTuple):
    """A linear map K of arrays [1, ...] (complex numbers: [2, ...]), and the blocks of its image.

    Attributes:
      forward: K.
      block_sum: the sum of an image over each block, at every entry of the block; it may keep axes at size 1.
      squared_norm: at least |K|^2.
    """

    forward: Callable[[Array], Array]
    block_sum: Callable[[Array], Array]
    squared_norm: float

    def transpose(self, x: Array) -> Callable[[Array], Array]:
        """K^T, for arrays like x."""
        transposed = jax.linear_transpose(self.forward, x)
        return lambda p: transposed(p)[0]

    def unit(self, y: Array) -> Array:
        """Blocks of norm 1; 0 where a block is 0."""
        square = self.block_sum(y**2)
        return y * jnp.where(square > 0, jax.lax.rsqrt(jnp.where(square > 0, square, 1)), 0)

    def value(self, x: Array, radius: Array) -> Array:
        """The sum of radius |(K x)_block|."""
        y = self.forward(_parts(x))
        return jnp.sum(radius * y * self.unit(y))

    def prox(self, x: Array, radius: Array, max_steps: int) -> Array:
        """The point that minimises |x - v|^2 / 2 + sum of radius |(K x)_block|; x is real or complex."""
        moved = _primal(_parts(x), radius, self, max_steps)
        return jax.lax.complex(*moved) if jnp.iscomplexobj(x) else moved[0]

    def solve(self, v: Array, radius: Array, max_steps: int) -> Run:
        """The run to the dual solution.

        It ends where the gap is within rounding of |v|^2 and a step's change of the dual almost within rounding, or the
        change entirely: near rounding, the sum of radius |y_block| of self that vanish hides the gap.
        """
        eps, step = float(jnp.finfo(v.dtype).eps), 1 / self.squared_norm
        transpose, enough = self.transpose(v), eps * squared_norm(v)

        def goes_on(run):
            rounding = _rounding(run.p, v)
            near = (run.gap <= enough) & (run.change <= 8 * rounding)
            return (run.steps < max_steps) & ~near & (run.change > rounding)

        def advance(run):
            momentum = jnp.asarray(_MOMENTUM(run.age), v.dtype)
            ahead = run.p + momentum * (run.p - run.p_before)
            p = _onto_balls(ahead + step * (run.y + momentum * (run.y - run.y_before)), radius, self)
            y = self.forward(v - transpose(p))
            restart = inner(ahead - p, p - run.p) > 0
            return Run(
                p,
                y,
                run.p,
                run.y,
                jnp.where(restart, 0, run.age + 1),
                run.steps + 1,
                jnp.sum((radius * self.unit(y) - p) * y),
                jnp.max(jnp.abs(p - ahead), initial=0),
            )

        y = self.forward(v)
        p = zeros(y, y.dtype)
        count = jnp.sum(zeros(y, jnp.int32))
        gap = jnp.sum(radius * self.unit(y) * y)
        first = Run(p, y, p, y, count, count, gap, jnp.where(gap > 0, jnp.inf, 0).astype(v.dtype))
        return jax.lax.while_loop(goes_on, advance, first)


def _onto_balls(q: Array, radius: Array, blocks: Blocks) -> Array:
    unit = blocks.unit(q)
    return jnp.where(blocks.block_sum(unit * q) > radius, radius * unit, q)


def _rounding(p: Array, v: Array) -> Array:
    """How much rounding changes the dual in a step."""
    largest = jnp.max(jnp.abs(p), initial=0) + jnp.max(jnp.abs(v), initial=0) / 4
    return float(jnp.finfo(v.dtype).eps) * largest


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _primal(v: Array, radius: Array, blocks: Blocks, max_steps: int) -> Array:
    return v - blocks.transpose(v)(blocks.solve(v, radius, max_steps).p)


@_primal.defjvp
def _primal_jvp(blocks: Blocks, max_steps: int, primals: Any, tangents: Any) -> Any:
    (v, radius), (dv, dradius) = primals, tangents
    transpose, step = blocks.transpose(v), 1 / blocks.squared_norm
    p = blocks.solve(v, radius, max_steps).p
    x = v - transpose(p)

    q = p + step * blocks.forward(x)
    u = blocks.unit(q)
    size = blocks.block_sum(u * q)
    change = jnp.max(jnp.abs(_onto_balls(q, radius, blocks) - p), initial=0)
    outside = (size > radius + 8 * change + 16 * _rounding(p, v)) | (radius <= 0)
    shrink = jnp.sqrt(radius / jnp.where(size > 0, size, 1))

    def root(z):  # D^(1/2)
        return jnp.where(outside, shrink * (z - u * blocks.block_sum(u * z)), z)

    def matrix(z):
        return (z - root(root(z))) / step + root(blocks.forward(transpose(root(z))))

    def solve(matrix, right):
        return cg(matrix, right, tol=10 * float(jnp.finfo(v.dtype).eps), maxiter=max_steps)[0]

    of_radius = jnp.where(outside, u * dradius, 0)
    right = root(blocks.forward(dv - transpose(of_radius)))
    z = jax.lax.custom_linear_solve(matrix, right, solve, symmetric=True)  # cg's own has no transpose
    return x, dv - transpose(of_radius + root(z))


def _parts(x: Array) -> Array:
    """Real numbers in a first axis, of which a complex number takes two."""
    return jnp.stack([x.real, x.imag]) if jnp.iscomplexobj(x) else x[None]
