"""Polyhedra {x: A x = b, G x <= h}, by the dual active-set method.

Goldfarb & Idnani, Mathematical Programming 27, 1983, for the quadratic |x - v|^2 / 2. It begins with the projection
onto the equations and adds the most violated inequality, until none is violated; an inequality leaves the active set
when its multiplier reaches 0. Active inequalities stay independent, so inequalities may repeat each other. It ends
with the exact result, after about as many steps as inequalities are active. If no step can satisfy an inequality, the
set is empty.

The result is the projection onto the affine set of the active rows, and so is its derivative.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.linalg import solve_triangular

from nag_optax.prox.affine_set import Equations, check_consistent, each_vector, rows
from nag_optax.prox.constraints import from_projection
from nag_optax.prox.feasible import all_concrete, tolerance, where_feasible
from nag_optax.prox.operator import Prox


def polyhedron(A: Any, b: Any, G: Any, h: Any) -> Prox:
    """Constraint A x = b and G x <= h for each leaf: a vector x, or a stack of vectors along the last axis.

    The method adds inequalities one by one, and each costs a QR decomposition of a matrix of shape (n + k, k): it is
    for some tens of inequalities that hold with equality.

    Args:
      A: a matrix of shape (m, n); of shape (0, n) for no equations.
      b: a vector of shape (m,).
      G: a matrix of shape (k, n).
      h: a vector of shape (k,).

    Raises:
      ValueError: for concrete arguments that no x satisfies (traced ones give NaN), or when applied to a leaf whose
        last axis does not have n entries; exclude it with `nag_optax.prox.masked`.

    References:
      Goldfarb & Idnani, A numerically stable dual method for solving strictly convex quadratic programs, 1983.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import polyhedron
    >>> A, b = jnp.array([[1.0, 1.0, 1.0]]), jnp.array([1.0])
    >>> G, h = -jnp.eye(3), jnp.array([0.0, 0.0, -0.25])  # x_1 >= 0, x_2 >= 0, x_3 >= 0.25
    >>> polyhedron(A, b, G, h)(jnp.array([1.0, -1.0, 0.0])).round(4)
    Array([0.75, 0.  , 0.25], dtype=float32)
    """
    equations = Equations.of(*rows("A", A, "b", b))
    G, h = rows("G", G, "h", h)
    if equations.matrix.shape[1] != G.shape[1]:
        raise ValueError(f"A and G must have as many columns, got shapes {equations.matrix.shape} and {G.shape}.")
    check_consistent(equations)
    difference = tolerance(*equations[:2], G, h)
    if all_concrete(equations, G, h):
        dtype = jnp.result_type(float)
        numbers = equations.astype(dtype), jnp.asarray(G, dtype), jnp.asarray(h, dtype), difference
        feasible = _is_feasible(*numbers)
        if all_concrete(feasible) and not feasible:  # inside of jax.jit it is traced
            raise ValueError("A, b, G and h must leave some x with A x = b and G x <= h, got an empty set.")

    def projection(params, equations, G, h):
        difference = tolerance(*equations[:2], G, h)
        dtype = jax.tree.leaves(params)[0].dtype
        numbers = equations.astype(dtype), jnp.asarray(G, dtype), jnp.asarray(h, dtype), difference
        return each_vector("polyhedron", lambda x: _project(*numbers, x), params, G.shape[1])

    return from_projection(projection, equations, G, h)


class _Search(NamedTuple):
    """The method's variables: the point, the multipliers and the set of active inequalities, the inequality that is
    being added, whether to choose it anew, whether the search is over, whether the set is empty, the number of steps.
    """

    point: Array
    multipliers: Array
    active: Array
    entering: Array
    choose: Array
    over: Array
    empty: Array
    steps: Array


@jax.jit
def _is_feasible(equations: Equations, G: Array, h: Array, difference: Array) -> Array:
    return ~_search(equations, G, h, difference, jnp.zeros(G.shape[1], G.dtype)).empty


@jax.jit
def _project(equations: Equations, G: Array, h: Array, difference: Array, x: Array) -> Array:
    found = _search(*jax.lax.stop_gradient((equations, G, h, difference, x)))
    active_rows = jnp.where(found.active[:, None], G, 0), jnp.where(found.active, h, 0)
    matrix, vector = (jnp.concatenate(pair) for pair in zip(equations[:2], active_rows, strict=True))
    return where_feasible(~found.empty, Equations.of(matrix, vector).project(x, difference))


def _search(equations: Equations, G: Array, h: Array, difference: Array, x: Array) -> _Search:
    eps = float(jnp.finfo(x.dtype).eps)
    count = h.size
    norm = jnp.linalg.norm(G, axis=1)
    scale = 1 / jnp.where(norm > 0, norm, 1)
    G, h = G * scale[:, None], h * scale
    begin = equations.nearest(x, difference)
    normals = equations.homogeneous(G)
    noise = 20 * eps * (jnp.linalg.norm(x) + jnp.linalg.norm(begin) + jnp.abs(h))

    def step(s: _Search) -> _Search:
        violation = jnp.where(s.active, -jnp.inf, G @ s.point - h)
        over = s.choose & jnp.all(violation <= noise)
        p = jnp.where(s.choose, jnp.argmax(violation - noise).astype(jnp.int32), s.entering)
        normal = normals[p]

        # The step direction, orthogonal to active normals, and the multipliers' change, by least squares; a row of the
        # identity keeps that of an inactive inequality at 0.
        columns = jnp.where(s.active[:, None], normals, 0).T
        q, r = jnp.linalg.qr(jnp.concatenate([columns, jnp.diag(jnp.where(s.active, 0.0, 1.0))]))
        change = jnp.where(s.active, solve_triangular(r, q[: x.size].T @ normal), 0)
        direction = normal - columns @ change
        square = jnp.sum(direction**2)
        dependent = square <= difference**2

        falls = s.active & (change > eps)
        limits = jnp.where(falls, s.multipliers / jnp.where(falls, change, 1), jnp.inf)
        leaving = jnp.argmin(limits)
        full = jnp.where(dependent, jnp.inf, violation[p] / jnp.where(dependent, 1, square))
        length = jnp.minimum(limits[leaving], full)
        empty = ~over & (jnp.isinf(length) | (s.steps > 20 * (count + x.size)))
        length = jnp.where(over | empty, 0, length)
        enters = full <= limits[leaving]
        multipliers = (jnp.where(s.active, s.multipliers - length * change, s.multipliers)).at[p].add(length)
        at = jnp.where(enters, p, leaving)
        return _Search(
            s.point - jnp.where(dependent, 0, length) * direction,
            jnp.where(enters | over, multipliers, multipliers.at[leaving].set(0)),
            jnp.where(over | empty, s.active, s.active.at[at].set(enters)),
            p,
            enters,
            over | empty,
            empty,
            s.steps + 1,
        )

    none = jnp.zeros(count, bool)
    true, zero = jnp.asarray(True), jnp.zeros((), jnp.int32)
    first = _Search(begin, jnp.zeros_like(h), none, zero, true, jnp.asarray(count == 0), ~true, zero)
    return jax.lax.while_loop(lambda s: ~s.over, step, first)
