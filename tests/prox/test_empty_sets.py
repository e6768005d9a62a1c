"""Sets that are empty, and arguments of the wrong shape: an error before the first step, or NaN if they are traced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_optax import prox

TWO = np.array([[1.0, 1.0], [2.0, 2.0]])
ERRORS = {
    "b must be in the range of A": lambda: prox.affine_set(TWO, np.array([1.0, 3.0])),
    r"A must be a matrix, got shape \(2,\)": lambda: prox.affine_set(np.ones(2), np.ones(2)),
    "b must have one entry for each row of A": lambda: prox.affine_set(TWO, np.ones(3)),
    "A must be finite": lambda: prox.affine_set(TWO * np.inf, np.ones(2)),
    r"affine_set needs vectors of 2 entries, got shape \(3,\)": lambda: prox.affine_set(TWO, [1, 2])(jnp.ones(3)),
    "A, b, G and h must leave some x": lambda: prox.polyhedron(TWO[:1], np.ones(1), TWO[:1], np.zeros(1)),
    "A and G must have as many columns": lambda: prox.polyhedron(
        TWO, np.array([1.0, 2.0]), np.ones((1, 3)), np.ones(1)
    ),
    "polyhedron needs vectors of 2 entries": lambda: prox.polyhedron(TWO[:1], np.ones(1), TWO, np.ones(2) * 9)(
        jnp.ones(())
    ),
    "c must be within reach of .* at least 0 and at most 3": lambda: prox.box_section(
        0.0, 1.0, np.array([1.0, 2.0]), 3.5
    ),
    "c must be within reach of .* at least 0 and at most 2": lambda: prox.box_section(0.0, 1.0, 1.0, 2.5)(jnp.ones(2)),
    "lower must be at most upper": lambda: prox.box_section(1.0, 0.0, 1.0, 0.5),
    "w must broadcast against params": lambda: prox.box_section(0.0, 1.0, np.ones(2), 1.0)(jnp.ones(3)),
    "w must be finite": lambda: prox.box_section(0.0, 1.0, np.inf, 1.0),
    "column_sums must have the total of row_sums, got 3 and 2": lambda: prox.transport(np.ones(2), np.ones(3)),
    "row_sums must be finite, at least 0": lambda: prox.transport(np.array([-1.0, 2.0]), np.ones(1)),
    r"column_sums must be a vector, got shape \(1, 1\)": lambda: prox.transport(np.ones(1), np.ones((1, 1))),
    r"transport needs matrices \(2, 2\), got shape \(3, 2\)": lambda: prox.transport(np.ones(2), np.ones(2))(
        jnp.ones((3, 2))
    ),
    r"birkhoff needs square matrices, got shape \(2, 3\)": lambda: prox.birkhoff()(jnp.ones((2, 3))),
    "scale must be finite, above 0": lambda: prox.sparse_simplex(1, 0.0),
    "max_nonzero must be finite, at least 1": lambda: prox.sparse_simplex(0),
    "radius must be finite, above 0": lambda: prox.l2_sphere(-1.0),
}


@pytest.mark.parametrize("words", ERRORS)
def test_errors_name_the_argument(words):
    with pytest.raises(ValueError, match=words):
        ERRORS[words]()


@pytest.mark.parametrize(
    ("operator", "point"),
    [
        (lambda b: prox.affine_set(TWO, b), np.ones(2)),
        (lambda b: prox.polyhedron(TWO, np.zeros(2), TWO, -b), np.ones(2)),
        (lambda b: prox.box_section(0.0, 1.0, 1.0, 2 * b[1]), np.ones(2)),
        (lambda b: prox.transport(b, 2 * b), np.ones((2, 2))),
    ],
)
def test_traced_numbers_of_an_empty_set_give_nan(operator, point):
    assert jnp.isnan(jax.jit(lambda b: operator(b)(jnp.asarray(point)))(np.array([1.0, 3.0]))).all()
