"""Params of 16 bits, which are rounded at random or with compensation."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from nag_optax import adan, compensated, decayed, nadam, nag, stochastic_rounding


def after_a_thousand_steps(*links, dtype="bfloat16"):
    """Where 1,000 gradients of 0.1 lead, from 1."""
    tx = optax.chain(nag(1e-4, 0.9, accumulator_dtype=jnp.float32), *links)
    params = jnp.ones((64,), dtype)

    def one(carry, _):
        params, state = carry
        updates, state = tx.update(jnp.full(params.shape, 0.1, params.dtype), state, params)
        return (optax.apply_updates(params, updates), state), None

    (params, _), _ = jax.jit(lambda c: jax.lax.scan(one, c, length=1000))((params, tx.init(params)))
    return float(params.astype(jnp.float32).mean())


def test_a_parameter_of_low_precision_moves_only_with_help():
    assert after_a_thousand_steps() == 1
    expected = after_a_thousand_steps(dtype="float32")
    assert abs(expected - 0.9008) < 1e-4
    for link in (stochastic_rounding(0), compensated()):
        assert abs(after_a_thousand_steps(link) - expected) < 0.005


@settings(max_examples=50, deadline=None)
@given(
    p=st.floats(-1e4, 1e4, width=16),
    u=st.floats(-1e4, 1e4, width=32, allow_subnormal=False),
    dtype=st.sampled_from(["bfloat16", "float16"]),
)
def test_params_land_on_a_neighbour_of_their_target(p, u, dtype):
    params, update = jnp.asarray(p, dtype), jnp.asarray(u, jnp.float32)
    target = params.astype(jnp.float32) + update
    nearest = target.astype(dtype)
    below, above = (jnp.nextafter(nearest, jnp.asarray(end, dtype)) for end in (-jnp.inf, jnp.inf))
    for tx, possible in ((stochastic_rounding(1), (below, nearest, above)), (compensated(), (nearest,))):
        updates, _ = tx.update(update, tx.init(params), params)
        landed = optax.apply_updates(params, updates)
        assert landed.dtype == dtype and float(landed) in set(map(float, possible))


@pytest.mark.parametrize("link", [stochastic_rounding(0), compensated()], ids=["stochastic", "compensated"])
def test_other_params_pass_through(link):
    params = {"w": jnp.ones(3), "c": jnp.ones(2, jnp.complex64), "empty": jnp.ones((0, 2), jnp.bfloat16)}
    updates, state = link.update(params, link.init(params), params)
    np.testing.assert_array_equal(updates["w"], params["w"])
    np.testing.assert_array_equal(updates["c"], params["c"])
    assert jax.tree.structure(link.update(updates, state, params)[1]) == jax.tree.structure(state)
    assert link.update({}, link.init({}), {})[0] == {}
    with pytest.raises(ValueError, match="needs params"):
        link.update(params, state)


def test_a_state_may_be_donated_and_made_again():
    params = jnp.ones(8, jnp.bfloat16)
    tx = stochastic_rounding(jax.random.key(0))
    step = jax.jit(tx.update, donate_argnums=1)
    first, second = (step(params, tx.init(params), params)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_state_from_a_seed_can_be_written():
    state = stochastic_rounding(3).init(jnp.ones(8, jnp.bfloat16))
    chex.assert_trees_all_equal(serialization.from_bytes(state, serialization.to_bytes(state)), state)


@pytest.mark.parametrize("key", [None, "seed", 0.5, True, jnp.ones(2)])
def test_a_key_is_required(key):
    with pytest.raises(TypeError, match="key must be"):
        stochastic_rounding(key)


LINKS = {"compensated": compensated, "stochastic_rounding": lambda: stochastic_rounding(0)}
WRAPPERS = {
    "apply_if_finite": lambda tx: optax.apply_if_finite(tx, 3),
    "conditionally_transform": lambda tx: optax.conditionally_transform(tx, lambda step: step < 5),
    "conditionally_mask": lambda tx: optax.conditionally_mask(tx, lambda step: step < 5),
}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("link", LINKS)
def test_optax_may_choose_around_them_and_inside(link, wrapper, dtype):
    params = jnp.linspace(0.5, 2.0, 8).astype(dtype)
    wrap = WRAPPERS[wrapper]
    around, inside = wrap(optax.chain(nag(0.01), LINKS[link]())), optax.chain(wrap(nag(0.01)), LINKS[link]())
    (first, _), (second, _) = (jax.jit(tx.update)(params, tx.init(params), params) for tx in (around, inside))
    assert first.dtype == second.dtype == dtype
    np.testing.assert_array_equal(first, second)
    bad, _ = around.update(params * jnp.nan, around.init(params), params)
    assert wrapper != "apply_if_finite" or not bad.any()


@pytest.mark.parametrize("link", LINKS)
def test_a_sum_without_a_cast_keeps_the_dtype_too(link):
    tx, params = optax.chain(nag(1e-3, accumulator_dtype=jnp.float32), LINKS[link]()), jnp.ones(64, jnp.bfloat16)
    state = tx.init(params)
    for _ in range(100):
        updates, state = tx.update(0.1 * jnp.ones_like(params), state, params)
        params = params + updates  # as equinox.apply_updates does
    assert params.dtype == jnp.bfloat16
    np.testing.assert_allclose(params.astype(float).mean(), 1 - 1e-4 * (1000 - 90), atol=0.01)


def test_params_that_changed_dtype_are_named():
    params = {"w": jnp.ones(4, jnp.bfloat16), "b": jnp.ones(())}
    tx = compensated()
    state = tx.init(params)
    wide = jax.tree.map(lambda p: p.astype(jnp.float32), params)
    updates, state = tx.update(wide, state, params)
    with pytest.raises(TypeError, match=r"params at \['w'\] have changed from bfloat16 to float32.*apply_updates"):
        tx.update(wide, state, jax.tree.map(jnp.add, params, updates))


@settings(max_examples=50, deadline=None)
@given(
    p=st.floats(-1e4, 1e4, width=16),
    u=st.floats(-1e4, 1e4, width=16),
    dtype=st.sampled_from(["bfloat16", "float16"]),
)
def test_updates_of_16_bits_lose_nothing_either(p, u, dtype):
    params, update = jnp.asarray(p, dtype), jnp.asarray(u, dtype)
    tx = compensated()
    updates, state = tx.update(update, tx.init(params), params)
    landed, target = params + updates, params.astype(jnp.float32) + update.astype(jnp.float32)
    unit = float(jnp.finfo(dtype).eps) * max(abs(float(target)), abs(float(update)), 1e-3)
    assert abs(float(landed) - float(target)) <= unit
    assert abs(float(landed) + float(state.residual) - float(target)) <= unit * float(jnp.finfo(dtype).eps)


def shrunk(dtype, make, link, steps=200):
    """How much of params is left after gradients of both signs that cancel, in the mean of their entries."""
    tx = optax.chain(make(), link())
    params = jnp.ones(16, dtype)

    def one(carry, k):
        params, state = carry
        gradient = (jnp.ones_like(params) * (-1.0) ** k).astype(dtype)
        updates, state = tx.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), None

    carry, _ = jax.jit(lambda c: jax.lax.scan(one, c, jnp.arange(steps)))((params, tx.init(params)))
    params, (_, after) = carry
    whole = params.astype(jnp.float32) + (after.residual.astype(jnp.float32) if link is compensated else 0)
    return whole


DECAYING = {
    "nag": lambda: nag(0.01, 0.0, weight_decay=1e-3),
    "nag, momentum": lambda: nag(0.01, 0.9, weight_decay=1e-3),
    "nag, schedule": lambda: nag(lambda count: 0.01, 0.0, weight_decay=lambda count: 1e-3),
    "nadam": lambda: nadam(0.01, weight_decay=1e-3),
    "adan": lambda: adan(0.01, weight_decay=1e-3),
    "decayed": lambda: decayed(optax.sgd(0.01), 0.01, 1e-3),
}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", DECAYING)
def test_a_decay_below_the_unit_of_the_update_arrives(name, dtype):
    without = {"nadam": nadam, "adan": adan}.get(name.split(",")[0], nag)
    momentum = {"nag": [0.0], "nag, momentum": [0.9], "nag, schedule": [0.0], "decayed": [0.0]}.get(name, [])

    def still():
        return without(0.01, *momentum)

    plain, right = (shrunk(jnp.float32, make, compensated).mean() for make in (still, DECAYING[name]))
    low, got = (shrunk(dtype, make, compensated) for make in (still, DECAYING[name]))
    np.testing.assert_allclose((low - got).mean(), plain - right, rtol=0.1)
    np.testing.assert_allclose(low - got, plain - right, rtol=0.25)


@pytest.mark.parametrize("link", LINKS)
def test_derivatives_pass_through_the_rounding(link):
    tx, params = optax.chain(nag(0.1, weight_decay=0.1), LINKS[link]()), jnp.ones(4, jnp.bfloat16)

    def moved(start):
        return (start + tx.update(start, tx.init(start), start)[0]).astype(jnp.float32).sum()

    np.testing.assert_allclose(jax.grad(moved)(params).astype(float), 1 - 0.19 - 0.01, rtol=0.02)
