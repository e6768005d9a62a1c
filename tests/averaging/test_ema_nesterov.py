"""EMA-Nesterov: the published sequences, with a lookahead that varies and looks back."""

import itertools

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import ema_nesterov, eval_params, gpa, maps, nag, scale_by_nag
from oracles.published.maps import ema_nesterov as published
from tests.support.problems import noisy_problems
from tests.support.running import close, trajectory

pytestmark = pytest.mark.usefixtures("float64")
STEPS = 200


def varying(k):
    """Forwards, not at all and backwards."""
    return 0.6 * jnp.cos(0.1 * k)


@pytest.mark.parametrize("decay", [0.0, 0.9, 0.99])
def test_a_varying_lookahead_is_exact(decay):
    for problem, factors in noisy_problems(STEPS, 0.5):
        L, gradient = problem.smoothness, lambda x, k, p=problem, f=factors: f[k] * p.gradient(x)
        points = list(
            itertools.islice(published(gradient, problem.start, L, 0.5, lambda k: float(varying(k)), decay), STEPS)
        )
        tx = ema_nesterov(optax.sgd(0.5 / L), varying, decay)
        params, base, _ = trajectory(tx, problem.gradient, problem.start, factors)
        close(params, np.array([y for y, _, _ in points]))
        close(base, np.array([x for _, x, _ in points]))


def test_around_an_adaptive_optimizer_the_base_iterate_is_exact():
    tx, inner = ema_nesterov(optax.adamw(0.1), varying), optax.adamw(0.1)
    params = jnp.array([1.0, -2.0])
    state, of_inner = tx.init(params), inner.init(params)
    for k in range(20):
        gradient = jnp.cos(params + k)
        step, of_inner = inner.update(gradient, of_inner, params)
        updates, state = tx.update(gradient, state, params)
        before, params = params, optax.apply_updates(params, updates)
        np.testing.assert_allclose(eval_params(state, params), before + step, atol=1e-13)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((optax.sgd(0.1), 1.0), "lookahead must be"),
        ((optax.sgd(0.1), -1.5), "lookahead must be"),
        ((optax.sgd(0.1), 0.5, 1.0), "decay must be"),
        ((0.1, 0.5), "inner must be"),
    ],
)
def test_what_does_not_fit_is_named(arguments, words):
    with pytest.raises((TypeError, ValueError), match=words):
        ema_nesterov(*arguments)


@pytest.mark.parametrize("around", [lambda inner: ema_nesterov(inner, 0.4), lambda inner: gpa(inner, 0.9, 0.5)])
def test_links_before_it_are_not_asked_however_deep_it_lies(around):
    params = jnp.ones((2, 3))
    for before in (nag(0.1), optax.chain(scale_by_nag(0.9), maps.sign())):
        tx = optax.chain(before, optax.chain(around(optax.sgd(1.0))))
        updates, state = tx.update(params, tx.init(params), params)
        moved = optax.apply_updates(params, updates)
        np.testing.assert_array_equal(eval_params(state, moved), eval_params(state[1], moved))
