"""The recipes of docs/interop.md, against the solvers of the libraries that they are for."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support import pages

pytestmark = pytest.mark.filterwarnings("ignore")  # of other libraries


@pytest.fixture(scope="module")
def recipes():
    """What the page defines, in float64."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("nemos")
        pytest.importorskip("optimistix")
        try:
            yield pages.define(pages.read("interop.md"), {})
        finally:
            jax.config.update("jax_enable_x64", False)


def fitted(recipes, solver, regularizer, **options):
    model = recipes["nmo"].glm.GLM(
        observation_model="Poisson",
        regularizer=regularizer,
        regularizer_strength=0.05,
        solver_name=solver,
        solver_kwargs=options,
    )
    return model.fit(recipes["stimulus"], recipes["spikes"])


@pytest.mark.parametrize("regularizer", ["Lasso", "Ridge"])
def test_nemos_fits_what_its_own_solver_fits(recipes, regularizer):
    ours = fitted(recipes, "NagOptax", regularizer, tol=1e-9)
    theirs = fitted(recipes, "ProximalGradient", regularizer, tol=1e-12, maxiter=100_000)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-7)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-7)
    assert ours.optim_info_.converged


def test_nemos_warns_of_a_run_that_has_not_converged(recipes):
    with pytest.warns(RuntimeWarning, match="did not converge"):
        model = fitted(recipes, "NagOptax", "Lasso", max_steps=2)
    assert model.optim_info_.reached_max_steps and not model.optim_info_.converged


class TestOptimistix:
    def minimise(self, recipes, fn, start, args=None, throw=True, **options):
        solver = recipes["NagMinimiser"](**options)
        return recipes["optx"].minimise(fn, solver, start, args=args, throw=throw)

    def test_finds_what_bfgs_finds(self, recipes):
        ours = self.minimise(recipes, recipes["rosenbrock"], jnp.zeros(2), 10.0, rtol=1e-10)
        bfgs = recipes["optx"].BFGS(rtol=1e-10, atol=1e-10)
        theirs = recipes["optx"].minimise(recipes["rosenbrock"], bfgs, jnp.zeros(2), args=10.0)
        np.testing.assert_allclose(ours.value, theirs.value, atol=1e-6)

    def test_differentiates_the_solution(self, recipes):
        def solution(scale):
            def fn(y, scale):
                return (y[0] - scale) ** 2 + (y[1] - scale * y[0]) ** 2

            return self.minimise(recipes, fn, jnp.zeros(2), scale, rtol=1e-10).value

        np.testing.assert_allclose(jax.jacrev(solution)(2.0), [1.0, 4.0], atol=1e-6)

    def test_says_how_it_ended(self, recipes):
        results = recipes["optx"].RESULTS
        few = self.minimise(recipes, recipes["rosenbrock"], jnp.zeros(2), 100.0, throw=False, max_steps=3)
        assert few.result == results.nonlinear_max_steps_reached
        away = self.minimise(recipes, lambda y, _: jnp.sum(jnp.log(y)), jnp.ones(2), throw=False)
        assert away.result == results.nonlinear_divergence
        with pytest.raises(Exception, match=r"maximum number of steps"):
            self.minimise(recipes, recipes["rosenbrock"], jnp.zeros(2), 100.0, max_steps=3)
