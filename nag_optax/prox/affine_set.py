"""Affine sets {x: A x = b}, by the singular values of A, so that rows may depend on each other."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_optax.prox.constraints import from_projection
from nag_optax.prox.feasible import all_concrete, array, tolerance, where_feasible
from nag_optax.prox.operator import Prox
from nag_optax.validation import check_entries


def affine_set(A: Any, b: Any) -> Prox:
    """Constraint A x = b for each leaf: a vector x, or a stack of vectors along the last axis.

    The projection is x - A^+ (A x - b), with the pseudo-inverse A^+, whose factors are computed once, when the operator
    is made. Equations may repeat each other.

    Args:
      A: a matrix of shape (m, n).
      b: a vector of shape (m,).

    Raises:
      ValueError: for concrete equations that contradict each other (traced ones give NaN), or when applied to a leaf
        whose last axis does not have n entries; exclude it with `nag_optax.prox.masked`.

    References:
      Parikh & Boyd, Proximal Algorithms, 2014, section 6.2.2.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import affine_set
    >>> affine_set(jnp.array([[1.0, 1.0, 0.0]]), jnp.array([2.0]))(jnp.array([4.0, 1.0, 5.0])).round(4)
    Array([ 2.5, -0.5,  5. ], dtype=float32)
    """
    equations = Equations.of(*rows("A", A, "b", b))
    check_consistent(equations)

    def projection(params, equations):
        difference = tolerance(equations.matrix, equations.vector)
        typed = equations.astype(jax.tree.leaves(params)[0].dtype)
        return each_vector("affine_set", lambda x: typed.project(x, difference), params, typed.matrix.shape[1])

    return from_projection(projection, equations)


class Equations(NamedTuple):
    """Equations A x = b, whose rows are scaled to norm 1.

    Attributes:
      matrix: A.
      vector: b.
      left: the left singular vectors of A divided by its singular values; 0 where those are 0.
      right: the right singular vectors of A, as rows; 0 where the singular values are 0.
    """

    matrix: Array
    vector: Array
    left: Array
    right: Array

    @classmethod
    def of(cls, matrix: Any, vector: Any) -> "Equations":
        """The equations of a matrix and a vector."""
        xp: Any = np if isinstance(matrix, np.ndarray) else jnp
        fixed = matrix if xp is np else jax.lax.stop_gradient(matrix)
        norm = xp.linalg.norm(fixed, axis=1)
        scale = 1 / xp.where(norm > 0, norm, 1)
        u, s, vh = xp.linalg.svd(fixed * scale[:, None], full_matrices=False)
        kept = s > tolerance(matrix) * xp.max(s, initial=0)
        left = u * xp.where(kept, 1 / xp.where(kept, s, 1), 0)[None]
        return cls(matrix * scale[:, None], vector * scale, left, xp.where(kept[:, None], vh, 0))

    def astype(self, dtype: Any) -> "Equations":
        """The same equations in a dtype."""
        return Equations(*(jnp.asarray(x, dtype) for x in self))

    def homogeneous(self, x: Array) -> Array:
        """The projection of a vector, or of each row of a matrix, onto {x: A x = 0}."""
        return x - (x @ self.right.T) @ self.right

    def project(self, x: Array, difference: Any) -> Array:
        """The projection of a vector onto {x: A x = b}; NaN if no equation may differ by more,
        relative to its terms.

        It solves p + A^T y = x, A p = b. All derivatives are those of this linear system.
        """

        size = x.size

        def optimality(solution):
            p, y = solution[:size], solution[size:]
            return jnp.concatenate([p + self.matrix.T @ y, self.matrix @ p])

        def solve(_, target):
            x, b = target[:size], target[size:]
            p = self.homogeneous(x) + (self.left.T @ b) @ self.right
            return jnp.concatenate([p, self.left @ (self.right @ (x - p))])

        target = jnp.concatenate([x, self.vector])
        p = jax.lax.custom_linear_solve(optimality, target, solve, symmetric=True)[:size]
        return self._checked(p, x, difference)

    def nearest(self, x: Array, difference: Any) -> Array:
        """The same without derivatives."""
        p = self.homogeneous(x) + (self.left.T @ self.vector) @ self.right
        return self._checked(p, x, difference)

    def _checked(self, p: Array, x: Array, difference: Any) -> Array:
        error = jnp.abs(self.matrix @ p - self.vector)
        scale = jnp.linalg.norm(p) + jnp.linalg.norm(x) + jnp.abs(self.vector)
        return where_feasible(jnp.all(error <= difference * scale), p)


def rows(matrix_name: str, matrix: Any, vector_name: str, vector: Any) -> tuple[Array, Array]:
    """A matrix (m, n) and a vector (m,) in JAX's default dtype, checked."""
    matrix, vector = array(matrix), array(vector)
    for name, value in ((matrix_name, matrix), (vector_name, vector)):
        check_entries(name, value)
    if matrix.ndim != 2:
        raise ValueError(f"{matrix_name} must be a matrix, got shape {matrix.shape}.")
    if vector.shape != matrix.shape[:1]:
        shapes = f"shape {vector.shape} for {matrix_name} of shape {matrix.shape}"
        raise ValueError(f"{vector_name} must have one entry for each row of {matrix_name}, got {shapes}.")
    xp = np if all_concrete(matrix, vector) else jnp
    return _floating(xp, matrix), _floating(xp, vector)


def _floating(xp: Any, x: Any) -> Any:
    """An array in its own floating dtype, or in the default one if it has none of 32 bits or more."""
    x = xp.asarray(x)
    return x if x.dtype in ("float32", "float64") else x.astype(float)


def check_consistent(equations: Equations) -> None:
    """Raises ValueError if concrete equations A x = b have no solution."""
    if not isinstance(equations.matrix, np.ndarray):
        return
    matrix, vector, left, right = equations
    solution = (vector @ left) @ right
    scale = abs(vector) + np.linalg.norm(solution)
    if np.any(abs(matrix @ solution - vector) > tolerance(matrix, vector) * scale):
        raise ValueError("b must be in the range of A: no x satisfies A x = b.")


def each_vector(name: str, project: Callable[[Array], Array], params: Any, size: int) -> Any:
    """A function of vectors along the last axis of each leaf."""

    def of_leaf(x):
        if not x.ndim or x.shape[-1] != size:
            raise ValueError(f"{name} needs vectors of {size} entries, got shape {x.shape}: mask the leaf out.")
        return jnp.vectorize(project, signature="(n)->(n)")(x)

    return jax.tree.map(of_leaf, params)
