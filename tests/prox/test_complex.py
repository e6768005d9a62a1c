"""Operators of complex leaves: the argmin and the conjugate of the real inner product Re <v, x>; others refuse."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import prox

pytestmark = pytest.mark.usefixtures("float64", "strict_ranks")

SHAPES = {"r": (3, 4), "w": (3, 4), "z": (4, 2)}  # r is real
WEIGHTS = {"r": np.ones((3, 4)), "w": np.linspace(0, 1, 12).reshape(3, 4), "z": np.full((4, 2), 0.3)}
PROJECTIONS = optax.projections


def point(seed, scale=1.5):
    rng = np.random.default_rng(seed)
    parts = {name: rng.standard_normal((2, *shape)) for name, shape in SHAPES.items()}
    return {name: jnp.asarray(scale * (x[0] if name == "r" else x[0] + 1j * x[1])) for name, x in parts.items()}


OPERATORS = {
    "none": prox.none(),
    "l1": prox.l1(0.7),
    "l1 of weights": prox.l1(WEIGHTS),
    "l2_squared": prox.l2_squared(0.7),
    "elastic_net": prox.elastic_net(0.4, 0.7),
    "huber": prox.huber(0.7, 0.5),
    "group_lasso": prox.group_lasso(0.7),
    "l2_norm": prox.l2_norm(0.7),
    "linf_norm": prox.linf_norm(0.7),
    "nuclear_norm": prox.nuclear_norm(0.7),
    "l1 ball": prox.from_projection(PROJECTIONS.projection_l1_ball, 2.0),
    "l2 ball": prox.from_projection(functools.partial(PROJECTIONS.projection_l2_ball, scale=0.9)),
    "linf ball": prox.from_projection(lambda x: jax.tree.map(lambda a: a / jnp.maximum(jnp.abs(a), 1), x)),
    "masked": prox.masked(prox.l1(0.7), {"r": True, "w": False, "z": True}),
    "masked of a real leaf": prox.masked(prox.non_negative(), {"r": True, "w": False, "z": False}),
    "scaled": prox.scaled(prox.elastic_net(0.4, 0.7), 0.5),
    "translated": prox.translated(prox.l1(0.7), point(50)),
    "sum_over_leaves": prox.sum_over_leaves(prox.l2_norm(0.7)),
    "conjugate of l1": prox.conjugate(prox.l1(0.7)),
    "conjugate of linf_norm": prox.conjugate(prox.linf_norm(0.7)),
}
SETS = {"l1 ball", "l2 ball", "linf ball", "masked of a real leaf"}
every_operator = pytest.mark.parametrize("name", OPERATORS)


@functools.cache
def compiled(name):
    return jax.jit(OPERATORS[name].apply)


def dot(a, b):
    return sum(float(np.sum((np.conj(x) * y).real)) for x, y in zip(*map(jax.tree.leaves, (a, b)), strict=True))


def plus(a, scale, b):
    return jax.tree.map(lambda x, y: x + scale * y, a, b)


def close(a, b, atol=1e-9):
    for x, y in zip(*map(jax.tree.leaves, (a, b)), strict=True):
        np.testing.assert_allclose(x, y, atol=atol)


@pytest.mark.parametrize("name", [name for name, operator in OPERATORS.items() if operator.value])
def test_no_point_nearby_or_far_has_a_smaller_proximal_objective(name):
    v, step, value = point(0), 0.6, jax.jit(OPERATORS[name].value)
    best = compiled(name)(v, step)

    def objective(x):
        apart = plus(x, -1, v)
        return float(value(x)) + dot(apart, apart) / (2 * step)

    for seed, distance in enumerate([1e-4] * 10 + [1e-2] * 10 + [1.0] * 5):
        moved = plus(best, distance, point(seed + 1))
        moved = compiled(name)(moved, step) if name in SETS else moved
        assert objective(moved) >= objective(best) - 1e-12


@every_operator
def test_firmly_non_expansive_and_moreau(name):
    twice = jax.jit(prox.conjugate(prox.conjugate(OPERATORS[name])).apply)
    for seed in range(5):
        x, y = point(seed, 2.0), point(seed + 10, 2.0)
        p, q = (compiled(name)(a, 0.6) for a in (x, y))
        apart = plus(p, -1, q)
        assert dot(apart, apart) <= dot(apart, plus(x, -1, y)) + 1e-10
        close(twice(x, 0.6), p)


@every_operator
def test_derivatives_are_those_of_finite_differences(name):
    v, direction, weights, h = point(4), point(5), point(6), 1e-6
    v["w"] = v["w"].at[0, 0].set(0)
    p, tangent = jax.jit(lambda: jax.jvp(OPERATORS[name].apply, (v, 0.6), (direction, 0.3)))()
    assert jax.tree.map(lambda x: (x.shape, x.dtype), p) == jax.tree.map(lambda x: (x.shape, x.dtype), v)
    ahead, behind = (compiled(name)(plus(v, s * h, direction), 0.6 + s * h * 0.3) for s in (1, -1))
    close(tangent, jax.tree.map(lambda a, b: (a - b) / (2 * h), ahead, behind), 1e-7)
    slope, along = jax.jit(jax.grad(lambda v, s: inner(weights, OPERATORS[name](v, s)), (0, 1)))(v, 0.6)
    conjugated = jax.tree.map(jnp.conj, slope)  # JAX's is the conjugate
    np.testing.assert_allclose(dot(conjugated, direction) + 0.3 * along, dot(weights, tangent), atol=1e-9)


def inner(a, b):
    return sum(jnp.sum((jnp.conj(x) * y).real) for x, y in zip(*map(jax.tree.leaves, (a, b)), strict=True))


@pytest.mark.parametrize("name", [name for name, operator in OPERATORS.items() if operator.conjugate])
def test_conjugates_are_fenchel_s(name):
    g: Any = OPERATORS[name]
    step, v = 0.6, point(0)
    value, conjugate, gauge = map(jax.jit, (g.value, *g.conjugate))
    x = compiled(name)(v, step)
    u = jax.tree.map(lambda a: a / step, plus(v, -1, x))  # a subgradient of g at x
    assert gauge(u) <= 1 + 1e-12 and conjugate(u).dtype == gauge(u).dtype == value(x).dtype == jnp.float64
    np.testing.assert_allclose(value(x) + conjugate(u), dot(x, u), atol=1e-10)
    short = jax.jit(prox.conjugate(prox.Prox(g.apply)).apply)
    for seed in range(5):
        v, other = point(seed, 3.0), compiled(name)(point(seed + 100, 3.0), 0.1)
        r = float(gauge(v))
        if not np.isfinite(r):
            continue
        inside = jax.tree.map(lambda a, r=r: a / max(r, 1), v)
        assert dot(inside, other) - value(other) <= conjugate(inside) + 1e-10
        for factor, stays in ((0.99, True), (1.01, False)) if r > 0 else ():  # the operator of g* tells its domain
            near = jax.tree.map(lambda a, f=factor / r: f * a, v)
            moved = plus(short(near, 1e-9), -1, near)
            assert (dot(moved, moved) ** 0.5 < 1e-6) == stays


def test_twins_of_numpy():
    x, t = np.asarray(point(7)["w"]), 0.35
    size = np.abs(x)
    close(prox.l1(0.7)(x, 0.5), x / size * np.maximum(size - t, 0))
    u, s, wh = np.linalg.svd(x, full_matrices=False)
    close(prox.nuclear_norm(0.7)(x, 0.5), u * np.maximum(s - t, 0) @ wh)
    close(prox.l2_norm(0.7)(x, 0.5), x * (1 - t / np.linalg.norm(x)))
    cuts = np.sort(size.ravel())[::-1]
    level = max((cuts[:k].sum() - t) / k for k in range(1, cuts.size + 1))  # what is cut off sums to t
    close(prox.linf_norm(0.7)(x, 0.5), x * np.minimum(1, level / size))
    clip = prox.from_projection(PROJECTIONS.projection_linf_ball, 0.9)
    close(clip(jnp.asarray(x)), x * np.minimum(1, 0.9 / size))


REAL_ONLY = {
    "non_negative": prox.non_negative(),
    "box": prox.box(-1.0, 1.0),
    "simplex": prox.simplex(),
    "non_negative_l1": prox.non_negative_l1(np.ones(3)),
    "total_variation_1d": prox.total_variation_1d(),
    "projection_simplex": prox.from_projection(PROJECTIONS.projection_simplex),
    "projection_hypercube": prox.from_projection(functools.partial(PROJECTIONS.projection_hypercube, scale=2.0)),
}


@pytest.mark.parametrize("name", REAL_ONLY)
def test_others_refuse_complex_leaves(name):
    operator, v = REAL_ONLY[name], {"a": jnp.ones(3), "c": jnp.ones(3, complex)}
    words = rf"{name} is for real params, got complex128 at \['c'\]"
    functions = [operator.apply] if name.startswith("projection") else [operator.apply, operator.value]
    for function in functions + list(operator.conjugate or ()):
        arguments = (v, 1.0) if function is operator.apply else (v,)
        with pytest.raises(TypeError, match=words):
            function(*arguments)


def test_a_real_leaf_stays_real():
    with pytest.raises(TypeError, match="center must be real where params are, got complex128 for float64"):
        prox.translated(prox.l1(1.0), jnp.ones(2, complex))(jnp.ones(2))
    with pytest.raises(TypeError, match="projection must keep real leaves real, got complex128 for float64"):
        prox.from_projection(lambda x: x + 0j)(jnp.ones(2))
    with pytest.raises(ValueError, match="center must be finite"):
        prox.translated(prox.l1(1.0), jnp.array([1j * np.inf]))


def test_a_projection_of_complex_params_is_recognised():
    with pytest.raises(TypeError, match=r"prox\.from_projection"):
        prox.foreign.check_steps("prox", lambda x, r: x / jnp.maximum(1, jnp.abs(x) / r), jnp.ones(3, complex))
