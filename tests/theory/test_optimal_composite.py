"""The methods with the smallest worst cases for f + g, and the one with the smallest state: steps and guarantees."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import eval_params, fista, optista, pogm, prox, proximal_gradient, step_sizes
from oracles.published import composite
from tests.support.composite_problems import lasso, lasso_with_known_optimum
from tests.support.running import close
from tests.theory.test_composite import STEPS, in_jax, run

HORIZONS = (1, 2, 3, 10, 100)
RHO = 1 + np.sqrt(2)


def after(tx, steps, smooth, start):
    """The base iterate after so many updates."""
    return run(tx, smooth, start, steps)[1][-1]


def on_a_line(make, steps, slope):
    """F at the end where f = 0 and g = slope |x|, from x = 1."""
    end = after(make(prox.l1(slope)), steps, lambda x: jnp.zeros(()), np.ones(()))
    return slope * abs(float(end))


def silver_twin(k):
    """h_i: 1 + rho^(v(i) - 1), v(i) the zeros at the end of i in binary."""
    return [1 + RHO ** ((i & -i).bit_length() - 2) for i in range(1, 2**k)]


def of_fista(steps):
    """The worst case of FISTA: 1 / (4 S), S the sum of its steps, seen on a line that goes down for ever."""
    twin = composite.fista(lambda x: 0.0, lambda v, s: v - s, 0.0, 1.0, composite.nesterov_momenta)
    *_, (_, x) = itertools.islice(twin, steps)
    return -1 / (4 * x)


class TestOptista:
    def bound(self, horizon, L=1.0):
        return L / (2 * (composite.optista_thetas(horizon)[-1] ** 2 - 1))

    @pytest.mark.parametrize("horizon", [*HORIZONS, STEPS])
    def test_optista_takes_the_published_steps(self, horizon):
        problem = lasso()
        smooth, l1 = in_jax(problem)
        params, base = run(optista(problem.smoothness, horizon, l1), smooth, np.zeros(100), horizon)
        twin = list(composite.optista(problem.gradient, problem.prox, np.zeros(100), problem.smoothness, horizon))
        close(params, np.array([x for x, _ in twin]))
        close(base, np.array([y for _, y in twin]))
        assert 0 < np.sum(np.asarray(base[-1]) == 0) < 100
        np.testing.assert_array_equal(params[-1] == 0, base[-1] == 0)  # x_N is y_N, which has the zeros

    @pytest.mark.parametrize("horizon", HORIZONS)
    def test_the_worst_case_of_optista_is_attained(self, horizon):
        worst = self.bound(horizon)
        for slope in np.linspace(0.2, 2, 10) * 2 * worst:
            reached = on_a_line(lambda g: optista(1.0, horizon, g), horizon, slope)
            assert reached <= worst * (1 + 1e-12)
        np.testing.assert_allclose(on_a_line(lambda g: optista(1.0, horizon, g), horizon, 2 * worst), worst, rtol=1e-12)

    @pytest.mark.parametrize("horizon", HORIZONS)
    def test_the_bound_of_optista_is_never_exceeded(self, horizon):
        problem, solution = lasso_with_known_optimum()
        smooth, l1 = in_jax(problem)
        L = problem.smoothness
        end = after(optista(L, horizon, l1), horizon, smooth, np.zeros(120))
        gap = problem.value(np.asarray(end)) - problem.value(solution)
        assert 0 <= gap <= self.bound(horizon, L) * (solution @ solution)

    def test_behind_its_horizon_it_is_plain_proximal_gradient(self):
        problem = lasso()
        smooth, l1 = in_jax(problem)
        L = problem.smoothness
        params, base = run(optista(L, 5, l1), smooth, np.zeros(100), 25)
        twin = composite.proximal_gradient(problem.gradient, problem.prox, np.asarray(base[4]), itertools.repeat(1 / L))
        close(base[5:], np.array(list(itertools.islice(twin, 20))))
        close(params[4:], base[4:], 1e-14)

    def test_an_eager_update_behind_its_horizon_is_refused(self):
        tx, params = optista(1.0, 2, prox.l1(0.1)), jnp.ones(2)
        state = tx.init(params)
        for _ in range(2):
            _, state = tx.update(params, state, params)
        with pytest.raises(ValueError, match="horizon must be at least the number of updates, got 2 and update 3"):
            tx.update(params, state, params)

    def test_the_smoothness_may_be_traced(self):
        problem = lasso()
        smooth, l1 = in_jax(problem)
        end = jax.jit(lambda L: after(optista(L, 20, l1), 20, smooth, np.zeros(100)))
        close(end(problem.smoothness), after(optista(problem.smoothness, 20, l1), 20, smooth, np.zeros(100)))


class TestPogm:
    @pytest.mark.parametrize("restart", [None, "gradient"])
    @pytest.mark.parametrize("horizon", [None, 37, STEPS])
    def test_pogm_takes_the_published_steps(self, horizon, restart):
        problem = lasso()
        smooth, l1 = in_jax(problem)
        s, steps = 1 / problem.smoothness, horizon or STEPS
        params, base = run(pogm(s, l1, horizon=horizon, restart=restart), smooth, np.zeros(100), steps)
        twin = composite.pogm(problem.gradient, problem.prox, np.zeros(100), s, horizon, bool(restart))
        points, restarts = zip(*itertools.islice(twin, steps), strict=True)
        assert (sum(restarts) > 3) == bool(restart)
        close(params, np.array(points))
        close(base, np.array(points))

    def test_it_begins_anew_behind_its_horizon(self):
        problem = lasso()
        smooth, l1 = in_jax(problem)
        s = 1 / problem.smoothness
        params, _ = run(pogm(s, l1, horizon=30, restart=None), smooth, np.zeros(100), 60)
        again, _ = run(pogm(s, l1, restart=None), smooth, params[29], 30)
        close(params[30:], again, 1e-13)

    @pytest.mark.parametrize("horizon", HORIZONS)
    def test_pogm_with_its_horizon_beats_the_worst_case_of_fista(self, horizon):
        """On a line it even has that of OptISTA, and more elsewhere."""
        problem, solution = lasso_with_known_optimum()
        smooth, l1 = in_jax(problem)
        end = after(pogm(1 / problem.smoothness, l1, horizon=horizon, restart=None), horizon, smooth, np.zeros(120))
        gap = problem.value(np.asarray(end)) - problem.value(solution)
        assert 0 <= gap <= of_fista(horizon) * problem.smoothness * (solution @ solution)
        optimal = TestOptista().bound(horizon)
        assert optimal < 0.7 * of_fista(horizon)
        reached = on_a_line(lambda g: pogm(1.0, g, horizon=horizon, restart=None), horizon, 2 * optimal)
        np.testing.assert_allclose(reached, optimal, rtol=1e-12)

    def test_the_base_iterate_is_what_the_prox_returned(self):
        tx = pogm(0.3, lambda x, step_size: jnp.full_like(x, 0.1))
        params = jnp.linspace(-1.0, 7.0, 50, dtype=jnp.float32)
        updates, state = tx.update(params, tx.init(params), params)
        moved = optax.apply_updates(params, updates)
        np.testing.assert_array_equal(eval_params(state, moved), np.float32(0.1))
        assert np.any(np.asarray(moved) != np.float32(0.1))

    def test_restart_makes_it_linear(self):
        problem, solution = lasso_with_known_optimum()
        smooth, l1 = in_jax(problem)
        gaps = {}
        for restart in (None, "gradient", "value"):
            end = after(pogm(1 / problem.smoothness, l1, restart=restart), 500, smooth, np.zeros(120))
            gaps[restart] = problem.value(np.asarray(end)) - problem.value(solution)
        assert max(gaps["gradient"], gaps["value"]) < 1e-6 * gaps[None]

    @pytest.mark.parametrize("share", [0.1, 0.01])
    def test_with_restart_it_is_quicker_than_fista(self, share):
        problem = lasso(share=share)
        smooth, l1 = in_jax(problem)
        s = 1 / problem.smoothness
        values = [
            [problem.value(x) for x in np.asarray(run(make(s, l1), smooth, np.zeros(100), 400)[1])]
            for make in (pogm, fista)
        ]
        ours, theirs = (np.argmax(np.array(v) <= np.min(values) * (1 + 1e-10)) for v in values)
        assert 0.6 * theirs < ours < 0.8 * theirs


class TestProximalGradient:
    @pytest.mark.parametrize("silver", [True, False])
    def test_proximal_gradient_takes_its_steps_and_keeps_zeros(self, silver):
        problem = lasso()
        smooth, l1 = in_jax(problem)
        L = problem.smoothness
        lengths = (np.array(silver_twin(9)) if silver else np.ones(511)) / L
        params, base = run(
            proximal_gradient(step_sizes.silver(L) if silver else 1 / L, l1), smooth, np.zeros(100), STEPS
        )
        twin = list(
            itertools.islice(composite.proximal_gradient(problem.gradient, problem.prox, np.zeros(100), lengths), STEPS)
        )
        close(params, np.array(twin))
        np.testing.assert_array_equal(params, base)
        np.testing.assert_array_equal(np.asarray(params) == 0, np.array(twin) == 0)

    @pytest.mark.parametrize("k", [1, 2, 3, 6, 9])
    def test_silver_steps_keep_their_rate_with_a_prox(self, k):
        steps, worst = 2**k - 1, 1 / (4 * (RHO**k - 1))
        silver = step_sizes.silver()
        np.testing.assert_allclose(
            on_a_line(lambda g: proximal_gradient(silver, g), steps, 2 * worst), worst, rtol=1e-11
        )
        problem, solution = lasso_with_known_optimum()
        smooth, l1 = in_jax(problem)
        L = problem.smoothness
        end = after(proximal_gradient(step_sizes.silver(L), l1), steps, smooth, np.zeros(120))
        gap = problem.value(np.asarray(end)) - problem.value(solution)
        assert 0 <= gap <= worst * L * (solution @ solution)

    def test_it_keeps_nothing_but_a_counter(self):
        assert jax.tree.map(jnp.shape, jax.tree.leaves(proximal_gradient(0.1, prox.l1()).init(jnp.ones(9)))) == [()]


# By a semidefinite program: the recursions themselves, over all f and g.

WORST = {
    "fista": (
        lambda gradient, prox, x, N: composite.fista(gradient, prox, x, 1.0, composite.nesterov_momenta),
        of_fista,
    ),
    "optista": (lambda gradient, prox, x, N: composite.optista(gradient, prox, x, 1.0, N), TestOptista().bound),
    "pogm": (
        lambda gradient, prox, x, N: composite.pogm(gradient, prox, x, 1.0, N),
        {1: 1 / 6, 2: 0.0720770, 3: 0.0429008}.get,
    ),
    "pogm without its horizon": (
        lambda gradient, prox, x, N: composite.pogm(gradient, prox, x, 1.0),
        {1: 0.2022542, 2: 0.1164525, 3: 0.0746003}.get,
    ),
}


@pytest.mark.parametrize("name", WORST)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_worst_case_over_all_functions(name, steps):
    pepit, cvxpy = pytest.importorskip("PEPit"), pytest.importorskip("cvxpy")
    functions, primitive_steps = pytest.importorskip("PEPit.functions"), pytest.importorskip("PEPit.primitive_steps")
    problem = pepit.PEP()
    f = problem.declare_function(functions.SmoothConvexFunction, L=1.0)
    g = problem.declare_function(functions.ConvexFunction)
    optimum, start, values = (f + g).stationary_point(), problem.set_initial_point(), []
    problem.set_initial_condition((start - optimum) ** 2 <= 1)

    def proximal(x, step_size):
        x, _, value = primitive_steps.proximal_step(x, g, step_size)
        values.append(value)
        return x

    recursion, worst = WORST[name]
    *_, last = itertools.islice(recursion(f.gradient, proximal, start, steps), steps)
    x = last[0] if "pogm" in name else last[1]
    problem.set_performance_metric(f(x) + values[-1] - (f + g)(optimum))
    found = problem.solve(wrapper="cvxpy", solver=cvxpy.CLARABEL, verbose=0)
    np.testing.assert_allclose(found, worst(steps), rtol=2e-6)
