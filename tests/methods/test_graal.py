"""What is particular to `graal`: its second gradient, its growing steps, and what rounding must not do."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import Status, eval_params, graal, minimize, reanchor
from tests.support.problems import Logistic
from tests.support.running import trajectory


def steep(x):
    return 0.5 * jnp.sum(jnp.geomspace(1e-2, 1.0, x.shape[0]) * x**2)


def last_step_size(tx, loss, start, steps):
    """After some updates."""

    def body(carry, _):
        params, state = carry
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = tx.update(gradient, state, params, value=value, value_fn=loss)
        return (optax.apply_updates(params, updates), state), None

    return jax.jit(lambda: jax.lax.scan(body, (start, tx.init(start)), None, length=steps)[0][1].step_size)()


def test_a_first_step_that_is_far_too_short_costs_few_updates():
    _, base, _ = trajectory(graal(smoothness=1e12), jax.grad(steep), np.ones(20), np.ones(500), steep)
    assert steep(base[-1]) < 1e-5 * steep(jnp.ones(20))


def test_a_first_step_that_is_far_too_long_is_survived():
    _, base, _ = trajectory(graal(smoothness=1e-3), jax.grad(steep), np.ones(20), np.ones(500), steep)
    assert steep(base[-1]) < 1e-4 * steep(jnp.ones(20))


@pytest.mark.parametrize(("smoothness", "growing"), [(27.0, 2), (1e6, 20)])
def test_rounding_does_not_come_between_two_points_that_are_one(float64, smoothness, growing):
    """While step sizes grow, the base iterate is where params were: a curvature between them is one of rounding."""
    problem = Logistic()
    signed = jnp.asarray(problem.features * problem.signs[:, None])

    def loss(w):
        return jnp.logaddexp(0, -signed @ w).mean() + problem.strong_convexity / 2 * (w @ w)

    tx = graal(smoothness=smoothness, theta=0.5, gamma=0.5)
    params, base, _ = trajectory(tx, jax.grad(loss), problem.start, np.ones(3000), loss)
    np.testing.assert_array_equal(base[1:growing], params[: growing - 1])
    assert np.all(np.isfinite(params))
    assert loss(base[-1]) - problem.value(problem.minimiser) < 1e-10


@pytest.mark.parametrize("missing", ["params", "value", "value_fn"])
def test_what_is_missing_is_named(missing):
    tx, params = graal(1.0), jnp.ones(2)
    arguments = {"params": params, "value": steep(params), "value_fn": steep}
    with pytest.raises(ValueError, match="graal needs .*" + missing.removeprefix("value").removeprefix("_")):
        tx.update(params, tx.init(params), **{**arguments, missing: None})


def test_the_function_sees_the_whole_of_params():
    """Also the leaf that has no gradient."""
    params = {"trained": jnp.ones(2), "frozen": jnp.full(2, 3.0)}

    def loss(p):
        return jnp.sum((p["trained"] - p["frozen"]) ** 2)

    @jax.jit
    def step(params, state):
        gradients = {"trained": jax.grad(loss)(params)["trained"], "frozen": None}
        updates, state = tx.update(gradients, state, params, value=loss(params), value_fn=loss)
        return {**params, "trained": params["trained"] + updates["trained"]}, state

    tx = graal()
    state = tx.init(params)
    for _ in range(100):
        params, state = step(params, state)
    np.testing.assert_allclose(eval_params(state, params)["trained"], 3, atol=1e-2)


def test_steps_do_not_overflow_where_there_is_no_curvature():
    assert np.isfinite(last_step_size(graal(), lambda x: jnp.sum(x), jnp.ones(3), 2000))
    assert np.isfinite(last_step_size(graal(), steep, jnp.zeros(3), 2000))


def test_minimize_takes_it_as_a_method():
    found = minimize(steep, jnp.ones(20), method=graal())
    assert found.status == Status.CONVERGED and found.value < 1e-6


def test_reanchored_it_starts_from_scratch():
    tx, params = graal(1.0), jnp.ones(2)
    _, state = tx.update(params, tx.init(params), params, value=steep(params), value_fn=steep)
    assert reanchor(tx, state, params).step == 0
