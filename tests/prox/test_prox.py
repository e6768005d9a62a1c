"""Every proximal operator is the argmin that its docstring names, and what follows from that."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nag_optax import prox

pytestmark = pytest.mark.usefixtures("float64", "strict_ranks")

TREE = {"w": (3, 4), "b": (2,), "v": (5,)}
SHAPES = {
    "nuclear_norm": {"w": (3, 4), "u": (4, 4), "v": (5, 2)},
    "total_variation_1d": {"a": (9,), "b": (2, 6), "c": (1,)},
    "total_variation_2d": {"a": (4, 5), "b": (2, 3, 2), "c": (1, 1)},
    "overlapping_groups": {"a": (5,), "b": (3, 5)},
    "psd_cone": {"a": (4, 4), "b": (2, 3, 3), "c": (1, 1)},
    "slope": {"a": (6,), "b": (2, 6)},
    "isotonic": {"a": (9,), "b": (2, 6), "c": (1,)},
    "quadratic": {"v": (5,)},
    "affine_set": {"a": (4,), "b": (2, 4)},
    "polyhedron": {"a": (4,), "b": (2, 4)},
    "transport": {"a": (3, 4), "b": (2, 3, 4)},
    "birkhoff": {"a": (3, 3), "b": (2, 2, 2)},
}
CENTER = {name: np.linspace(-1, 1, int(np.prod(shape))).reshape(shape) for name, shape in TREE.items()}
ROWS = np.array([[1.0, 2.0, -1.0, 0.5], [0.0, 1.0, 1.0, -2.0], [1.5, 0.0, 0.5, 1.0], [-1.0, 1.0, 0.0, 0.5]])
WEIGHTS = {"w": np.linspace(0, 1, 4), "b": 0.5, "v": np.linspace(0.1, 2, 5)}

OPERATORS = {
    "none": prox.none(),
    "l1": prox.l1(0.7),
    "l1 of weights": prox.l1(jax.tree.map(lambda s, w: np.broadcast_to(w, s.shape), CENTER, WEIGHTS)),
    "l2_squared": prox.l2_squared(0.7),
    "elastic_net": prox.elastic_net(0.4, 0.7),
    "non_negative": prox.non_negative(),
    "non_negative_l1": prox.non_negative_l1(0.7),
    "huber": prox.huber(0.7, 0.5),
    "group_lasso": prox.group_lasso(0.7),
    "group_lasso of columns": prox.group_lasso(0.7, axis=0),
    "l2_norm": prox.l2_norm(0.7),
    "linf_norm": prox.linf_norm(0.7),
    "nuclear_norm": prox.nuclear_norm(0.7),
    "total_variation_1d": prox.total_variation_1d(0.7),
    "total_variation_2d": prox.total_variation_2d(0.7, isotropic=False),
    "overlapping_groups": prox.overlapping_groups([[0, 1, 2], [2, 3], [1]], 0.7),
    "second_order_cone": prox.second_order_cone(),
    "psd_cone": prox.psd_cone(),
    "slope": prox.slope(np.linspace(1, 0, 6)),
    "isotonic": prox.isotonic(),
    "log_barrier": prox.log_barrier(0.7),
    "kullback_leibler": prox.kullback_leibler(jax.tree.map(lambda c: c + 1.5, CENTER), 0.7),
    "quadratic": prox.quadratic(np.cov(np.arange(15).reshape(5, 3) ** 2 % 7), np.linspace(-1, 1, 5)),
    "box": prox.box(-0.3, 0.5),
    "box of a pytree": prox.box(jax.tree.map(lambda c: c - 0.2, CENTER), jax.tree.map(lambda c: c + 0.1, CENTER)),
    "simplex": prox.simplex(2.0),
    "affine_set": prox.affine_set(ROWS[:2], np.array([1.0, -0.5])),
    "polyhedron": prox.polyhedron(ROWS[:1], np.array([0.5]), ROWS[1:], np.array([0.1, 0.2, 0.3])),
    "box_section": prox.box_section(-0.3, 0.5, CENTER, 0.4),
    "transport": prox.transport(np.array([1.0, 2.0, 0.5]), np.array([0.5, 0.75, 1.25, 1.0])),
    "birkhoff": prox.birkhoff(),
    "from_projection": prox.from_projection(optax.projections.projection_l2_ball, 0.9),
    "masked": prox.masked(prox.l1(0.7), {"w": True, "b": False, "v": True}),
    "masked by a function": prox.masked(prox.l2_norm(0.7), lambda tree: jax.tree.map(lambda x: x.ndim > 1, tree)),
    "scaled": prox.scaled(prox.elastic_net(0.4, 0.7), 0.5),
    "translated": prox.translated(prox.l1(0.7), CENTER),
    "sum_over_leaves": prox.sum_over_leaves(prox.l2_norm(0.7)),
    "sum of simplices": prox.sum_over_leaves(prox.simplex(1.5)),
    "conjugate of l1": prox.conjugate(prox.l1(0.7)),
    "conjugate of l2_norm": prox.conjugate(prox.l2_norm(0.7)),
    "conjugate of huber": prox.conjugate(prox.huber(0.7, 0.5)),
}
every_operator = pytest.mark.parametrize("name", OPERATORS)


def shapes_of(name):
    return SHAPES.get(name.removeprefix("conjugate of "), TREE)


def point(name, seed, scale=1.5):
    rng = np.random.default_rng(seed)
    return {key: jnp.asarray(scale * rng.standard_normal(shape)) for key, shape in shapes_of(name).items()}


@functools.cache
def compiled(name):
    return jax.jit(OPERATORS[name].apply)


def dot(a, b):
    return sum(float(jnp.sum(x * y)) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def minus(a, b):
    return jax.tree.map(jnp.subtract, a, b)


SETS = {"non_negative", "non_negative_l1", "box", "box of a pytree", "simplex", "from_projection", "sum of simplices"}
SETS |= {"affine_set", "polyhedron", "box_section", "transport", "birkhoff"}
SETS |= {"isotonic", "second_order_cone", "psd_cone"}


@pytest.mark.parametrize("name", [name for name, operator in OPERATORS.items() if operator.value])
@pytest.mark.parametrize("step", [0.3, 2.0])
def test_no_point_nearby_or_far_has_a_smaller_proximal_objective(name, step):
    g, v = OPERATORS[name].value, point(name, 0)
    assert g is not None
    best = compiled(name)(v, step)

    @jax.jit
    def objective(x):
        return g(x) + sum(jnp.sum(d**2) for d in jax.tree.leaves(minus(x, v))) / (2 * step)

    rng = np.random.default_rng(1)
    for distance in np.repeat([1e-6, 1e-4, 1e-2, 1.0], 25):
        moved = jax.tree.map(
            lambda x, d=distance: x + d * jnp.asarray(rng.standard_normal(x.shape) * (rng.random(x.shape) < 0.5)), best
        )
        feasible = compiled(name)(moved, step) if name in SETS else moved  # g is infinite elsewhere
        assert objective(feasible) >= objective(best) - 1e-12


@every_operator
@settings(max_examples=15, deadline=None)
@given(seeds=st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), step=st.sampled_from([0.1, 1.0, 7.0]))
def test_firmly_non_expansive(name, seeds, step):
    x, y = (point(name, seed, 3.0) for seed in seeds)
    p, q = (compiled(name)(z, step) for z in (x, y))
    assert dot(minus(p, q), minus(p, q)) <= dot(minus(p, q), minus(x, y)) + 1e-10


@every_operator
def test_moreau_s_decomposition(name):
    step, v = 0.6, point(name, 2)
    twice = jax.jit(prox.conjugate(prox.conjugate(OPERATORS[name])).apply)
    for a, b in zip(jax.tree.leaves(twice(v, step)), jax.tree.leaves(compiled(name)(v, step)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_strengths_are_those_that_are_named():
    v, s, d = np.array([0.3, -1.0, 10.0]), 1.0, 3.0
    steep = np.abs(v) > d * (1 + s)
    expected = np.where(steep, v - s * d * np.sign(v), v / (1 + s))
    np.testing.assert_allclose(prox.huber(strength=s, delta=d)(jnp.asarray(v), 1.0), expected, atol=1e-12)


def test_conjugates_with_a_closed_form():
    v = point("l1", 3)
    pairs = [
        (prox.conjugate(prox.l1(0.7)), prox.box(-0.7, 0.7)),
        (prox.conjugate(prox.linf_norm(0.7)), prox.from_projection(optax.projections.projection_l1_ball, 0.7)),
        (prox.conjugate(prox.l2_norm(0.7)), prox.from_projection(optax.projections.projection_l2_ball, 0.7)),
        (prox.conjugate(prox.l2_squared(0.5)), prox.l2_squared(2.0)),
    ]
    for conjugate, known in pairs:
        for a, b in zip(jax.tree.leaves(conjugate(v, 0.6)), jax.tree.leaves(known(v, 0.6)), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)


@every_operator
def test_derivatives_are_those_of_finite_differences(name):
    operator, v, direction = OPERATORS[name], point(name, 4), point(name, 5)
    _, tangent = jax.jit(lambda: jax.jvp(operator.apply, (v, 0.6), (direction, 0.3)))()
    h = 1e-6

    def moved(sign):
        return compiled(name)(jax.tree.map(lambda x, d: x + sign * h * d, v, direction), 0.6 + sign * h * 0.3)

    difference = jax.tree.map(lambda a, b: (a - b) / (2 * h), moved(1), moved(-1))
    for a, b in zip(jax.tree.leaves(tangent), jax.tree.leaves(difference), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)


@every_operator
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_structure_shapes_and_dtypes_are_kept(name, dtype):
    v = jax.tree.map(lambda x: x.astype(dtype), point(name, 6))
    if dtype == "bfloat16":
        key = next(iter(v))
        v[key] = v[key].astype(jnp.float32)  # a mixed pytree
    out = jax.eval_shape(OPERATORS[name].apply, v, 0.5)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), out) == jax.tree.map(lambda x: (x.shape, x.dtype), v)


def test_strengths_may_be_traced_and_mapped():
    v = jnp.linspace(-2, 2, 7)
    strengths = jnp.array([0.1, 0.5])
    for make in (prox.l1, prox.group_lasso, prox.linf_norm, prox.total_variation_1d):
        batch = jax.jit(jax.vmap(lambda s, make=make: make(s)(v, 1.0)))(strengths)
        for s, row in zip(strengths, batch, strict=True):
            np.testing.assert_allclose(row, make(float(s))(v, 1.0), atol=1e-12)


def test_complex_numbers_keep_their_phase():
    z = jnp.array([3 + 4j, 0.3 - 0.4j])
    np.testing.assert_allclose(prox.l1(1.0)(z), [2.4 + 3.2j, 0], atol=1e-12)
    matrix = jnp.array([[3j, 0], [0, 0.5]])
    np.testing.assert_allclose(prox.nuclear_norm(1.0)(matrix), [[2j, 0], [0, 0]], atol=1e-12)


def test_soft_thresholding_returns_exact_zeros_without_a_sign():
    out = np.asarray(prox.l1(1.0)(jnp.array([-0.5, 0.5, -1.0])))
    assert not out.any() and not np.signbit(out).any()


@pytest.mark.parametrize("size", [1, 2, 3, 50, 400])
@pytest.mark.parametrize("strength", [0.01, 0.5, 5.0, 1e3])
def test_total_variation_satisfies_its_optimality_conditions(size, strength):
    y = np.cumsum(np.random.default_rng(size).standard_normal(size))
    x = np.asarray(prox.total_variation_1d(strength)(jnp.asarray(y), 1.0))
    dual = np.cumsum(y - x)  # the optimal u: |u_i| <= strength, = strength sign(jump) where x jumps, 0 at the end
    np.testing.assert_allclose(dual[-1], 0, atol=1e-9)
    assert np.all(np.abs(dual) <= strength * (1 + 1e-9) + 1e-9)
    jumps = np.diff(x)
    np.testing.assert_allclose(dual[:-1][jumps != 0], -strength * np.sign(jumps[jumps != 0]), atol=1e-8)


def test_leaves_may_be_numbers_of_python():
    for operator in (prox.l1(0.5), prox.box(0.0, 1.5), prox.simplex(3.0), prox.box_section(0.0, 2.0, 1.0, 3.0)):
        found, wanted = (operator(jax.tree.map(kind, {"a": -1.0, "b": 2.0})) for kind in (float, jnp.asarray))
        assert found == wanted


def test_leaves_of_the_wrong_kind_are_named():
    with pytest.raises(ValueError, match=r"nuclear_norm needs matrices, got shape \(3,\)"):
        prox.nuclear_norm()(jnp.ones(3))
    with pytest.raises(ValueError, match="total_variation_1d needs signals"):
        prox.total_variation_1d()(jnp.ones(()))
