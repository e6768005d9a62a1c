"""Lion, Optax' to the bit, and Signum."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import eval_params, lion, signum

STEPS = 50


def gradients(seed=0, size=2000):
    return jax.random.normal(jax.random.key(seed), (STEPS, size)) + 0.1


def params_of(tx, start, steps):
    def step(carry, g):
        params, state = carry
        updates, state = tx.update(g, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    return jax.jit(lambda: jax.lax.scan(step, (start, tx.init(start)), steps)[1])()


@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.95, 0.98), (0.0, 0.9)])
@pytest.mark.parametrize("rate", [1e-3, optax.cosine_decay_schedule(1e-3, STEPS)], ids=["number", "schedule"])
def test_lion_is_optax_lion_to_the_bit(betas, rate):
    g = gradients()
    ours, theirs = (params_of(make(rate, *betas, weight_decay=0.0), g[0], g) for make in (lion, optax.lion))
    np.testing.assert_array_equal(ours, theirs)


def test_with_decay_it_is_optax_lion_to_rounding():
    g = gradients()
    ours, theirs = (params_of(make(1e-2), g[0], g) for make in (lion, optax.lion))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_momentum_one_off_is_another_method():
    """The comparison is not one of signs that agree anyway."""
    g = gradients()
    ours, theirs = params_of(lion(1e-3, 0.91, weight_decay=0.0), g[0], g), params_of(optax.lion(1e-3), g[0], g)
    assert np.mean(ours[-1] != theirs[-1]) > 0.1


@pytest.mark.parametrize("make", [lion, signum])
def test_there_is_no_point_behind_a_sign(make):
    tx, params = make(0.1), jnp.ones(3)
    _, state = tx.update(params, tx.init(params), params)
    with pytest.raises(ValueError, match="no base iterate behind a nonlinear map"):
        eval_params(state, params)
