"""Restarts happen when the papers' algorithms restart, and lead to the same iterates."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import eval_params, momenta, nag
from tests.support import problems, twins
from tests.support.running import run

STEPS = 1500
PROBLEM = problems.Quadratic()
LEARNING_RATE = 1 / PROBLEM.smoothness


def gradient(x, k):
    return jnp.asarray(PROBLEM.hessian) @ (x - PROBLEM.minimiser)


def value(x):
    return 0.5 * (x - PROBLEM.minimiser) @ jnp.asarray(PROBLEM.hessian) @ (x - PROBLEM.minimiser)


def restart_times(ages):
    """Updates after which the sequence began again."""
    return [k for k in range(1, len(ages)) if ages[k] == 0]


def run_with(method, **extra):
    """Base iterates and restart times, passing extra arguments to update; functions of (params)."""

    def body(carry, _):
        params, state = carry
        arguments = {name: f(params) for name, f in extra.items()}
        updates, state = method.update(gradient(params, 0), state, params, **arguments)
        params = optax.apply_updates(params, updates)
        return (params, state), (eval_params(state, params), state.age)

    start = jnp.asarray(PROBLEM.start)
    _, (base, ages) = jax.jit(lambda: jax.lax.scan(body, (start, method.init(start)), length=STEPS))()
    return base, restart_times([-1, *ages])


@pytest.mark.parametrize("velocity", ["gradient", "step"])
def test_gradient_restart_is_odonoghue_and_candes(velocity):
    method = nag(LEARNING_RATE, momenta.nesterov(), restart="gradient", velocity=velocity)
    _, base, ages = run(method, gradient, jnp.asarray(PROBLEM.start), STEPS)
    xs, times = twins.restarted_fista(PROBLEM.gradient, PROBLEM.start, LEARNING_RATE, STEPS, "gradient")
    assert len(times) >= 3
    assert restart_times(ages) == times
    np.testing.assert_allclose(base, xs[-len(base) :], atol=1e-12)


def test_value_restart_with_the_function_is_odonoghue_and_candes():
    method = nag(LEARNING_RATE, momenta.nesterov(), restart="value")
    base, times = run_with(method, value_fn=lambda params: value)
    xs, expected = twins.restarted_fista(PROBLEM.gradient, PROBLEM.start, LEARNING_RATE, STEPS, "value", PROBLEM.value)
    assert len(expected) >= 3
    assert times == expected
    np.testing.assert_allclose(base, xs[-len(base) :], atol=1e-12)


def test_value_restart_with_the_loss_at_params_restarts_when_that_loss_goes_up():
    method = nag(LEARNING_RATE, momenta.nesterov(), restart="value")
    base, times = run_with(method, value=value)
    assert len(times) >= 3
    plain, _ = run_with(nag(LEARNING_RATE, momenta.nesterov()))
    assert value(base[-1]) < 1e-3 * value(plain[-1])


def test_speed_restart_is_su_boyd_and_candes():
    method = nag(LEARNING_RATE, momenta.polynomial(), restart="speed")
    _, base, ages = run(method, gradient, jnp.asarray(PROBLEM.start), STEPS)
    xs, times = twins.speed_restarted(PROBLEM.gradient, PROBLEM.start, LEARNING_RATE, STEPS)
    assert len(times) >= 3
    assert restart_times(ages) == times
    np.testing.assert_allclose(base, xs[-len(base) :], atol=1e-12)


@pytest.mark.parametrize("restart", ["gradient", "speed"])
@pytest.mark.parametrize("lookahead", [0.0, 0.5, 1.0])
def test_restart_of_a_constant_momentum_empties_the_velocity(restart, lookahead):
    method = nag(LEARNING_RATE, 0.99, lookahead=lookahead, restart=restart)
    params, _, ages = run(method, gradient, jnp.asarray(PROBLEM.start), STEPS)
    times = restart_times(ages)
    assert times
    plain = {"gradient": times[0], "speed": times[0] + 1}[restart]  # a plain gradient step leads to these params
    step = params[plain - 1] - LEARNING_RATE * gradient(params[plain - 1], 0)
    np.testing.assert_allclose(params[plain], step, atol=1e-14)


def test_restart_recovers_the_rate_that_the_condition_number_allows():
    runs = {
        restart: value(
            run(nag(LEARNING_RATE, momenta.nesterov(), restart=restart), gradient, jnp.asarray(PROBLEM.start), STEPS)[
                1
            ][-1]
        )
        for restart in (None, "gradient", "speed")
    }
    assert runs["gradient"] < 1e-4 * runs[None]
    assert runs["speed"] < runs[None]
