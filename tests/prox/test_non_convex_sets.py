"""Operators of sets that are not convex return a nearest point."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_optax import prox

pytestmark = pytest.mark.usefixtures("float64", "strict_ranks")

OPERATORS = {
    "sparse_simplex": (prox.sparse_simplex(2, 1.5), lambda x: min(x) >= 0 and sum(x) == 1.5 and sum(x > 0) <= 2),
    "l1_sphere": (prox.l1_sphere(1.5), lambda x: sum(abs(x)) == 1.5),
    "l2_sphere": (prox.l2_sphere(1.25), lambda x: sum(x**2) == 1.25**2),
}
GRIDS = {  # points of each set, about 0.02 apart
    "sparse_simplex": [
        np.insert(np.zeros(1), [0, 0], 0) + np.eye(3)[i] * t + np.eye(3)[j] * (1.5 - t)
        for i, j in itertools.combinations(range(3), 2)
        for t in np.linspace(0, 1.5, 101)
    ],
    "l1_sphere": [
        np.array(signs) * (a, b, 1.5 - a - b)
        for signs in itertools.product((-1, 1), repeat=3)
        for a in np.linspace(0, 1.5, 61)
        for b in np.linspace(0, 1.5, 61)
        if a + b <= 1.5
    ],
    "l2_sphere": [
        1.25 * np.array([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)])
        for t in np.linspace(0, np.pi, 91)
        for p in np.linspace(0, 2 * np.pi, 181)
    ],
}
POINTS = [*np.random.default_rng(0).standard_normal((12, 3)), np.zeros(3), [0.5, 0.0, 0.1], [3.0, 3.0, -3.0]]


@pytest.mark.parametrize("name", OPERATORS)
def test_no_point_of_the_set_is_nearer(name):
    operator, _ = OPERATORS[name]
    grid = np.stack(GRIDS[name])
    for v in POINTS:
        x = np.asarray(operator(jnp.asarray(v)))
        nearest = np.linalg.norm(grid - v, axis=1).min()
        distance = np.linalg.norm(x - v)
        assert distance <= nearest + 1e-12 and distance >= nearest - 0.04
        assert OPERATORS[name][1](np.round(x, 12)) or np.linalg.norm(grid - x, axis=1).min() <= 0.04


@pytest.mark.parametrize("name", OPERATORS)
def test_pytrees_derivatives_and_dtypes(name):
    operator, _ = OPERATORS[name]
    v = {"a": jnp.asarray([0.3, -1.2]), "b": jnp.asarray([[0.9], [0.4]])}
    direction = jax.tree.map(lambda x: jnp.cos(3 * x), v)
    apply = jax.jit(operator.apply)
    _, tangent = jax.jvp(apply, (v, 1.0), (direction, 1.0))
    h = 1e-6
    ends = [apply(jax.tree.map(lambda x, d, s=s: x + s * h * d, v, direction), 1.0) for s in (1, -1)]
    for t, a, b in zip(*map(jax.tree.leaves, (tangent, *ends)), strict=True):
        np.testing.assert_allclose(t, (a - b) / (2 * h), atol=1e-8)
    half = operator(jax.tree.map(lambda x: x.astype(jnp.bfloat16), v))
    assert all(x.dtype == jnp.bfloat16 for x in jax.tree.leaves(half))
    flat = jnp.concatenate([x.reshape(-1) for x in jax.tree.leaves(v)])
    together = jnp.concatenate([x.reshape(-1) for x in jax.tree.leaves(operator(v))])
    np.testing.assert_allclose(jax.vmap(operator)(flat[None])[0], together, atol=1e-12)


def test_spheres_exactly():
    x = prox.l1_sphere(2.0)(jnp.zeros(4))
    np.testing.assert_allclose(x, 0.5)
    np.testing.assert_allclose(prox.l2_sphere(2.0)(jnp.zeros(4)), 1.0)
    np.testing.assert_allclose(prox.l2_sphere(5.0)(jnp.asarray([3e200, -4e200])), [3, -4], rtol=1e-12)
    np.testing.assert_allclose(jax.grad(lambda r: prox.l2_sphere(r)(jnp.asarray([3.0, 4.0]))[0])(2.0), 0.6)
