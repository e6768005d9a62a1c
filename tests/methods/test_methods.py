"""What the methods refuse, and what they survive."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no

BAD = [
    (lambda: no.triple_momentum(1.0, 2.0), "strong_convexity must be finite, above 0 and below 1, got 2.0"),
    (lambda: no.strongly_convex_nag(1.0, 0.0, stationary=True), "strong_convexity must be finite, above 0"),
    (lambda: no.item(0.0, 0.0), "smoothness must be finite, above 0, got 0.0"),
    (lambda: no.robust_momentum(1.0, 0.01, 0.5), "rho must be finite, at least 0.9 and at most 0.99, got 0.5"),
    (lambda: no.ogm(-1.0), "learning_rate"),
    (lambda: no.ogm_g(1.0, 0), "horizon must be finite, at least 1, got 0"),
    (lambda: no.agnes(momentum=1.0), "momentum"),
    (lambda: no.snag(1.0, growth=0.5), "growth"),
    (lambda: no.acc_sgd(0.1, small_constant=1.0), "small_constant"),
    (lambda: no.mass(alpha=1.0), "alpha"),
    (lambda: no.qhm(0.1, nu=-1), "nu"),
    (lambda: no.heavy_ball(0.1, 1.0), "momentum"),
    (lambda: no.agg_mo(0.1, ()), "momenta must hold at least one momentum, got none"),
    (lambda: no.agg_mo(0.1, (0.9, 1.0)), "momentum must be finite, at least 0 and below 1, got 1.0"),
    (lambda: no.nadam(0.1, eps=0.0), "eps must be finite, above 0, got 0.0"),
    (lambda: no.nadam(0.1, b1=1.0), "b1"),
    (lambda: no.adan(0.1, b2=1.5), "b2 must be finite, at least 0 and below 1, got 1.5"),
    (lambda: no.adan(0.1, weight_decay=-0.1), "weight_decay"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_bad_constants_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_traced_constant_is_taken_as_it_is():
    def first_step(strong_convexity):
        tx = no.item(1.0, strong_convexity)
        return tx.update(jnp.ones(1), tx.init(jnp.ones(1)))[0]

    np.testing.assert_allclose(jax.jit(first_step)(0.5), first_step(0.5), rtol=1e-6)


def test_exceeding_the_horizon_is_an_error_outside_of_jit_and_a_plain_step_inside():
    tx, params = no.ogm_g(0.5, horizon=1), jnp.ones(2)
    _, state = tx.update(params, tx.init(params))
    with pytest.raises(ValueError, match="horizon must be at least the number of updates, got 1 and update 2"):
        tx.update(params, state)
    np.testing.assert_allclose(jax.jit(tx.update)(params, state)[0], -0.5)


def test_mean_squares_are_kept_in_float32_for_low_precision_parameters():
    tx = no.adan(0.1)
    state = tx.init(jnp.ones(3, jnp.bfloat16))
    assert state.mean_square.dtype == jnp.float32
    assert state.previous.dtype == jnp.bfloat16


def test_one_velocity_and_its_sum_have_the_base_iterate_of_the_sum():
    params = jnp.ones(2)
    one, both = no.nag(0.2, 0.9), no.superpose(no.nag(0.1, 0.9), no.nag(0.1, 0.9))
    evaluated = []
    for tx in (one, both):
        updates, state = tx.update(params, tx.init(params), params)
        moved = optax.apply_updates(params, updates)
        evaluated.append((moved, no.eval_params(state, moved)))
    np.testing.assert_allclose(*evaluated, rtol=1e-6)


@pytest.mark.parametrize("make", [no.item, no.strongly_convex_nag])
def test_a_hundred_thousand_float32_steps_stay_finite(make):
    tx = make(1.0, 1e-3)

    @jax.jit
    def final():
        def body(carry, _):
            params, state = carry
            updates, state = tx.update(jnp.asarray([1.0, 1e-3]) * params, state, params)
            return (params + updates, state), None

        params = jnp.ones(2, jnp.float32)
        return jax.lax.scan(body, (params, tx.init(params)), length=100_000)[0]

    params, state = final()
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves((params, state)))
    assert jnp.abs(params).max() < 1e-6
