"""What stands behind an accelerated method in a chain: the point is right, or it is refused in words."""

import chex
import jax
import jax.numpy as jnp
import optax
import optax.contrib
import pytest

import nag_optax as no
from nag_optax import eval_params

PARAMS = {"w": jnp.linspace(-1.0, 1.0, 6).reshape(2, 3), "b": jnp.asarray(0.7)}
FREEZE_B = {"w": False, "b": True}

METHODS = {
    "nag": lambda: no.nag(0.1, 0.9),
    "nag, velocity=step": lambda: no.nag(0.1, 0.9, velocity="step"),
    "nag, weight decay": lambda: no.nag(0.1, weight_decay=0.01),
    "ogm": lambda: no.ogm(0.1),
    "agg_mo": lambda: no.agg_mo(0.1),
    "fista": lambda: no.fista(0.1, no.prox.none()),
    "optista": lambda: no.optista(10.0, 9, no.prox.none()),
    "pogm": lambda: no.pogm(0.1, no.prox.none()),
    "nadam": lambda: no.nadam(0.1),
    "snoo": lambda: no.snoo(optax.sgd(0.1), period=2),
    "gpa": lambda: no.gpa(optax.sgd(0.1)),
}
UNKNOWN = {
    "scale": lambda: optax.scale(0.1),
    "scale_by_schedule": lambda: optax.scale_by_schedule(lambda k: 0.1),
    "injected scale": lambda: optax.inject_hyperparams(optax.scale)(0.1),
    "clip": lambda: optax.clip(0.01),
    "clip_by_global_norm": lambda: optax.clip_by_global_norm(0.01),
    "adaptive_grad_clip": lambda: optax.adaptive_grad_clip(0.01),
    "sign": optax.scale_by_sign,
    "keep_params_nonnegative": optax.keep_params_nonnegative,
    "add_decayed_weights": lambda: optax.add_decayed_weights(0.1),
    "add_noise": lambda: optax.add_noise(0.1, 0.5, 0),
    "freeze": lambda: optax.masked(optax.set_to_zero(), FREEZE_B),
    "set_to_zero": optax.set_to_zero,
    "trace": lambda: optax.trace(0.9),
    "adam": lambda: optax.scale_by_adam(),
    "zero_nans": optax.zero_nans,
    "centralize": optax.centralize,
    "a chain": lambda: optax.chain(optax.scale(2.0), optax.clip(1.0)),
    "conditionally": lambda: optax.conditionally_transform(optax.scale(0.1), lambda step: True),
}
LOOKING_ON = {
    "compensated": no.compensated,
    "stochastic_rounding": lambda: no.stochastic_rounding(0),
    "snapshot": lambda: optax.snapshot("updates", lambda updates: updates),
    "monitor": lambda: optax.monitor({"norm": optax.tree.norm}),
}


def train(tx, params=PARAMS, steps=4, **known):
    tx = optax.with_extra_args_support(tx)
    state = tx.init(params)
    for _ in range(steps):
        updates, state = tx.update(params, state, params, value=1.0)
        params = optax.apply_updates(params, updates)
    return state, params


@pytest.mark.parametrize("link", UNKNOWN)
@pytest.mark.parametrize("method", METHODS)
def test_an_unknown_later_link_is_refused_and_an_earlier_one_is_not(method, link):
    state, params = train(optax.chain(METHODS[method](), UNKNOWN[link]()), steps=1)
    for read in (eval_params, jax.jit(eval_params)):
        with pytest.raises(ValueError, match=r"later link of the chain .* later_links='harmless'"):
            read(state, params)
    eval_params(state, params, later_links="harmless")
    nested = optax.chain(optax.chain(optax.clip(9.0), METHODS[method]()), optax.masked(UNKNOWN[link](), True))
    with pytest.raises(ValueError, match="later link of the chain"):
        eval_params(*train(nested, steps=1))
    eval_params(*train(optax.chain(UNKNOWN[link](), METHODS[method]()), steps=1))


@pytest.mark.parametrize("link", LOOKING_ON)
@pytest.mark.parametrize("method", METHODS)
def test_a_link_that_looks_on_passes_unasked(method, link):
    alone, params = train(METHODS[method]())
    state, same = train(optax.chain(METHODS[method](), LOOKING_ON[link]()))
    chex.assert_trees_all_close(same, params, rtol=1e-6)
    chex.assert_trees_all_close(eval_params(state, same), eval_params(alone, params), rtol=1e-6)


def test_a_recorded_scale_is_applied():
    plateau = optax.contrib.reduce_on_plateau(factor=0.5, patience=1)
    state, params = train(optax.chain(no.nag(0.1, 0.9), plateau), steps=6)
    scale = float(state[1].scale)
    assert 0 < scale < 1
    updates, after = optax.chain(no.nag(0.1, 0.9), plateau).update(PARAMS, state, params, value=1.0)
    scale = float(after[1].scale)
    moved = optax.apply_updates(params, updates)
    momentum = after[0].momentum
    expected = jax.tree.map(lambda p, m: p + scale * 0.1 * 0.9 * m, moved, momentum)
    chex.assert_trees_all_close(eval_params(after, moved), expected, rtol=1e-6)


def test_a_frozen_leaf_is_returned_as_it_is_where_the_mask_is_visible():
    for tx in (
        optax.partition({"train": no.nag(0.1), "freeze": optax.set_to_zero()}, {"w": "train", "b": "freeze"}),
        optax.masked(no.nag(0.1), {"w": True, "b": False}),
    ):
        state, params = train(tx)
        assert eval_params(state, params)["b"] == params["b"]


# A direction without a learning rate.


def test_the_learning_rate_that_is_told_is_one_later_link():
    told = {"learning_rate": 0.1}
    whole, params = train(no.nag(0.1))
    for rate in (optax.scale_by_learning_rate(0.1), optax.scale_by_learning_rate(lambda k: 0.1)):
        state, same = train(optax.chain(no.scale_by_nag(), rate))
        chex.assert_trees_all_close(eval_params(state, same, **told), eval_params(whole, params), rtol=1e-6)
    for between in (optax.scale_by_sign(), optax.add_decayed_weights(0.1)):
        state, same = train(optax.chain(no.scale_by_nag(), between, optax.scale_by_learning_rate(0.1)))
        with pytest.raises(ValueError, match="later link"):
            eval_params(state, same, **told)
        eval_params(state, same, **told, later_links="harmless")
    state, same = train(optax.chain(optax.chain(no.scale_by_nag(), optax.scale_by_sign()), optax.scale(-0.1)))
    with pytest.raises(ValueError, match="later link"):
        eval_params(state, same, **told)


# Stacks, flat vectors, and wrappers that move params by themselves.


@pytest.mark.parametrize("method", [*METHODS, "scale_by_nag"])
def test_a_stack_of_states_is_refused_or_right(method):
    tx = no.scale_by_nag() if method == "scale_by_nag" else METHODS[method]()
    known = {"learning_rate": 0.1} if method == "scale_by_nag" else {}
    stacked = jax.tree.map(lambda p: jnp.stack([p, 2 * p, 3 * p]), PARAMS)
    state = jax.vmap(tx.init)(stacked)
    updates, state = jax.vmap(tx.update)(stacked, state, stacked)
    moved = optax.apply_updates(stacked, updates)
    right = jax.vmap(lambda state, params: eval_params(state, params, **known))(state, moved)
    try:
        got = eval_params(state, moved, **known)
    except ValueError as error:
        assert "jax.vmap(eval_params)" in str(error)
    else:
        chex.assert_trees_all_close(got, right, rtol=1e-6)


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ("agg_mo", "snoo")])
def test_a_flat_vector_of_params_is_read(method):
    state, params = train(optax.flatten(METHODS[method]()))
    alone, same = train(METHODS[method]())
    chex.assert_trees_all_close(params, same, rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(eval_params(state, params), eval_params(alone, same), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "wrapper",
    [
        lambda tx: optax.contrib.schedule_free(tx, 0.1),
        lambda tx: optax.contrib.mechanize(tx),
        lambda tx: optax.conditionally_transform(tx, lambda step: step < 3),  # and raw gradients from then on
    ],
    ids=["schedule_free", "mechanize", "conditionally_transform"],
)
def test_a_wrapper_that_moves_params_by_itself_is_refused(wrapper):
    state, params = train(wrapper(no.nag(0.1)))
    with pytest.raises(ValueError, match=r"inside of .*State is not known"):
        eval_params(state, params)


def test_later_links_is_checked():
    state, params = train(no.nag(0.1))
    with pytest.raises(ValueError, match="later_links must be one of 'harmless', got 'yes'"):
        eval_params(state, params, later_links="yes")


# The velocity.


@pytest.mark.parametrize("dtype", [None, jnp.bfloat16, jnp.int8, jnp.float8_e5m2])
def test_the_velocity_is_that_of_the_buffer_whatever_keeps_it(dtype):
    params = {"w": jnp.ones((4, 300)), "b": jnp.asarray(2.0)}
    tx = optax.chain(optax.clip(10.0), no.nag(0.1, 0.5, accumulator_dtype=dtype))
    state = tx.init(params)
    for _ in range(2):
        _, state = tx.update(params, state, params)
    found = no.velocity(state, params)
    chex.assert_trees_all_close(found, jax.tree.map(lambda p: 1.5 * p, params), rtol=0.02)


def test_the_velocity_of_what_has_none_is_zero_and_several_add_up():
    tx = optax.partition({"a": no.agg_mo(0.1, (0.0, 0.5)), "b": optax.adam(0.1)}, {"w": "a", "b": "b"})
    state, params = train(tx, steps=1)
    found = no.velocity(state, params)
    chex.assert_trees_all_close(found, {"w": 2 * PARAMS["w"], "b": jnp.zeros(())}, rtol=1e-6)
