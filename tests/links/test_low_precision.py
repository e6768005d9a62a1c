"""Params of 16 bits, which are rounded at random or with compensation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nag_optax import compensated, nag, stochastic_rounding


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


@pytest.mark.parametrize("key", [None, "seed", 0.5, True, jnp.ones(2)])
def test_a_key_is_required(key):
    with pytest.raises(TypeError, match="key must be"):
        stochastic_rounding(key)
