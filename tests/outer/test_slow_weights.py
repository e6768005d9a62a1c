"""Slow weights: replicas, messages of low precision, what fits around them, and bad input."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import diloco, eval_params, lookahead, nag, slow_weights, snoo
from nag_optax.outer.communication import mean_over
from trainer.parallel import replicas, traffic

PARAMS = {"w": jnp.ones((4, 128)), "b": jnp.full((3,), 0.5)}


def gradients(seed):
    keys = jax.tree.unflatten(jax.tree.structure(PARAMS), jax.random.split(jax.random.key(seed), 2))
    return jax.tree.map(lambda p, key: jax.random.normal(key, (8, *p.shape)), PARAMS, keys)


def stacked(tree):
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (8, *jnp.shape(x))), tree)


def on_virtual_devices(tx):
    """The update on eight devices, by shard_map, of arrays that are stacked over the replicas."""
    mesh = replicas.make_mesh()

    def update(gradient, state, params):
        updates, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    return jax.jit(replicas.on_each(update, mesh)), *replicas.copied((PARAMS, tx.init(PARAMS)), mesh)


@pytest.mark.parametrize("dtype", [None, jnp.bfloat16, jnp.int8], ids=["float32", "bfloat16", "int8"])
def test_virtual_devices_agree_with_vmap_and_replicas_with_one_another(dtype):
    tx = diloco(optax.adamw(0.1), axis_name="replica", period=3, communication_dtype=dtype)
    update, params, state = on_virtual_devices(tx)
    mapped = jax.jit(jax.vmap(tx.update, axis_name="replica"))
    twin, twin_state = stacked(PARAMS), jax.vmap(tx.init)(stacked(PARAMS))
    for k in range(7):
        params, state = update(gradients(k), state, params)
        updates, twin_state = mapped(gradients(k), twin_state, twin)
        twin = optax.apply_updates(twin, updates)
        chex.assert_trees_all_close(params, twin, rtol=1e-5, atol=1e-5 if dtype is None else 1e-2)
        slow = optax.tree.get(state, "slow")
        chex.assert_trees_all_equal(slow, stacked(jax.tree.map(lambda x: x[0], slow)))
        if k % 3 == 2:
            chex.assert_trees_all_close(params, slow, rtol=1e-6)


def test_only_a_synchronisation_communicates():
    tx = diloco(optax.adamw(0.1), axis_name="replica", period=3)
    update, params, state = on_virtual_devices(tx)
    every_step, every_period = traffic.all_reduced_bytes(update.lower(gradients(0), state, params).compile())
    assert every_step == 0
    assert every_period == 4 * (4 * 128 + 3)


def test_int8_messages_are_a_quarter_and_a_scale_for_each_row():
    tx = diloco(optax.sgd(0.1), axis_name="replica", period=3, communication_dtype=jnp.int8)
    update, params, state = on_virtual_devices(tx)
    _, every_period = traffic.all_reduced_bytes(update.lower(gradients(0), state, params).compile())
    assert every_period == (4 * 128 + 3) + 4 * (4 + 1)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.int8])
def test_what_a_message_leaves_out_is_sent_later(dtype):
    """Means of messages and the last residual add up to the means of what was to be sent."""
    message = mean_over("replica", dtype)
    mean = jax.jit(jax.vmap(message.mean, axis_name="replica"))
    residual = jax.vmap(message.init)(stacked(PARAMS))
    total = jax.tree.map(jnp.zeros_like, PARAMS)
    exact = total
    for k in range(10):
        tree = jax.tree.map(lambda g: g * jnp.geomspace(1e-3, 1, g.shape[-1]), gradients(k))
        means, residual = mean(tree, residual)
        total = jax.tree.map(lambda t, m: t + m[0], total, means)
        exact = jax.tree.map(lambda t, g: t + g.mean(0), exact, tree)
    left = jax.tree.map(lambda r: r.mean(0), residual)
    tolerance = 1e-5 if dtype == jnp.int8 else 0.1  # the sum itself is taken in bfloat16
    chex.assert_trees_all_close(jax.tree.map(jnp.add, total, left), exact, rtol=tolerance, atol=tolerance)
    assert max(jnp.abs(x).max() for x in jax.tree.leaves(left)) > 1e-4  # or nothing was tested


def test_zeros_and_empty_leaves_are_sent_as_int8():
    message = mean_over("replica", jnp.int8)
    tree = {"zero": jnp.zeros((2, 5)), "empty": jnp.zeros((2, 0, 3)), "scalar": jnp.ones(2)}
    means, _ = jax.vmap(message.mean, axis_name="replica")(tree, jax.vmap(message.init)(tree))
    chex.assert_trees_all_close(means, tree)


def test_the_inner_state_is_kept_or_reset():
    for reset in (False, True):
        tx = slow_weights(optax.sgd(0.1, momentum=0.9), optax.sgd(1.0), 2, reset_inner=reset)
        params, state = PARAMS, tx.init(PARAMS)
        for _ in range(2):
            _, state = tx.update(PARAMS, state, params)
        assert bool(jnp.all(state.inner[0].trace["w"] == 0)) is reset


def test_an_inner_state_made_anew_begins_at_the_slow_weights():
    """An inner state that keeps params, as that of a method with averages, must not keep those before the step back."""
    keeps_params = optax.GradientTransformation(lambda params: params, lambda u, state, params=None: (u, state))
    tx = slow_weights(keeps_params, optax.sgd(0.5), 1, reset_inner=True)
    updates, state = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
    chex.assert_trees_all_close(state.inner, state.slow)
    chex.assert_trees_all_close(state.inner, optax.apply_updates(PARAMS, updates))


@pytest.mark.parametrize(
    ("tx", "ahead"), [(lookahead(nag(0.1), 2), 0.0), (snoo(nag(0.1), 0.8, 0.75, period=2), 0.8 * 0.75)]
)
def test_eval_params_is_the_outer_base_iterate_or_the_slow_weights(tx, ahead):
    params, state = PARAMS, tx.init(PARAMS)
    for _ in range(3):
        updates, state = tx.update(PARAMS, state, params)
        params = optax.apply_updates(params, updates)
    outer = optax.tree.get(state.outer, "momentum", jax.tree.map(jnp.zeros_like, PARAMS))
    expected = jax.tree.map(lambda s, m: s + ahead * m, state.slow, outer)
    chex.assert_trees_all_close(eval_params(optax.chain(tx).init(PARAMS), PARAMS), PARAMS)
    chex.assert_trees_all_close(eval_params((state,), params), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="output must be"):
        eval_params(state, params, output="z")
    with pytest.raises(ValueError, match="learning_rate is for"):
        eval_params(state, params, learning_rate=0.1)


def test_the_inner_optimizer_gets_extra_arguments_and_the_outer_one_none():
    inner = nag(0.1, restart="value")
    tx = slow_weights(inner, nag(0.7), 2)
    with pytest.raises(ValueError, match="value"):
        tx.update(PARAMS, tx.init(PARAMS), PARAMS)
    tx.update(PARAMS, tx.init(PARAMS), PARAMS, value=1.0, an_unknown_argument=None)


def test_periods_may_be_traced_and_swept():
    def after_six(period):
        tx = lookahead(optax.sgd(0.1), period)
        params, state = jnp.zeros(()), tx.init(jnp.zeros(()))
        for _ in range(6):
            updates, state = tx.update(-jnp.ones(()), state, params)
            params = optax.apply_updates(params, updates)
        return params

    np.testing.assert_allclose(after_six(4), 0.4, rtol=1e-6)  # half of four steps, and two more
    np.testing.assert_allclose(jax.vmap(after_six)(jnp.arange(1, 5)), [0.3, 0.3, 0.3, 0.4], rtol=1e-6)


def test_an_outer_method_may_widen_what_params_then_round():
    params = jnp.ones(3, jnp.bfloat16)
    injected = optax.inject_hyperparams(lookahead, hyperparam_dtype=jnp.float32)(optax.sgd(0.1), 1, 0.5)
    for tx in (injected, slow_weights(optax.sgd(0.1), optax.sgd(jnp.float32(0.5)), 1)):
        updates, _ = tx.update(params, tx.init(params), params)
        assert updates.dtype == jnp.bfloat16 and jnp.allclose(updates, -0.05, rtol=0.02)


def test_a_nan_reaches_the_slow_weights_unhidden():
    tx = lookahead(optax.sgd(0.1), 1)
    bad = jax.tree.map(lambda p: p * np.nan, PARAMS)
    updates, state = tx.update(bad, tx.init(PARAMS), PARAMS)
    assert not any(jnp.isfinite(u).any() for u in jax.tree.leaves((updates, state.slow)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [None, jnp.bfloat16, jnp.int8], ids=["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("devices", [False, True], ids=["vmap", "shard_map"])
def test_what_is_not_finite_on_one_replica_reaches_them_all_and_stays(devices, dtype, bad):
    tx = diloco(optax.sgd(0.01), 1.0, 0.0, axis_name="replica", period=1, communication_dtype=dtype)
    if devices:
        update, params, state = on_virtual_devices(tx)
    else:
        params, state = stacked(PARAMS), jax.vmap(tx.init)(stacked(PARAMS))
        mapped = jax.jit(jax.vmap(tx.update, axis_name="replica"))

        def update(gradient, state, params):
            updates, state = mapped(gradient, state, params)
            return optax.apply_updates(params, updates), state

    poisoned = gradients(1)
    poisoned["w"] = poisoned["w"].at[2, 3, 5].set(bad)
    for step in range(3):
        params, state = update(poisoned if step == 1 else gradients(step), state, params)
        assert bool(jnp.isfinite(params["w"][:, 3, 5]).all()) == (step == 0)
        assert jnp.isfinite(params["w"][:, 2]).all() and jnp.isfinite(params["b"]).all()
    assert not jnp.isfinite(params["w"][:, 3, 5]).any()


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.int8])
def test_what_was_not_finite_does_not_come_back_as_left_out(dtype):
    message = mean_over("replica", dtype)
    send = jax.vmap(message.mean, axis_name="replica")
    mean, residual = send(jnp.full((4, 64), 1.0).at[1, 7].set(np.nan), jnp.zeros((4, 64)))
    assert not jnp.isfinite(mean[:, 7]).any()
    mean, _ = send(jnp.full((4, 64), 1.0), residual)
    np.testing.assert_allclose(mean, 1, rtol=0.1)


@pytest.mark.parametrize("size", [1e-44, 1e-39, 1e-37])
def test_what_is_almost_nothing_is_sent_or_kept(size):
    message = mean_over("replica", jnp.int8)
    given = jnp.full((4, 64), size).at[:, 0].set(0)
    mean, residual = jax.vmap(message.mean, axis_name="replica")(given, jnp.zeros((4, 64)))
    assert jnp.isfinite(mean).all() and (mean[:, 0] == 0).all() and (abs(residual) <= given).all()
