"""Projections onto sets that systems of equations and inequalities describe, beside generic solvers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from optax.projections import projection_hyperplane
from scipy.optimize import LinearConstraint, linprog, minimize, nnls

from nag_optax import prox
from nag_optax.prox.monotone_root import monotone_root

pytestmark = pytest.mark.usefixtures("float64", "strict_ranks")

NONE = np.zeros((0, 4)), np.zeros(0)


def slsqp(v, constraints):
    """The nearest point by SciPy; the constraints are (matrix, lower, upper)."""
    v = np.asarray(v, float)
    return minimize(
        lambda x: np.sum((x - v) ** 2) / 2,
        np.zeros_like(v),
        jac=lambda x: x - v,
        constraints=[LinearConstraint(*c) for c in constraints],
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 1000},
    ).x


def sums(m, n):
    """The matrix that maps the entries of an (m, n) matrix to its sums of rows and columns."""
    return np.concatenate([np.kron(np.eye(m), np.ones(n)), np.kron(np.ones(m), np.eye(n))])


def polytope(seed, equations, inequalities, size=4):
    """A polyhedron with a point inside, some inequalities of which are active there."""
    rng = np.random.default_rng(seed)
    A, G = rng.standard_normal((equations, size)), rng.standard_normal((inequalities, size))
    inside = rng.standard_normal(size)
    return A, A @ inside, G, G @ inside + rng.random(inequalities) * (rng.random(inequalities) < 0.7)


def marginals(seed, m=4, n=5):
    rng = np.random.default_rng(seed)
    rows, columns = rng.random(m), rng.random(n)
    return rows, columns * rows.sum() / columns.sum()


def case(name, seed):
    """An operator as a function of its numbers, the numbers, a point, and the constraints for SciPy."""
    rng = np.random.default_rng(100 + seed)
    if name == "affine_set":
        A, b, *_ = polytope(seed, 2, 0)
        return prox.affine_set, (A, b), rng.standard_normal(4), [(A, b, b)]
    if name == "polyhedron":
        A, b, G, h = polytope(seed, 1, 7)
        return prox.polyhedron, (A, b, G, h), 3 * rng.standard_normal(4), [(A, b, b), (G, -np.inf, h)]
    if name == "box_section":
        w, lower, upper = rng.standard_normal(6), -rng.random(6), rng.random(6)
        c = w @ rng.uniform(lower, upper)
        constraints = [(np.eye(6), lower, upper), (w[None], c, c)]
        return prox.box_section, (lower, upper, w, c), 2 * rng.standard_normal(6), constraints
    rows, columns = marginals(seed) if name == "transport" else (np.ones(4), np.ones(4))
    v = rng.standard_normal((rows.size, columns.size))
    both, matrix = np.concatenate([rows, columns]), sums(rows.size, columns.size)
    constraints = [(matrix[1:], both[1:], both[1:]), (np.eye(v.size), 0, np.inf)]
    return (
        (prox.transport, (rows, columns), v, constraints)
        if name == "transport"
        else (prox.birkhoff, (), v, constraints)
    )


every_set = pytest.mark.parametrize("name", ["affine_set", "polyhedron", "box_section", "transport", "birkhoff"])


@every_set
@pytest.mark.parametrize("seed", range(3))
def test_the_nearest_point_is_that_of_a_generic_solver(name, seed):
    make, numbers, v, constraints = case(name, seed)
    x = make(*numbers)(jnp.asarray(v))
    if name in ("transport", "birkhoff"):
        assert x.min() >= 0
    np.testing.assert_allclose(np.ravel(x), slsqp(np.ravel(v), constraints), atol=2e-6)


@every_set
def test_derivatives_in_all_numbers(name):
    make, numbers, v, _ = case(name, 7)
    rng = np.random.default_rng(0)

    def point(v, *numbers):
        return make(*numbers)(v, 1.0)

    run = jax.jit(point)
    direction = [jnp.asarray(rng.standard_normal(np.shape(x))) for x in (v, *numbers)]
    if name == "transport":  # totals stay equal
        direction[2] += (jnp.sum(direction[1]) - jnp.sum(direction[2])) / direction[2].size
    arguments = [jnp.asarray(x) for x in (v, *numbers)]
    h = 1e-6
    ends = [run(*(x + sign * h * d for x, d in zip(arguments, direction, strict=True))) for sign in (1, -1)]
    _, tangent = jax.jit(lambda x, d: jax.jvp(point, x, d))(tuple(arguments), tuple(direction))
    np.testing.assert_allclose(tangent, (ends[0] - ends[1]) / (2 * h), atol=1e-7)
    weights = jnp.asarray(rng.standard_normal(tangent.shape))
    cotangents = jax.jit(lambda x, y: jax.vjp(point, *x)[1](y))(tuple(arguments), weights)
    pulled = sum(jnp.sum(c * d) for c, d in zip(cotangents, direction, strict=True))
    np.testing.assert_allclose(pulled, jnp.sum(weights * tangent), atol=1e-9)


@every_set
def test_numbers_may_be_mapped_and_float32(name):
    make, numbers, v, _ = case(name, 8)
    batch = jnp.stack([jnp.asarray(v), -jnp.asarray(v)])
    mapped = jax.jit(jax.vmap(lambda v, *n: make(*n)(v), in_axes=(0, *(None for _ in numbers))))(batch, *numbers)
    for point, row in zip(batch, mapped, strict=True):
        np.testing.assert_allclose(row, make(*numbers)(point), atol=1e-12)
    single = make(*(np.float32(x) for x in numbers))(jnp.float32(v))  # consistent to the rounding of float32
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, mapped[0], atol=1e-5)


@pytest.mark.parametrize(("size", "equations", "inequalities"), [(30, 5, 90), (8, 0, 40)])
def test_polyhedra_with_repeated_rows_satisfy_their_optimality_conditions(size, equations, inequalities):
    A, b, G, h = polytope(3, equations, inequalities, size)
    A, b, G, h = (np.concatenate([x, x[:3]]) for x in (A, b, G, h))
    v = 3 * np.random.default_rng(4).standard_normal(size)
    x = np.asarray(prox.polyhedron(A, b, G, h)(jnp.asarray(v)))
    np.testing.assert_allclose(A @ x, b, atol=1e-12)
    assert np.all(G @ x <= h + 1e-12)
    normals = np.concatenate([A, -A, G[G @ x >= h - 1e-10]]).T  # v - x is in the cone of those of active rows
    assert nnls(normals, v - x, maxiter=10_000)[1] <= 1e-10


def test_polyhedra_are_empty_where_a_linear_programme_says_so():
    rng = np.random.default_rng(0)
    G, h = rng.integers(-2, 3, (60, 8, 4)).astype(float), rng.integers(-1, 3, (60, 8)).astype(float)
    v = jnp.asarray(rng.integers(-4, 5, (60, 4)).astype(float))
    points = np.asarray(jax.jit(jax.vmap(lambda G, h, v: prox.polyhedron(*NONE, G, h)(v)))(G, h, v))
    status = [linprog(np.zeros(4), A, b, bounds=(None, None)).status for A, b in zip(G, h, strict=True)]
    assert {0, 2} == set(status)
    np.testing.assert_array_equal(np.isnan(points).any(1), np.equal(status, 2))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0, 1e4])
def test_transport_satisfies_its_optimality_conditions_at_every_scale(scale):
    rows, columns = marginals(1, 30, 20)
    rows[0], rows[1] = 0, rows[0] + rows[1]
    v = scale * np.random.default_rng(2).standard_normal((30, 20))
    x = np.asarray(prox.transport(rows, columns)(jnp.asarray(v)))
    np.testing.assert_allclose(x.sum(1), rows, atol=1e-14 * max(scale, 10))
    np.testing.assert_allclose(x.sum(0), columns, atol=1e-14 * max(scale, 10))
    # Multipliers: x - v = a + b where x > 0, and at least that where x = 0.
    matrix = sums(30, 20).T
    support = x.ravel() > 0
    gap = linprog(
        np.concatenate([np.zeros(50), [1]]),
        A_ub=np.concatenate(
            [np.c_[matrix, -np.ones(600)], np.c_[-matrix[support], -np.ones(support.sum())]],
        ),
        b_ub=np.concatenate([(x - v).ravel(), -(x - v).ravel()[support]]) / scale,
        bounds=(None, None),
    )
    assert gap.fun <= 1e-9


def test_integers_and_ties_of_birkhoff():
    v = jnp.asarray(np.round(3 * np.random.default_rng(0).standard_normal((300, 4, 4))))
    x = prox.birkhoff()(v)
    np.testing.assert_allclose(jnp.sum(x, 1), 1, atol=1e-12)
    np.testing.assert_allclose(jnp.sum(x, 2), 1, atol=1e-12)
    np.testing.assert_allclose(prox.birkhoff()(x), x, atol=1e-12)


def test_box_sections_with_infinite_bounds_and_pytrees():
    v = {"a": jnp.asarray([3.0, -1.0]), "b": jnp.asarray(0.5)}
    half = prox.box_section({"a": 0.0, "b": -jnp.inf}, jnp.inf, {"a": jnp.asarray([1.0, -2.0]), "b": 0.0}, -1.0)(v)
    np.testing.assert_allclose(half["a"], [1.8, 1.4], atol=1e-12)  # onto a - 2 b = -1
    assert half["b"] == 0.5
    a = jax.tree.map(jnp.cos, v)
    for c in (-50.0, 50.0):
        ours = prox.box_section(-jnp.inf, jnp.inf, a, c)(v)
        for x, y in zip(jax.tree.leaves(ours), jax.tree.leaves(projection_hyperplane(v, a, c)), strict=True):
            np.testing.assert_allclose(x, y, atol=1e-12)
        ours = prox.box_section(min(c, 0.0), max(c, 0.0), 1.0, 2 * c)(v)  # the root is where bounds are reached
        np.testing.assert_allclose(sum(map(jnp.sum, jax.tree.leaves(ours))), 2 * c, atol=1e-12)
    capped = prox.box_section(0.0, jnp.inf, 1.0, 2.0)(v)
    for ours, theirs in zip(jax.tree.leaves(capped), jax.tree.leaves(prox.simplex(2.0)(v)), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_newton_s_steps_do_not_turn_in_circles():
    def function(t):  # from 1, Newton's step leads to -1, and back
        steep = jnp.abs(t) < 0.1
        value = jnp.where(steep, 5.5 * t, jnp.sign(t) * 0.5 + t / 2)
        return value, jnp.where(steep, 5.5, 0.5), jnp.abs(value)

    assert monotone_root(function, *jnp.asarray([-1.0, 1.5, 1.0])) == 0
