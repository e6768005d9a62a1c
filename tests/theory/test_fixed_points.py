"""Fixed points and proximal points: the papers' iterations, and bounds that nothing exceeds."""

import itertools

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no
from nag_optax import theory
from oracles.published import anchored
from tests.support.running import close

STEPS = 100


def soft_threshold(x):
    """The proximal map of |A x - b|_1 in a basis of its own: a resolvent that is no gradient step."""
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(rng.standard_normal((x.size, x.size)))
    center, z = rng.standard_normal(x.size), basis.T @ x
    moved = z - center
    return basis @ (center + np.sign(moved) * np.maximum(np.abs(moved) - np.geomspace(1e-3, 0.3, x.size), 0))


def run(tx, mapping, start, steps=STEPS):
    """Params and base iterate after every update with residuals."""
    params, found = jnp.asarray(start), []
    state = tx.init(params)
    for _ in range(steps):
        updates, state = tx.update(params - jnp.asarray(mapping(np.asarray(params))), state, params)
        params = optax.apply_updates(params, updates)
        found.append((np.asarray(params), np.asarray(no.eval_params(state, params))))
    return map(np.array, zip(*found, strict=True))


def published(recursion, mapping, start, steps=STEPS):
    points = itertools.islice(recursion(lambda y, k: y - mapping(y), start), steps)
    return map(np.array, zip(*((y, x) for y, x, _ in points), strict=True))


START = np.random.default_rng(1).normal(0, 2, 12)


def test_twice_the_residual_of_a_resolvent_is_kims_method():
    params, _ = run(no.halpern(2.0), soft_threshold, START)
    close(params, next(published(anchored.appm, soft_threshold, START)), 1e-11)


def test_ogm_with_residuals_is_gulers_second_method():
    params, base = run(no.ogm(1.0), soft_threshold, START)
    y, x = published(anchored.guler, soft_threshold, START)
    close(params, y, 1e-11)
    close(base, x, 1e-11)


def rotation(angle):
    c, s = np.cos(angle), np.sin(angle)
    return lambda x: np.array([c * x[0] - s * x[1], s * x[0] + c * x[1]])


@pytest.mark.parametrize("angle", [0.01, 0.1, 0.5, 1.0, 2.0, 3.0, np.pi])
def test_no_rotation_exceeds_the_bound_of_halpern(angle):
    mapping = rotation(angle)
    params, _ = run(no.halpern(), mapping, np.array([1.0, 0.0]))
    residuals = np.array([np.sum((x - mapping(x)) ** 2) for x in params])
    assert np.all(residuals <= 4 / np.arange(2, STEPS + 2) ** 2 * (1 + 1e-9))


def test_a_solution_of_a_linear_complementarity_by_projections_that_alternate():
    """Two balls that touch: alternating projections are slow there, and Halpern's bound holds."""

    def onto(center):
        return lambda x: center + (x - center) / max(1.0, np.linalg.norm(x - center))

    first, second = onto(np.array([-1.0, 0.0])), onto(np.array([1.0, 0.0]))
    start = np.array([0.0, 2.0])
    params, _ = run(no.halpern(), lambda x: first(second(x)), start)
    residuals = np.array([np.linalg.norm(x - first(second(x))) for x in params])
    assert np.all(residuals <= 2 * np.linalg.norm(start) / np.arange(2, STEPS + 2) * (1 + 1e-9))


def test_a_step_size_may_be_traced():
    traced = optax.inject_hyperparams(no.halpern)(step_size=2.0)
    params, _ = run(no.halpern(2.0), soft_threshold, START, 10)
    y = jnp.asarray(START)
    state = traced.init(y)
    for _ in range(10):
        updates, state = traced.update(y - jnp.asarray(soft_threshold(np.asarray(y))), state, y)
        y = optax.apply_updates(y, updates)
    np.testing.assert_allclose(y, params[-1], rtol=1e-12)


def test_halpern_is_in_five_numbers_its_step_matrix():
    """Weights of what is fed: after N updates all of them count alike, (k + 1) / (N + 1) of the step size."""
    H = theory.step_matrix(no.halpern(1.0), 4).params[-1]
    np.testing.assert_allclose(H, np.arange(1, 5) / 5, rtol=1e-12)
