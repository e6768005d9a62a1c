"""Each published shape, turned into five numbers, gives the iterates of its own sequences."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import Rule, accelerate, eval_params, from_coupling, from_momentum_and_correction, from_two_step

STEPS = 40
RNG = np.random.default_rng(3)
TAU, MIXING, LONG, SHORT, BETA, GAMMA, DELTA = (RNG.uniform(0.1, 0.9, STEPS + 1) for _ in range(7))
START = RNG.standard_normal(6)


def gradient(y):
    return np.tanh(y) + 0.1 * y


def coupling():
    """The sequences x, y, z, as in Nesterov's and Allen-Zhu & Orecchia's three sequences."""
    x = z = START
    for k in range(STEPS):
        y = (1 - TAU[k]) * x + TAU[k] * z
        g = gradient(y)
        x, z = y - SHORT[k] * g, (1 - MIXING[k]) * z + MIXING[k] * y - LONG[k] * g
        yield {"params": (1 - TAU[k + 1]) * x + TAU[k + 1] * z, "base": x, "z": z}


def momentum_and_correction():
    """The sequences x, y, as in Kim & Fessler's OGM."""
    x = y = START
    for k in range(STEPS):
        x_next = y - SHORT[k] * gradient(y)
        y = x_next + BETA[k + 1] * (x_next - x) + GAMMA[k + 1] * (x_next - y)
        x = x_next
        yield {"params": y, "base": x}


def two_step():
    """The sequence xi, as in Van Scoy, Freeman & Lynch's triple momentum."""
    xi = before = START
    for k in range(STEPS):
        g = gradient(xi + GAMMA[k] * (xi - before))
        xi, before = xi + BETA[k] * (xi - before) - SHORT[k] * g, xi
        yield {"params": xi + GAMMA[k + 1] * (xi - before), "base": xi + DELTA[k + 1] * (xi - before)}


SHAPES = {
    "coupling": (coupling, lambda k: from_coupling(TAU[k], TAU[k + 1], MIXING[k], LONG[k], SHORT[k])),
    "momentum and correction": (
        momentum_and_correction,
        lambda k: from_momentum_and_correction(BETA[k + 1], GAMMA[k + 1], SHORT[k]),
    ),
    "two-step": (
        two_step,
        lambda k: from_two_step(
            BETA[k], SHORT[k], GAMMA[k], DELTA[k], gamma_next=GAMMA[k + 1], delta_next=DELTA[k + 1]
        ),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_five_numbers_give_the_published_sequences(shape, float64):
    published, coefficients = SHAPES[shape]
    tx = accelerate(Rule(tuple, lambda count, age, carry: (coefficients(int(count)), carry)))
    # The rule reads its number from a NumPy table, with a concrete counter: an eager run. init only looks at shapes.
    traced = accelerate(Rule(tuple, lambda count, age, carry: (coefficients(0), carry)))
    params = jnp.asarray(START)
    state = traced.init(params)
    for expected in published():
        updates, state = tx.update(gradient(np.asarray(params)), state, params)
        params = optax.apply_updates(params, updates)
        np.testing.assert_allclose(params, expected.pop("params"), rtol=0, atol=1e-13)
        for output, point in expected.items():
            np.testing.assert_allclose(eval_params(state, params, output=output), point, rtol=0, atol=1e-13)
