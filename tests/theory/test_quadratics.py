"""Rates on quadratics and the variance that noise leaves: closed forms, runs and simulations."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no
from nag_optax import momenta, theory
from tests.theory.test_step_matrices import NO_MATRIX

KAPPA = 50.0
ROOT = np.sqrt(KAPPA)

RATES = {
    "gradient descent": (optax.sgd(2 / (1 + 1 / KAPPA)), (KAPPA - 1) / (KAPPA + 1)),
    "heavy ball": (
        optax.sgd(4 / (1 + 1 / ROOT) ** 2, ((ROOT - 1) / (ROOT + 1)) ** 2),
        (ROOT - 1) / (ROOT + 1),
    ),
    "nag": (no.nag(1.0, momenta.strongly_convex(KAPPA)), 1 - 1 / ROOT),
    "nag, best on quadratics": (  # Lessard, Recht & Packard, proposition 1
        no.nag(4 / (3 + 1 / KAPPA), (np.sqrt(3 * KAPPA + 1) - 2) / (np.sqrt(3 * KAPPA + 1) + 2)),
        1 - 2 / np.sqrt(3 * KAPPA + 1),
    ),
    "triple momentum": (no.triple_momentum(1.0, 1 / KAPPA), 1 - 1 / ROOT),
}


@pytest.mark.parametrize("name", RATES)
def test_rates_are_those_of_the_literature(name):
    tx, rate = RATES[name]
    np.testing.assert_allclose(theory.rate_on_quadratics(tx, 1.0, 1 / KAPPA), rate, rtol=1e-7)


def test_a_rule_has_a_rate_and_a_run_has_it_too():
    tx = no.qhm(1.0, 0.9, 0.7)
    rate = theory.rate_on_quadratics(tx, 1.0, 0.1)
    curvatures = jnp.linspace(0.1, 1.0, 2001)
    params, state = jnp.ones_like(curvatures), tx.init(curvatures)
    norms = []
    for _ in range(400):
        updates, state = tx.update(curvatures * params, state, params)
        params = params + updates
        norms.append(float(jnp.abs(params).max()))
    np.testing.assert_allclose((norms[-1] / norms[-201]) ** (1 / 200), rate, rtol=2e-3)
    rule = no.Rule(tuple, lambda count, age, carry: (no.Coefficients(0, 0, 0, 0.5, 0), carry))
    assert theory.rate_on_quadratics(rule, 1.0, 0.1) == pytest.approx(0.95)


@pytest.mark.parametrize("curvature", [0.1, 0.7])
def test_the_variance_of_the_heavy_ball_is_mohammadis(curvature):
    rate, beta = 0.3, 0.8
    expected = rate * (1 + beta) / (curvature * (1 - beta) * (2 * (1 + beta) - rate * curvature))
    found = theory.noise_amplification(optax.sgd(rate, beta), curvature)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_the_variance_is_that_of_a_simulation():
    tx, curvature = no.nag(0.5, 0.8), 0.4
    params = jnp.zeros(20_000)

    def step(carry, key):
        params, state = carry
        noise = jax.random.normal(key, params.shape, params.dtype)
        updates, state = tx.update(curvature * params + noise, state, params)
        return (params + updates, state), None

    (params, _), _ = jax.jit(lambda c: jax.lax.scan(step, c, jax.random.split(jax.random.key(0), 200)))(
        (params, tx.init(params))
    )
    assert float(jnp.var(params)) == pytest.approx(theory.noise_amplification(tx, curvature), rel=0.05)


@pytest.mark.parametrize("name", NO_MATRIX)
def test_what_is_not_linear_is_refused(name):
    with pytest.raises(ValueError, match="tx must have updates that are linear"):
        theory.rate_on_quadratics(NO_MATRIX[name], 1.0, 0.1)


def test_what_has_no_rate_is_refused():
    for tx in (
        no.nag(1.0, momenta.nesterov()),
        optax.sgd(lambda count: 1 / (count + 1.0)),
        optax.sgd(optax.exponential_decay(0.5, 100_000, 0.5)),
        no.lookahead(optax.sgd(0.5), 6, 0.5),
        no.nag(0.5, 0.9, restart=no.restart.every(7)),
    ):
        with pytest.raises(ValueError, match="numbers that do not vary"):
            theory.rate_on_quadratics(tx, 1.0, 0.1)
    with pytest.raises(ValueError, match="tx must have updates that are linear"):
        theory.rate_on_quadratics(no.nag(0.5, 0.9, restart="speed"), 1.0, 0.1)
    with pytest.raises(ValueError, match="strong_convexity must be"):
        theory.rate_on_quadratics(optax.sgd(0.1), 1.0, 0.0)
    with pytest.raises(ValueError, match="curvature must be one on which tx converges"):
        theory.noise_amplification(optax.sgd(3.0), 1.0)
    with pytest.raises(ValueError, match="curvature must be finite, above 0"):
        theory.noise_amplification(optax.sgd(0.1), 0.0)
