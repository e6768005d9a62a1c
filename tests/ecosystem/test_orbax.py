"""Every kind of state through an Orbax checkpoint, and training that goes on to the same bits."""

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from tests.catalogue import CATALOGUE, KINDS

ocp = pytest.importorskip("orbax.checkpoint")


@pytest.mark.parametrize("name", KINDS)
def test_training_continues_from_a_checkpoint_to_the_same_bits(name, tmp_path):
    tx, start = CATALOGUE[name].make(), {"w": jnp.ones((4, 128)), "b": jnp.asarray(2.0)}

    @jax.jit
    def step(carry):
        params, state = carry
        value = optax.tree.norm(params)
        updates, state = tx.update(params, state, params, value=value, value_fn=optax.tree.norm)
        return optax.apply_updates(params, updates), state

    def advance(carry):
        for _ in range(3):
            carry = step(carry)
        return carry

    halfway = advance((start, tx.init(start)))
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "checkpoint", halfway)
        checkpointer.wait_until_finished()
        template = jax.tree.map(ocp.utils.to_shape_dtype_struct, (start, tx.init(start)))
        restored = checkpointer.restore(tmp_path / "checkpoint", template)
    assert jax.tree.structure(restored) == jax.tree.structure(halfway)
    chex.assert_trees_all_equal(advance(restored), advance(halfway))
