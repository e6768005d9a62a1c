"""FISTA and the methods without a step size take their published steps, and keep their guarantees."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_optax import ac_fgm, adanag, fista, graal, momenta, prox
from oracles.published import composite
from tests.support.composite_problems import lasso, lasso_with_known_optimum
from tests.support.problems import Logistic
from tests.support.running import close, trajectory

STEPS = 300


def run(tx, smooth, start, steps=STEPS):
    """Params and base iterate after every update."""
    return trajectory(tx, jax.grad(smooth), start, np.ones(steps), smooth)[:2]


def in_jax(problem):
    """Its smooth part, and its prox."""
    X, y = jnp.asarray(problem.X), jnp.asarray(problem.y)
    return (lambda w: 0.5 * jnp.sum((X @ w - y) ** 2)), prox.l1(problem.strength)


@pytest.mark.parametrize("restart", [None, "gradient"])
@pytest.mark.parametrize("sequence", ["nesterov", "chambolle-dossal"])
def test_fista_takes_the_published_steps(sequence, restart):
    problem = lasso()
    s = 1 / problem.smoothness
    momentum = None if sequence == "nesterov" else momenta.polynomial(3)
    betas = composite.nesterov_momenta if momentum is None else lambda: ((k - 1) / (k + 3) for k in itertools.count(1))
    smooth, l1 = in_jax(problem)
    params, base = run(fista(s, l1, momentum=momentum, restart=restart), smooth, np.zeros(100))
    twin = composite.fista(problem.gradient, problem.prox, np.zeros(100), s, betas, bool(restart))
    points = list(itertools.islice(twin, STEPS))
    close(params, np.array([y for y, _ in points]))
    close(base, np.array([x for _, x in points]))


def test_the_base_iterate_of_fista_is_what_the_prox_returned_with_its_zeros():
    problem = lasso()
    smooth, l1 = in_jax(problem)
    _, base = run(fista(1 / problem.smoothness, l1), smooth, np.zeros(100))
    assert np.sum(np.asarray(base[-1]) == 0) > 50


def test_the_bound_of_fista_is_never_exceeded():
    problem, solution = lasso_with_known_optimum()
    smooth, l1 = in_jax(problem)
    s = 1 / problem.smoothness
    _, base = run(fista(s, l1, restart=None), smooth, np.zeros(120), 1000)
    gaps = np.array([problem.value(x) for x in np.asarray(base)]) - problem.value(solution)
    n = np.arange(1, 1001)
    assert np.all(gaps <= 2 * (solution @ solution) / (s * (n + 1) ** 2))


@pytest.mark.parametrize(("mu_f", "mu_g"), [(0.0, 0.3), (0.3, 0.0), (0.2, 0.1)])
def test_chambolle_and_pock_s_momentum_keeps_its_recursion_and_its_bound(mu_f, mu_g):
    problem = lasso()
    X, y = jnp.asarray(problem.X), jnp.asarray(problem.y)
    s = 1 / (problem.smoothness + mu_f)

    def smooth(w):
        return 0.5 * jnp.sum((X @ w - y) ** 2) + mu_f / 2 * jnp.sum(w**2)

    momentum = momenta.chambolle_pock(s, mu_f, mu_g)
    np.testing.assert_allclose(
        momenta.tabulate(momentum, 200)[1:],
        list(itertools.islice(composite.chambolle_pock_momenta(s, mu_f, mu_g), 199)),
        rtol=1e-10,
    )
    operator = prox.elastic_net(problem.strength, mu_g)
    g = operator.value
    assert g is not None
    _, base = run(fista(s, operator, momentum=momentum, restart=None), smooth, np.zeros(100), 8000)
    values = np.asarray(jax.vmap(lambda w: smooth(w) + g(w))(base))
    distance = np.sum(np.asarray(base[-1]) ** 2)
    n, q = np.arange(1, 8001), s * (mu_f + mu_g) / (1 + s * mu_g)
    bound = np.minimum((1 + np.sqrt(q)) * (1 - np.sqrt(q)) ** n, 4 / (n + 1) ** 2) * (1 + s * mu_g) * distance / (2 * s)
    assert np.all(values - values.min() <= bound + 1e-11 * values.min())


def test_monotone_fista_takes_the_published_steps_and_never_goes_up():
    problem = lasso(share=0.01)
    smooth, l1 = in_jax(problem)
    s = 1 / problem.smoothness
    params, base = run(fista(s, l1, restart=None, monotone=True), smooth, np.zeros(100))
    twin = composite.monotone_fista(problem.value, problem.gradient, problem.prox, np.zeros(100), s)
    points = list(itertools.islice(twin, STEPS))
    assert sum(rejected for *_, rejected in points) > 5
    close(params, np.array([y for y, _, _ in points]))
    close(base, np.array([x for _, x, _ in points]))
    values = np.array([problem.value(x) for x in np.asarray(base)])
    assert np.all(np.diff(values) <= 0)


class TestWithoutAStepSize:
    """Thirty steps: after some fifty, rounding decides."""

    def test_adanag_takes_the_published_steps(self):
        problem = Logistic()
        points = itertools.islice(composite.adanag(problem.value, problem.gradient, problem.start, 5.0), 30)
        close(run(adanag(5.0), in_jax_logistic(problem), problem.start, 30)[0], np.array(list(points)), 1e-9)

    def test_ac_fgm_takes_the_published_steps(self):
        problem = Logistic()
        twin = composite.ac_fgm(problem.value, problem.gradient, lambda v, eta: v, problem.start, 5.0)
        close(
            run(ac_fgm(smoothness=5.0), in_jax_logistic(problem), problem.start, 30)[0],
            np.array(list(itertools.islice(twin, 30))),
            1e-9,
        )

    def test_ac_fgm_takes_the_published_steps_with_a_prox(self):
        problem = lasso()
        smooth, l1 = in_jax(problem)
        twin = composite.ac_fgm(problem.smooth, problem.gradient, problem.prox, np.zeros(100), problem.smoothness)
        close(
            run(ac_fgm(l1, problem.smoothness), smooth, np.zeros(100), 30)[0],
            np.array(list(itertools.islice(twin, 30))),
            1e-9,
        )

    @pytest.mark.parametrize(("theta", "gamma"), [(0.5, 0.5), (2.0, 1.0)])
    def test_graal_takes_the_published_steps(self, theta, gamma):
        problem = Logistic()
        twin = composite.graal(problem.value, problem.gradient, problem.start, 5.0, theta, gamma)
        points = list(itertools.islice(twin, 30))
        params, base = run(graal(5.0, theta=theta, gamma=gamma), in_jax_logistic(problem), problem.start, 30)
        close(params, np.array([xt for xt, _ in points]), 1e-9)
        close(base, np.array([xb for _, xb in points]), 1e-9)

    @pytest.mark.parametrize("make", [adanag, ac_fgm, graal])
    def test_the_curvature_of_nothing_is_no_nan(self, make):
        params, _ = run(make(), lambda x: 0.5 * jnp.sum(x**2), np.ones(3), 2000)
        assert np.all(np.isfinite(params)) and np.abs(params[-1]).max() < 1e-6
        params, _ = run(make(), lambda x: jnp.sum(x), np.ones(3), 50)  # no curvature at all
        assert np.all(np.isfinite(params))
        params, _ = run(make(), lambda x: 0.5 * jnp.sum(x**2), np.zeros(3), 50)  # there already
        assert np.all(params == 0)

    @pytest.mark.parametrize("make", [adanag, ac_fgm, graal])
    def test_no_run_breaks_long_after_it_has_converged(self, make):
        """Differences of values are nothing but rounding there, on twenty quadratics that are written as sums."""

        def last_of(seed):
            basis, _ = jnp.linalg.qr(jax.random.normal(jax.random.key(seed), (20, 20)))
            H, b = basis @ jnp.diag(jnp.geomspace(0.01, 1, 20)) @ basis.T, basis.sum(1)
            params, base = run(make(), lambda x: x @ H @ x / 2 - b @ x, np.ones(20), 3000)
            return params, H @ base[-1] - b

        params, gradient = jax.vmap(last_of)(jnp.arange(20))
        assert np.all(np.isfinite(params)) and np.abs(gradient).max() < 1e-7


def in_jax_logistic(problem):
    X, signs = jnp.asarray(problem.features), jnp.asarray(problem.signs)

    def loss(w):
        return jnp.logaddexp(0, -signs * (X @ w)).mean() + problem.strong_convexity / 2 * jnp.sum(w**2)

    return loss
