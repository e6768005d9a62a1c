"""nag as the optimizer of a Flax TrainState and of an nnx.Optimizer, and its state through flax.serialization."""

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from nag_optax import eval_params, momenta, nag
from tests.catalogue import CATALOGUE

pytest.importorskip("flax")
from flax import linen, nnx, serialization
from flax.training.train_state import TrainState

X = jax.random.normal(jax.random.key(0), (32, 3))
Y = jnp.sin(X.sum(axis=1, keepdims=True))


def linen_state(tx):
    model = linen.Dense(1)
    return TrainState.create(apply_fn=model.apply, params=model.init(jax.random.key(1), X)["params"], tx=tx)


def linen_loss(state, params):
    return jnp.mean((state.apply_fn({"params": params}, X) - Y) ** 2)


@jax.jit
def linen_step(state):
    return state.apply_gradients(grads=jax.grad(lambda p: linen_loss(state, p))(state.params))


@jax.jit
def linen_step_with_value(state):
    """What the documentation recommends where ``update`` needs an extra argument: apply_gradients forwards none."""
    value, grads = jax.value_and_grad(lambda p: linen_loss(state, p))(state.params)
    updates, opt_state = state.tx.update(grads, state.opt_state, state.params, value=value)
    return state.replace(step=state.step + 1, params=optax.apply_updates(state.params, updates), opt_state=opt_state)


def test_train_state_learns_and_its_base_iterate_is_found():
    state = linen_state(optax.chain(optax.clip_by_global_norm(1.0), nag(0.1)))
    before = linen_loss(state, state.params)
    for _ in range(100):
        state = linen_step(state)
    base = eval_params(state.opt_state, state.params)
    chex.assert_trees_all_equal_shapes_and_dtypes(base, state.params)
    assert linen_loss(state, base) < 0.7 * before
    assert any(jnp.any(a != b) for a, b in zip(jax.tree.leaves(base), jax.tree.leaves(state.params), strict=True))


def test_train_state_with_the_recipe_for_extra_arguments():
    state = linen_state(nag(0.1, momenta.nesterov(), restart="value"))
    with pytest.raises(ValueError, match="value="):
        state.apply_gradients(grads=state.params, value=1.0)
    before = linen_loss(state, state.params)
    for _ in range(100):
        state = linen_step_with_value(state)
    assert linen_loss(state, state.params) < 0.7 * before


def nnx_loss(model):
    return jnp.mean((model(X) - Y) ** 2)


@nnx.jit
def nnx_step(model, optimizer):
    value, grads = nnx.value_and_grad(nnx_loss)(model)
    optimizer.update(model, grads, value=value)
    return value


@pytest.mark.parametrize("restart", [None, "gradient", "value", "speed"])
def test_nnx_optimizer_learns_and_its_base_iterate_is_that_of_optax(restart):
    model = nnx.Linear(3, 1, rngs=nnx.Rngs(1))
    start = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    tx = optax.chain(optax.clip_by_global_norm(1.0), nag(0.1, momenta.nesterov(), restart=restart))
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)

    params, state = start, tx.init(start)
    for _ in range(20):
        nnx_step(model, optimizer)
        value, grads = jax.value_and_grad(lambda p: jnp.mean((X @ p["kernel"] + p["bias"] - Y) ** 2))(params)
        updates, state = tx.update(grads, state, params, value=value)
        params = optax.apply_updates(params, updates)

    base = eval_params(optimizer.opt_state, nnx.state(model, nnx.Param))
    chex.assert_trees_all_close(nnx.to_pure_dict(base), eval_params(state, params), rtol=1e-4, atol=1e-6)
    nnx.update(model, base)  # a state of the same structure
    before_model = nnx.Linear(3, 1, rngs=nnx.Rngs(1))
    assert nnx_loss(model) < 0.8 * nnx_loss(before_model)


def test_nnx_base_iterate_of_a_partition_and_of_scale_by_nag():
    from nag_optax import scale_by_nag

    def trained(tx):
        model = nnx.Linear(3, 1, rngs=nnx.Rngs(1))
        optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
        for _ in range(5):
            nnx_step(model, optimizer)
        return optimizer.opt_state, nnx.state(model, nnx.Param)

    def labels(params):
        return jax.tree.map_with_path(lambda path, _: "nag" if "kernel" in str(path) else "frozen", params)

    state, params = trained(optax.partition({"nag": nag(0.1), "frozen": optax.set_to_zero()}, labels))
    base = nnx.to_pure_dict(eval_params(state, params))
    assert jnp.all(base["bias"] == params["bias"][...]) and jnp.all(base["kernel"] != params["kernel"][...])

    state, params = trained(optax.chain(scale_by_nag(0.9), optax.scale(-0.1)))
    whole_state, whole_params = trained(nag(0.1))
    chex.assert_trees_all_close(
        eval_params(state, params, learning_rate=0.1), eval_params(whole_state, whole_params), rtol=1e-5
    )


@pytest.mark.parametrize("name", CATALOGUE)
def test_state_round_trips_through_flax_serialization(name):
    tx, params = CATALOGUE[name].make(), {"w": jnp.ones((2, 3)), "b": jnp.ones(())}
    state = tx.init(params)
    for _ in range(3):
        _, state = tx.update(params, state, params, value=1.0, value_fn=optax.tree.norm)
    restored = serialization.from_bytes(tx.init(params), serialization.to_bytes(state))
    chex.assert_trees_all_equal(restored, state)
    assert jax.tree.structure(restored) == jax.tree.structure(state)
