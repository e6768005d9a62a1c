"""minimize: its solutions, at any scale and dtype."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import Solution, Status, minimize, momenta, prox
from nag_optax import nag as nag_of
from tests.support.composite_problems import lasso, lasso_with_known_optimum, least_squares, smooth_quadratic


class TestSolutions:
    @pytest.fixture(autouse=True)
    def exact(self, float64, strict_ranks):
        """In float64."""

    def test_a_known_solution_is_found(self):
        problem, solution = lasso_with_known_optimum()
        found = minimize(least_squares(problem.X, problem.y), jnp.zeros(120), prox=prox.l1(1.0), tol=1e-12)
        assert found.status == Status.CONVERGED
        np.testing.assert_allclose(found.params, solution, atol=1e-9)
        np.testing.assert_array_equal(np.asarray(found.params) == 0, solution == 0)
        np.testing.assert_allclose(found.value, problem.value(solution), rtol=1e-12)

    def test_zeros_are_exact_and_the_duality_gap_is_closed(self):
        problem = lasso()
        found = minimize(least_squares(problem.X, problem.y), jnp.zeros(100), prox=prox.l1(problem.strength), tol=1e-11)
        w = np.asarray(found.params)
        assert 40 < np.sum(w == 0) < 95
        assert 0 <= problem.relative_duality_gap(w) + 1e-15 < 1e-10

    @pytest.mark.parametrize("method", ["full_backtracking", "fista", "pogm", "ac_fgm"])
    def test_methods_for_composite_problems_agree(self, method):
        problem = lasso()
        step_size = 1 / problem.smoothness if method in ("fista", "pogm") else None
        found = minimize(
            least_squares(problem.X, problem.y),
            jnp.zeros(100),
            prox=prox.l1(problem.strength),
            method=method,
            step_size=step_size,
            tol=1e-8,
            max_steps=50_000,
        )
        assert found.status == Status.CONVERGED
        best = minimize(least_squares(problem.X, problem.y), jnp.zeros(100), prox=prox.l1(problem.strength), tol=1e-12)
        np.testing.assert_allclose(found.value, best.value, rtol=1e-9)

    @pytest.mark.parametrize(
        "method",
        ["full_backtracking", "adanag", "ac_fgm", nag_of(1.0, momenta.nesterov(), restart="gradient"), optax.lbfgs()],
        ids=["full_backtracking", "adanag", "ac_fgm", "nag", "optax.lbfgs"],
    )
    def test_methods_for_smooth_problems_agree(self, method):
        found = minimize(smooth_quadratic, jnp.zeros(10), method=method, tol=1e-9)
        assert found.status == Status.CONVERGED
        np.testing.assert_allclose(found.params, 1, atol=1e-6)

    def test_constraints_are_met(self):
        target = jnp.asarray(np.random.default_rng(0).standard_normal(20))
        for constraint in (prox.simplex(), prox.box(-0.1, 0.2), prox.non_negative()):
            found = minimize(lambda x: 0.5 * jnp.sum((x - target) ** 2), jnp.zeros(20), prox=constraint, tol=1e-12)
            np.testing.assert_allclose(found.params, constraint(target), atol=1e-10)

    def test_it_batches_with_vmap_and_each_member_stops_by_itself(self):
        problem = lasso()
        smooth = least_squares(jnp.asarray(problem.X), jnp.asarray(problem.y))

        def path(strength):
            return minimize(smooth, jnp.zeros(100), prox=prox.l1(strength), tol=1e-9)

        strengths = problem.strength * jnp.asarray([1.0, 3.0, 11.0])
        batch = jax.jit(jax.vmap(path))(strengths)
        assert len(set(batch.steps.tolist())) == 3
        for i, strength in enumerate(strengths):
            alone = path(strength)
            assert alone.steps == batch.steps[i]
            np.testing.assert_allclose(batch.params[i], alone.params, atol=1e-9)
        assert str(batch) == "3 converged"

    def test_a_solution_is_a_warm_start(self):
        problem = lasso()
        smooth, g = least_squares(problem.X, problem.y), prox.l1(problem.strength)
        cold = minimize(smooth, jnp.zeros(100), prox=g, tol=1e-10)
        again = minimize(smooth, cold, prox=g, tol=1e-10)
        assert again.status == Status.CONVERGED and again.steps <= 3
        nearby = minimize(smooth, cold, prox=prox.l1(0.97 * problem.strength), tol=1e-10)
        afresh = minimize(smooth, jnp.zeros(100), prox=prox.l1(0.97 * problem.strength), tol=1e-10)
        assert nearby.steps < afresh.steps

    def test_history_callback_and_aux(self):
        seen = []
        found = minimize(
            lambda x, a: (smooth_quadratic(x) * a, {"doubled": 2 * x}),
            jnp.zeros(5),
            args=(3.0,),
            has_aux=True,
            tol=1e-8,
            max_steps=200,
            history=True,
            callback=lambda step, value, error: seen.append((int(step), float(value), float(error))),
        )
        jax.effects_barrier()
        n, history = int(found.steps), found.state.history
        assert history is not None and len(seen) == n
        np.testing.assert_allclose(found.aux["doubled"], 2 * found.params)
        np.testing.assert_allclose(history.error[:n], [error for _, _, error in sorted(seen)])
        assert np.all(np.isnan(history.value[n:])) and history.error[n - 1] <= 1e-8 < history.error[n - 2]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scale_does_not_matter(dtype):
    problem = lasso(100, 200)
    jax.config.update("jax_enable_x64", dtype == "float64")
    try:
        tol = {"float32": 1e-4, "float64": 1e-9}[dtype]

        @jax.jit
        def solve(X, y, strength):
            return minimize(least_squares(X, y), jnp.zeros(200, dtype), prox=prox.l1(strength), tol=tol)

        values = []
        for a in (1, 1e-6, 1e-3, 1e3, 1e6):
            for b in (1, 1e-6, 1e-3, 1e3, 1e6):
                arguments = (problem.X * a, problem.y * b, problem.strength * a * b)
                found = solve(*(jnp.asarray(x, dtype) for x in arguments))
                assert found.status == Status.CONVERGED
                values.append(problem.value(np.asarray(found.params, np.float64) * a / b))
        assert max(values) / min(values) - 1 < {"float32": 1e-6, "float64": 1e-13}[dtype]
    finally:
        jax.config.update("jax_enable_x64", False)


def test_a_solution_is_a_pytree():
    found = jax.jit(lambda x: minimize(smooth_quadratic, x))(jnp.zeros(3))
    assert isinstance(found, Solution)
