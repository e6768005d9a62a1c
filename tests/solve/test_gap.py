"""The duality gap: never below the true suboptimality, and on its way to 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_optax import Status, losses, minimize, path, prox
from tests.support.composite_problems import lasso, least_squares

pytestmark = pytest.mark.usefixtures("float64")

LOSSES = {
    "squared": lambda rng, z: losses.squared(z + rng.standard_normal(z.shape)),
    "weighted": lambda rng, z: losses.squared(z, jnp.asarray(rng.uniform(0, 2, z.shape))),
    "logistic": lambda rng, z: losses.logistic(rng.integers(0, 2, z.shape)),
    "huber": lambda rng, z: losses.huber(z + 3 * rng.standard_normal(z.shape), 0.5),
    "poisson": lambda rng, z: losses.poisson(rng.poisson(np.exp(np.clip(z, -3, 3)))),
    "squared_hinge": lambda rng, z: losses.squared_hinge(np.where(z > 0, 1.0, -1.0)),
}
OPERATORS = {
    "l1": prox.l1,
    "elastic_net": lambda s: prox.elastic_net(s, 0.5),
    "l2_squared": prox.l2_squared,
    "l2_norm": prox.l2_norm,
    "linf_norm": lambda s: prox.linf_norm(3 * s),
    "box": lambda s: prox.box(-0.2, 0.3),
    "simplex": lambda s: prox.simplex(2.0),
    "translated": lambda s: prox.translated(prox.l1(s), 0.1 * jnp.ones(12)),
}
SEEDS = range(5)  # 6 * 8 * 5 = 240 problems


def until(steps):
    return lambda step, *_: step >= steps


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("operator", OPERATORS)
def test_is_a_bound_and_tends_to_zero(loss, operator):
    gaps = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        A = jnp.asarray(rng.standard_normal((20, 12)))
        fun = LOSSES[loss](rng, np.asarray(A @ (rng.standard_normal(12) * (rng.random(12) < 0.4))))
        strength = 0.3 * float(jnp.abs(A.T @ jax.grad(fun)(jnp.zeros(20))).max())
        options = {"prox": OPERATORS[operator](strength), "linear": A}
        # Of another kind: no structure, no certificate, stopped by its gradient mapping.
        best = minimize(lambda x, fun=fun, A=A: fun(A @ x), jnp.zeros(12), prox=options["prox"], tol=1e-13)
        for steps in (1, 3, 10, 30):
            found = minimize(fun, jnp.full(12, 0.1), stop="gap", tol=1e-10, callback=until(steps), **options)
            rounding = 1e-13 * (1 + abs(best.value))
            assert found.gap >= found.value - best.value - rounding
        last = minimize(fun, jnp.full(12, 0.1), tol=1e-10, stop="gap", **options)
        assert last.status == Status.CONVERGED and last.gap <= 1e-10 * abs(last.value)
        assert last.value - best.value <= last.gap + rounding
        gaps.append(last.gap)
    assert len(gaps) == len(SEEDS)


def test_of_groups_and_matrices():
    rng = np.random.default_rng(0)
    A, targets = jnp.asarray(rng.standard_normal((30, 10))), jnp.asarray(rng.standard_normal((30, 4)))
    for penalty in (prox.group_lasso(3.0), prox.nuclear_norm(5.0)):
        found = minimize(losses.squared(targets), jnp.zeros((10, 4)), linear=A, prox=penalty, stop="gap", tol=1e-9)
        best = minimize(lambda x: 0.5 * jnp.sum((A @ x - targets) ** 2), jnp.zeros((10, 4)), prox=penalty, tol=1e-13)
        assert 0 <= found.value - best.value + 1e-12 <= found.gap + 1e-11 and found.gap <= 1e-9 * found.value


def test_is_that_of_numpy():
    problem = lasso(30, 50)
    found = minimize(
        losses.squared(problem.y), jnp.zeros(50), prox=prox.l1(problem.strength), linear=problem.X, max_steps=10
    )
    # The run keeps the best bound it has seen; at its last point it is no smaller than the run's.
    assert 0 < found.gap / found.value <= problem.relative_duality_gap(np.asarray(found.params)) + 1e-12


def test_of_an_affine_function_counts_its_constant():
    problem = lasso(30, 20)
    found = minimize(
        losses.squared(jnp.zeros(30)),
        jnp.zeros(20),
        prox=prox.l1(problem.strength),
        linear=lambda w: problem.X @ w - problem.y,
        stop="gap",
        tol=1e-9,
    )
    best = minimize(least_squares(problem.X, problem.y), jnp.zeros(20), prox=prox.l1(problem.strength), tol=1e-13)
    assert found.status == Status.CONVERGED
    assert -1e-12 <= found.value - best.value <= found.gap + 1e-11


def test_without_a_linear_map():
    y = jnp.asarray(np.random.default_rng(0).standard_normal(20))
    found = minimize(losses.squared(y), jnp.zeros(20), prox=prox.l1(0.5), stop="gap", tol=1e-12)
    np.testing.assert_allclose(found.params, prox.l1(0.5)(y), atol=1e-6)
    assert found.gap <= 1e-12 * found.value


@pytest.mark.parametrize("method", ["fista", "pogm", "ac_fgm"])
def test_of_every_method(method):
    problem = lasso(30, 20)
    found = minimize(
        losses.squared(problem.y),
        jnp.zeros(20),
        prox=prox.l1(problem.strength),
        linear=problem.X,
        method=method,
        step_size=1 / problem.smoothness if method != "ac_fgm" else None,
        stop="gap",
        tol=1e-6,
    )
    assert found.status == Status.CONVERGED and 0 <= found.gap <= 1.1e-6 * found.value


def test_nothing_is_made_up():
    y = jnp.arange(5.0)
    assert np.isnan(minimize(lambda z: jnp.sum((z - y) ** 2), jnp.zeros(5), prox=prox.l1(1.0)).gap)
    assert np.isnan(minimize(losses.squared(y), jnp.zeros(5), prox=prox.total_variation_1d(1.0)).gap)
    free = prox.masked(prox.l1(1.0), {"a": True, "b": False})  # b has to be exact for a bound better than f's
    found = minimize(
        losses.squared(y), {"a": jnp.zeros(5), "b": jnp.zeros(())}, prox=free, linear=lambda p: p["a"] + p["b"]
    )
    assert 0 < found.gap <= found.value
    with pytest.raises(ValueError, match="stop='gap' needs a duality gap, but fun is not a loss"):
        minimize(lambda z: jnp.sum(z**2), jnp.zeros(5), prox=prox.l1(1.0), stop="gap")
    with pytest.raises(ValueError, match="stop='gap' needs a duality gap, but prox does not know"):
        minimize(losses.squared(y), jnp.zeros(5), stop="gap")
    with pytest.raises(ValueError, match="stop must be one of 'error', 'gap'"):
        minimize(losses.squared(y), jnp.zeros(5), prox=prox.l1(1.0), stop="primal")


def test_of_a_whole_path():
    problem = lasso(30, 50)
    along = path(
        losses.squared(problem.y),
        jnp.zeros(50),
        problem.strength * jnp.array([5.0, 1.0, 0.2]),
        linear=jnp.asarray(problem.X),
        stop="gap",
        tol=1e-8,
    )
    assert np.all(along.gap <= 1e-8 * along.value) and np.all(along.status == Status.CONVERGED)
