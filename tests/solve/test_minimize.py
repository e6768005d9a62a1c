"""minimize: its solutions at any scale and dtype, their derivatives, how it ends, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from composite_problems import lasso, lasso_with_known_optimum

from nag_optax import Solution, Status, minimize, prox, schedules
from nag_optax import nag as nag_of

in_float64 = pytest.mark.usefixtures("float64", "strict_ranks")


def least_squares(X, y):
    return lambda w: 0.5 * jnp.sum((X @ w - y) ** 2)


def smooth_quadratic(x):
    return 0.5 * jnp.sum(jnp.linspace(0.01, 1, x.size) * (x - 1) ** 2)


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

    @pytest.mark.parametrize("method", ["full_backtracking", "fista", "ac_fgm"])
    def test_methods_for_composite_problems_agree(self, method):
        problem = lasso()
        step_size = 1 / problem.smoothness if method == "fista" else None
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
        ["full_backtracking", "adanag", "ac_fgm", nag_of(1.0, schedules.nesterov(), restart="gradient"), optax.lbfgs()],
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


@in_float64
class TestDerivatives:
    """Against central differences of the solution."""

    problem = lasso(30, 12, 0.05)

    def check(self, solution_of, at, jacobian=jax.jacrev):
        solution_of, ours, h = jax.jit(solution_of), jax.jit(jacobian(solution_of))(at), 1e-5
        for i in range(at.size):
            direction = jnp.eye(at.size)[i]
            difference = (solution_of(at + h * direction) - solution_of(at - h * direction)) / (2 * h)
            np.testing.assert_allclose(ours[..., i], difference, atol=1e-5 * (1 + np.abs(difference).max()))

    def test_with_respect_to_a_prox_strength(self):
        smooth = least_squares(self.problem.X, self.problem.y)
        self.check(
            lambda s: minimize(smooth, jnp.zeros(12), prox=prox.l1(s[0]), tol=1e-13).params,
            jnp.asarray([self.problem.strength]),
            jax.jacfwd,
        )

    def test_with_respect_to_arguments_and_closures(self):
        X, y = jnp.asarray(self.problem.X), jnp.asarray(self.problem.y)

        def solution_of(shift):
            return minimize(
                lambda w, target: 0.5 * jnp.sum((X @ w - target) ** 2) + shift[0] * w[0] ** 2,
                jnp.zeros(12),
                args=(y + shift[1],),
                prox=prox.elastic_net(self.problem.strength, 0.1),
                tol=1e-13,
            ).params

        self.check(solution_of, jnp.asarray([0.3, 0.1]))

    @pytest.mark.parametrize("constraint", [prox.simplex(), prox.from_projection(optax.projections.projection_l2_ball)])
    def test_through_projections(self, constraint):
        hessian = jnp.asarray(np.diag(np.linspace(1, 3, 5)) + 0.2)
        self.check(
            lambda b: (
                minimize(lambda x: 0.5 * x @ hessian @ x - b @ x, jnp.zeros(5), prox=constraint, tol=1e-13).params
            ),
            jnp.asarray([1.0, -0.5, 0.8, 0.3, -2.0]),
        )

    @pytest.mark.parametrize("make", [prox.nuclear_norm, prox.total_variation_1d])
    def test_through_operators_without_a_pointwise_formula(self, make):
        target = jnp.asarray(np.random.default_rng(3).standard_normal((4, 3)))
        solution_of = jax.jit(
            lambda s: (
                minimize(lambda x: 0.5 * jnp.sum((x - target * s[1]) ** 2), target, prox=make(s[0]), tol=1e-13).params
            )
        )
        self.check(solution_of, jnp.asarray([0.6, 1.1]))

    def test_of_the_value_is_that_of_the_objective(self):
        y = jnp.asarray(self.problem.y)

        def value(s):
            return minimize(least_squares(self.problem.X, y), jnp.zeros(12), prox=prox.l1(s), tol=1e-12).value

        found = minimize(
            least_squares(self.problem.X, y), jnp.zeros(12), prox=prox.l1(self.problem.strength), tol=1e-12
        )
        np.testing.assert_allclose(jax.grad(value)(self.problem.strength), jnp.abs(found.params).sum(), rtol=1e-9)

    def test_unrolled_derivatives_agree_with_implicit_ones(self):
        smooth = least_squares(self.problem.X, self.problem.y)

        def solution_of(s, implicit_diff):
            return minimize(
                smooth, jnp.zeros(12), prox=prox.l1(s), tol=1e-13, max_steps=200, implicit_diff=implicit_diff
            ).params

        implicit, unrolled = (
            jax.jit(jax.jacrev(lambda s, i=i: solution_of(s, i)))(self.problem.strength) for i in (True, False)
        )
        np.testing.assert_allclose(unrolled, implicit, atol=1e-6)


class TestEndings:
    def test_max_steps(self):
        found = minimize(smooth_quadratic, jnp.zeros(50), max_steps=3)
        assert found.status == Status.MAX_STEPS and found.steps == 3
        assert str(found).startswith("stopped at max_steps after 3 steps, value ")

    def test_a_tolerance_below_what_the_dtype_resolves(self):
        problem = lasso()
        smooth = least_squares(jnp.asarray(problem.X, jnp.float32), jnp.asarray(problem.y, jnp.float32))
        found = minimize(smooth, jnp.zeros(100), prox=prox.l1(problem.strength), tol=1e-12, max_steps=100_000)
        assert found.status == Status.STALLED and found.steps < 5000
        assert "as accurate as the dtype permits" in str(found)

    def test_a_function_that_is_not_finite_at_the_start(self):
        for bad in (jnp.nan, jnp.inf):
            found = minimize(lambda x, bad: jnp.sum(x**2) + bad, jnp.ones(3), args=(bad,))
            assert found.status == Status.NONFINITE and found.steps == 1
            np.testing.assert_array_equal(found.params, 1)  # the best finite point seen

    def test_an_unbounded_function(self):
        for fun in (lambda x: jnp.sum(x), lambda x: -jnp.sum(x**2)):
            found = minimize(fun, jnp.ones(3), max_steps=5000)
            assert found.status in (Status.NONFINITE, Status.MAX_STEPS)
            assert np.all(np.isfinite(found.params))

    def test_steps_out_of_the_domain_are_taken_back(self):
        found = minimize(lambda x: jnp.sum(x - jnp.log(x)), jnp.asarray([1e-3, 50.0]))
        assert found.status == Status.CONVERGED
        np.testing.assert_allclose(found.params, 1, atol=1e-3)

    def test_the_best_point_is_returned_not_the_last(self):
        found = minimize(smooth_quadratic, jnp.zeros(3), method=optax.sgd(2.05), max_steps=60, history=True)
        assert found.status == Status.MAX_STEPS and found.state.history is not None
        np.testing.assert_allclose(found.value, np.nanmin(found.state.history.value), rtol=1e-5)

    def test_a_constant_function_has_converged(self):
        found = minimize(lambda x: 0.0 * jnp.sum(x), jnp.ones(3))
        assert found.status == Status.CONVERGED
        np.testing.assert_array_equal(found.params, 1)

    def test_mixed_dtypes_stay_as_they_are(self):
        start = {"a": jnp.zeros(3), "b": jnp.zeros((2, 2), jnp.bfloat16), "c": jnp.zeros((), jnp.float16)}
        found = minimize(lambda p: sum(jnp.sum((x - 1.0) ** 2) for x in jax.tree.leaves(p)), start, tol=1e-2)
        assert jax.tree.map(lambda x: x.dtype, found.params) == jax.tree.map(lambda x: x.dtype, start)
        assert all(jnp.allclose(x, 1, atol=0.02) for x in jax.tree.leaves(found.params))
        assert found.value.dtype == jnp.float32


TWO = jnp.ones(2)
BAD = [
    ({"tol": 0.0}, ValueError, "tol must be finite, above 0, got 0.0"),
    ({"max_steps": 0}, ValueError, "max_steps must be finite, at least 1, got 0"),
    ({"fun": lambda x: x}, TypeError, r"fun must return a real floating scalar, got float32\[2\]"),
    ({"fun": lambda x: (x.sum(), 1)}, TypeError, "got tuple; with more than a value, pass has_aux=True"),
    ({"has_aux": True}, TypeError, r"fun must return \(value, aux\) with has_aux=True"),
    ({"fun": 3}, TypeError, "fun must be a function of params, got int"),
    ({"init_params": jnp.ones(2, int)}, TypeError, "init_params must be real floating arrays, got int32"),
    ({"init_params": jnp.ones(2, complex)}, TypeError, "init_params must be real floating arrays, got complex64"),
    ({"init_params": {}}, TypeError, "init_params must hold at least one array"),
    ({"prox": lambda x, step: x[:1]}, TypeError, "prox must keep structure, shapes and dtypes"),
    ({"prox": lambda x, step: x.astype("bfloat16")}, TypeError, "prox must keep structure, shapes and dtypes"),
    ({"prox": 0.1}, TypeError, "prox must be a function"),
    ({"method": "bfgs"}, ValueError, "method must be one of 'full_backtracking'"),
    ({"method": 3}, TypeError, "method must be a name or a gradient transformation, got int"),
    ({"method": "fista"}, ValueError, "step_size is for method='fista', which needs it"),
    ({"step_size": 0.1}, ValueError, "step_size is for method='fista'"),
    ({"method": "adanag", "prox": prox.l1()}, ValueError, "'adanag' is for smooth problems"),
    ({"method": optax.sgd(1.0), "prox": prox.l1()}, ValueError, "a transformation knows no prox"),
]


@pytest.mark.parametrize(("changed", "error", "message"), BAD)
def test_bad_input_is_refused_by_name(changed, error, message):
    arguments = {"fun": lambda x: jnp.sum(x**2), "init_params": TWO, **changed}
    with pytest.raises(error, match=message):
        minimize(arguments.pop("fun"), arguments.pop("init_params"), **arguments)


def test_a_solution_is_a_pytree():
    found = jax.jit(lambda x: minimize(smooth_quadratic, x))(jnp.zeros(3))
    assert isinstance(found, Solution)
