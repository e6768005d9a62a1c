"""Where states live, on eight virtual devices."""

import jax
import jax.numpy as jnp
import optax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from nag_optax import nag, slow_weights, state_shardings


def by_rank(of_matrix, of_vector):
    """A mask, or labels."""
    return lambda params: jax.tree.map(lambda p: of_matrix if p.ndim > 1 else of_vector, params)


PARTIAL = {
    "masked": lambda: optax.masked(nag(0.1), by_rank(True, False)),
    "partition": lambda: optax.partition(
        {"train": nag(0.1), "freeze": optax.set_to_zero()}, by_rank("train", "freeze")
    ),
    "its own mask": lambda: nag(0.1, weight_decay=0.1, mask=by_rank(True, False)),
    "MultiSteps": lambda: optax.MultiSteps(optax.masked(nag(0.1), by_rank(True, False)), 2).gradient_transformation(),
}


@pytest.mark.parametrize("name", PARTIAL)
def test_a_state_of_some_of_the_params_lies_beside_them(name):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    split = NamedSharding(mesh, PartitionSpec("data"))
    params = jax.device_put({"matrix": jnp.ones((16, 3)), "vector": jnp.ones(8)}, split)
    tx = PARTIAL[name]()
    state = jax.jit(tx.init, out_shardings=state_shardings(tx, params))(params)
    momentum = optax.tree.get(state, "momentum")
    assert momentum["matrix"].sharding == split
    assert name == "its own mask" or isinstance(momentum["vector"], optax.MaskedNode)
    updates, after = jax.jit(tx.update)(params, state, params)
    assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, state)
    assert updates["matrix"].sharding.is_equivalent_to(split, 2)


@pytest.mark.parametrize("inner", [optax.sgd(0.1, 0.9), optax.adam(0.1), nag(0.1)], ids=["sgd", "adam", "nag"])
def test_an_inner_state_made_anew_lies_where_it_did(inner):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Explicit,))
    tx = slow_weights(inner, nag(0.5), period=2, reset_inner=True)
    with jax.set_mesh(mesh) if hasattr(jax, "set_mesh") else jax.sharding.use_mesh(mesh):
        params = jax.device_put(jnp.ones((2, 8, 64)), NamedSharding(mesh, PartitionSpec(None, "data")))
        state = tx.init(params)
        _, state = tx.update(params, state, params)  # eagerly: a branch closes over params that are no tracers
        updates, _ = tx.update(params, state, params)
    assert updates.sharding.is_equivalent_to(params.sharding, 3)
