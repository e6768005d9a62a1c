"""minimize: steps that rounding makes vanish do not pass for a minimum, nor rounding at a minimum for lost steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from nag_optax import Status, minimize, prox

ENDS = (Status.CONVERGED, Status.STALLED)


def raw_columns(span, rng):
    """Columns of sizes from 1 to span, as raw data have them, and what they should explain."""
    size = np.geomspace(1, span, 20)
    X = np.abs(rng.standard_normal((50, 20))) * size
    return X, X @ (rng.standard_normal(20) / size) + 0.3 * rng.standard_normal(50)


first = np.random.default_rng(0)
RAW = {span: raw_columns(span, first) for span in (1e2, 1e4)}
PENALTIES = {"none": None, "l1": prox.l1(0.5), "non-negative": prox.non_negative()}


def squares(X, y):
    return lambda w: 0.5 * jnp.sum((jnp.asarray(X, w.dtype) @ w - jnp.asarray(y, w.dtype)) ** 2)


def lowest(span, penalty):
    """In float64, with columns of one size, where no step is lost."""
    X, y = RAW[span]
    size = np.linalg.norm(X, axis=0)
    scaled = {"none": None, "l1": prox.l1(jnp.asarray(0.5 / size)), "non-negative": prox.non_negative()}[penalty]
    with jax.enable_x64(True):
        found = minimize(squares(X / size, y), jnp.zeros(20), prox=scaled, tol=1e-9, max_steps=50_000)
        assert found.status == Status.CONVERGED
        return float(found.value)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("span", RAW)
def test_the_end_of_a_badly_scaled_problem_is_its_minimum_or_is_called_otherwise(span, penalty):
    solve = jax.jit(
        lambda tol: minimize(squares(*RAW[span]), jnp.zeros(20), prox=PENALTIES[penalty], tol=tol, max_steps=15_000),
        static_argnums=0,
    )
    for tol in (1e-6, 1e-4):
        found = solve(tol)
        if found.status in ENDS:
            np.testing.assert_allclose(found.value, lowest(span, penalty), rtol=max(10 * tol, 1e-4))


@pytest.mark.parametrize("seed", [6, 29])
def test_a_plateau_is_left_behind(seed):
    """For a while the value falls by less than a hundredth in a fifth of the steps, at 20 times the minimum."""
    X, y = raw_columns(3000, np.random.default_rng(seed))
    lowest = 0.5 * np.sum((X @ np.linalg.lstsq(X, y)[0] - y) ** 2)
    with jax.enable_x64(True):
        found = minimize(squares(X, y), jnp.zeros(20), tol=1e-2, max_steps=1000)
    assert found.status == Status.MAX_STEPS or float(found.value) < 1.1 * lowest


def test_a_plateau_with_bounds_is_left_behind():
    """Converged at 1.3 times the minimum, where the potential allowed a fall by the square root of the tolerance."""
    draw = np.random.default_rng(0)
    sizes = np.logspace(0, 3, 50)
    X = draw.normal(size=(100, 50)) * sizes
    y = draw.normal(size=100) + X @ (0.3 * draw.normal(size=50) / sizes)
    lowest = 0.5 * scipy.optimize.nnls(X, y)[1] ** 2
    found = minimize(squares(X, y), jnp.zeros(50), prox=prox.non_negative(), tol=1e-2, max_steps=5000)
    assert found.status == Status.CONVERGED and float(found.value) < 1.01 * lowest


@pytest.mark.parametrize("big", [1e4, 1e5])
def test_steps_that_are_rounded_away_are_reported(big):
    """One column so large that a step of 1 / L does not change what belongs to the others, far as they are."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 4)) * np.asarray([big, 1, 1, 1])
    y = X @ np.asarray([1 / big, 1, 1, 1]) + 0.3 * rng.standard_normal(30)
    found = minimize(squares(X, y), jnp.asarray([0, 0.5, 0.5, 0.5]))
    assert found.status == Status.BADLY_SCALED and found.error > 0
    assert "lost in rounding (rescale params" in str(found)
    rescaled = minimize(squares(X / np.linalg.norm(X, axis=0), y), jnp.zeros(4))
    assert rescaled.status == Status.CONVERGED and rescaled.value < 0.5 * found.value


@pytest.mark.parametrize("noise", [1e-6, 1e-5, 1e-4, 1e-2])
def test_rounding_at_a_minimum_is_not_a_step_lost(noise):
    """Rotated, so that no coordinate is flat; the minimum is a small or no part of what the data are."""
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.standard_normal(shape))[0] for shape in ((200, 50), (50, 50)))
    X = (left * np.geomspace(1, 0.1, 50)) @ right.T
    y = X @ rng.standard_normal(50) + noise * rng.standard_normal(200)
    best = 0.5 * np.sum((X @ np.linalg.lstsq(X, y)[0] - y) ** 2)
    solve = jax.jit(lambda start: minimize(squares(X, y), start))
    for distance in (0, 1, 1e3):
        found = solve(jnp.full(50, distance, jnp.float32))
        assert found.status in ENDS
        value = 0.5 * np.sum((X @ np.asarray(found.params, np.float64) - y) ** 2)
        assert value <= best * (1 + 1e-5) + 1e-9 * np.sum(y**2)


@pytest.mark.parametrize("seed", range(3))
def test_data_that_are_rounding_beside_the_start(seed):
    """Wide: only the penalty takes away what a start of 1e6 has outside of the rows of X, less than a unit a step."""
    X = jax.random.normal(jax.random.key(seed), (50, 400))
    start = 1e6 * jax.random.normal(jax.random.key(seed + 10), (400,))
    found = minimize(squares(X, X[:, 0]), start, prox=prox.l1(5.0))
    assert found.status not in ENDS
    near = minimize(squares(X, X[:, 0]), jnp.zeros(400), prox=prox.l1(5.0))
    assert near.status == Status.CONVERGED


def test_members_of_a_batch_are_judged_alone():
    X, y = RAW[1e4]
    sizes = jnp.stack([jnp.ones(20), jnp.linalg.norm(X, axis=0)])
    found = jax.vmap(lambda size: minimize(lambda w: squares(X, y)(w / size), jnp.zeros(20)))(sizes)
    assert found.status[1] == Status.CONVERGED and found.status[0] != Status.CONVERGED


def test_of_points_whose_values_are_rounding_the_one_with_the_smaller_error_is_returned():
    """With a tolerance out of reach, the lowest value is one of many, and was 4e-4 from the solution."""
    draw = np.random.default_rng(0)
    X = jnp.asarray(draw.normal(size=(20, 3)), jnp.float32)
    y = jnp.asarray(draw.poisson(np.full(20, 145.0)), jnp.float32)

    def poisson(p):
        z = X.astype(p["w"].dtype) @ p["w"] + p["b"]
        return jnp.mean(jnp.exp(z) - y * z) + 0.25 * jnp.sum(p["w"] ** 2)

    stalled = minimize(poisson, {"w": jnp.zeros(3), "b": jnp.zeros(())}, tol=1e-10)
    assert stalled.status == Status.STALLED
    with jax.enable_x64(True):
        exact = minimize(poisson, {"w": jnp.zeros(3, float), "b": jnp.zeros((), float)}, tol=1e-12)
    np.testing.assert_allclose(stalled.params["w"], exact.params["w"], atol=1e-5)
