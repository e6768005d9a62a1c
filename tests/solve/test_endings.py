"""minimize: how it ends, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import Status, minimize, prox
from tests.support.composite_problems import lasso, least_squares, smooth_quadratic


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
    ({"init_params": jnp.ones(2, int)}, TypeError, "init_params must be floating or complex arrays, got int32"),
    ({"init_params": {}}, TypeError, "init_params must hold at least one array"),
    ({"prox": lambda x, step: x[:1]}, TypeError, "prox must keep structure, shapes and dtypes"),
    ({"prox": lambda x, step: x.astype("bfloat16")}, TypeError, "prox must keep structure, shapes and dtypes"),
    ({"prox": 0.1}, TypeError, "prox must be a function"),
    ({"method": "bfgs"}, ValueError, "method must be one of 'full_backtracking'"),
    ({"method": 3}, TypeError, "method must be a name, a Method or a gradient transformation, got int"),
    ({"method": "fista"}, ValueError, "step_size is for method='fista' and method='pogm', which need it"),
    ({"method": "pogm"}, ValueError, "which need it; got None with method 'pogm'"),
    ({"method": "pogm", "step_size": 0.0}, ValueError, "step_size must be finite, above 0, got 0.0"),
    ({"step_size": 0.1}, ValueError, "step_size is for method='fista'"),
    ({"method": "adanag", "prox": prox.l1()}, ValueError, "'adanag' is for smooth problems"),
    ({"method": optax.sgd(1.0), "prox": prox.l1()}, ValueError, "a transformation knows no prox"),
]


@pytest.mark.parametrize(("changed", "error", "message"), BAD)
def test_bad_input_is_refused_by_name(changed, error, message):
    arguments = {"fun": lambda x: jnp.sum(x**2), "init_params": TWO, **changed}
    with pytest.raises(error, match=message):
        minimize(arguments.pop("fun"), arguments.pop("init_params"), **arguments)
