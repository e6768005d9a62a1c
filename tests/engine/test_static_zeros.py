"""What static zeros leave of the buffer and of the update lives where the params do."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from nag_optax import Coefficients, Rule, accelerate, state_shardings

STATIC = {
    "an empty buffer": Coefficients(decay=0, gain=0, lead=0, step_size=0.1, readout=0),
    "no update": Coefficients(decay=0.5, gain=1, lead=0, step_size=0, readout=0),
    "neither": Coefficients(decay=0, gain=0, lead=0, step_size=0, readout=0),
}


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("name", STATIC)
def test_sharding_is_kept(name, axis_type):
    tx = accelerate(Rule(tuple, lambda count, age, carry: (STATIC[name], carry)))
    mesh = jax.make_mesh((8,), ("data",), axis_types=(axis_type,))
    split = NamedSharding(mesh, PartitionSpec("data"))
    params = jax.device_put(jnp.ones((16, 4)), split)
    state = jax.jit(tx.init, out_shardings=state_shardings(tx, params))(params)
    updates, after = jax.jit(tx.update)(params, state, params)
    for leaf in (updates, after.momentum):
        assert leaf.sharding.is_equivalent_to(split, 2)
    assert not updates.any() or name == "an empty buffer"


@pytest.mark.parametrize("name", STATIC)
def test_zeros_are_zeros_whatever_the_gradient_is(name):
    tx = accelerate(Rule(tuple, lambda count, age, carry: (STATIC[name], carry)))
    state = tx.init(jnp.ones(3))._replace(momentum=jnp.full(3, jnp.nan))
    updates, after = tx.update(jnp.full(3, jnp.inf), state)
    if STATIC[name].decay == 0:
        assert (after.momentum == 0).all()
    if STATIC[name].step_size == 0:
        assert (updates == 0).all()
