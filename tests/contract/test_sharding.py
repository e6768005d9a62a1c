"""State and updates live where their parameters do."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from nag_optax import state_shardings
from tests.catalogue import CATALOGUE, KINDS, REDUCING
from trainer.parallel.traffic import COLLECTIVES


def loss(params):
    return sum(jnp.sum(p**2) for p in jax.tree.leaves(params))


@pytest.mark.parametrize(
    ("name", "axis_type", "init"),
    [
        *((name, AxisType.Auto, "jit") for name in CATALOGUE),
        *((name, AxisType.Explicit, "eager") for name in KINDS),
    ],
)
def test_state_and_updates_inherit_sharding(name, axis_type, init):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(axis_type,))
    sharded, replicated = (NamedSharding(mesh, PartitionSpec(*spec)) for spec in (("data",), ()))
    params = {"w": jax.device_put(jnp.ones((16, 128)), sharded), "b": jax.device_put(jnp.ones(()), replicated)}
    tx = CATALOGUE[name].make()
    with jax.set_mesh(mesh) if hasattr(jax, "set_mesh") else jax.sharding.use_mesh(mesh):
        if init == "eager":
            state = tx.init(params)
        else:  # jit(init) alone would put everything on one device on an Auto mesh
            shardings = state_shardings(tx, params)
            state = jax.jit(tx.init, out_shardings=shardings)(params)
        update = jax.jit(lambda g, s, p: tx.update(g, s, p, value=1.0, value_fn=loss))
        updates, after = update(params, state, params)

    def buffers(tree):
        return [leaf for leaf in jax.tree.leaves(tree) if leaf.shape == (16, 128)]

    for leaf in buffers(state) + buffers(updates) + buffers(after):
        assert leaf.sharding.is_equivalent_to(sharded, leaf.ndim)
    assert len(buffers(state)) == len(buffers(after))
    assert bool(buffers(state)) == (name != "proximal_gradient")  # whose state is a counter
    if name not in REDUCING:
        hlo = update.lower(params, state, params).compile().as_text() or ""
        assert not any(collective in hlo for collective in COLLECTIVES)
