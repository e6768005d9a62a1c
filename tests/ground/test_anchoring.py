"""States follow changed params and options, and trainings change the library, to the same next update."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no
from nag_optax import from_optax, momenta, reanchor

PARAMS = {"w": jnp.linspace(-1.0, 1.0, 600).reshape(2, 300), "b": jnp.asarray(0.7)}


def train(tx, params=PARAMS, steps=3, state=None):
    tx = optax.with_extra_args_support(tx)
    state = tx.init(params) if state is None else state
    for _ in range(steps):
        updates, state = tx.update(jax.tree.map(jnp.sin, params), state, params, value=1.0)
        params = optax.apply_updates(params, updates)
    return params, state


WRAPPERS = {
    "alone": lambda tx: tx,
    "chain": lambda tx: optax.chain(optax.clip(9.0), tx),
    "masked": lambda tx: optax.masked(tx, lambda params: jax.tree.map(lambda p: True, params)),
    "MultiSteps": lambda tx: optax.MultiSteps(tx, 1).gradient_transformation(),
    "apply_if_finite": lambda tx: optax.apply_if_finite(tx, 3),
    "inject": lambda tx: optax.chain(optax.inject_hyperparams(optax.clip)(9.0), tx),
}
METHODS = {
    "nag": lambda: no.nag(0.1),
    "nag, int8": lambda: no.nag(0.1, accumulator_dtype=jnp.int8),
    "nag, sequence": lambda: no.nag(0.1, momenta.nesterov()),
    "nadam": lambda: no.nadam(0.1),
    "adan": lambda: no.adan(0.1),
    "agg_mo": lambda: no.agg_mo(0.1),
    "gpa": lambda: no.gpa(optax.adamw(0.1, b1=0.0)),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_lost_where_nothing_has_changed(method, wrapper):
    tx = WRAPPERS[wrapper](METHODS[method]())
    params, state = train(tx)
    again = reanchor(tx, state, params)
    assert jax.tree.structure(again) == jax.tree.structure(state)
    chex.assert_trees_all_close(
        again, state, rtol=1e-2 if "int8" in method else 1e-6, atol=1 if "int8" in method else 0
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_grown_leaf_a_new_one_and_a_lost_one(method):
    tx = METHODS[method]()
    params, state = train(tx)
    changed = {"w": params["w"], "b": jnp.ones(4), "c": jnp.ones(2)}
    found = reanchor(tx, state, changed)
    chex.assert_trees_all_equal_shapes_and_dtypes(found, tx.init(changed))
    before, after = no.velocity(state, params), no.velocity(found, changed)
    np.testing.assert_allclose(after["w"], before["w"], atol=0.02)
    assert not after["b"].any() and not after["c"].any()
    train(tx, changed, state=found)
    without = {"w": params["w"]}
    found = reanchor(tx, state, without)
    np.testing.assert_allclose(no.velocity(found, without)["w"], before["w"], atol=0.02)


@pytest.mark.parametrize("make", [lambda inner: no.lookahead(inner, 2), lambda inner: no.snoo(inner, period=2)])
def test_pretrained_weights_after_init_stay(make):
    tx = make(optax.sgd(0.0))
    pretrained = jax.tree.map(lambda p: p + 10, PARAMS)
    state = reanchor(tx, tx.init(PARAMS), pretrained)
    chex.assert_trees_all_close(train(tx, pretrained, 5, state)[0], pretrained)


STORING_POINTS = [
    no.fista(0.1, no.prox.none()),
    no.pogm(0.1, no.prox.none()),
    no.optista(10.0, 8, no.prox.none()),
    no.schedule_free(optax.sgd(0.1), 0.1),
]


@pytest.mark.parametrize("tx", [*STORING_POINTS, no.nag(0.1)])
def test_params_that_moved_are_where_the_method_goes_on(tx):
    params, state = train(tx)
    moved = jax.tree.map(lambda p: p + 100, params)
    state = reanchor(tx, state, moved)
    base = no.eval_params(state, moved)
    assert min(float(x.min()) for x in jax.tree.leaves(base)) > 90
    assert min(float(x.min()) for x in jax.tree.leaves(train(tx, moved, 5, state)[0])) > 90


OPTIONS = {
    "accumulator_dtype": {"accumulator_dtype": jnp.int8},
    "bfloat16": {"accumulator_dtype": jnp.bfloat16},
    "weight_decay": {"weight_decay": 0.1},
    "restart": {"restart": "value"},
    "sequence": {"momentum": momenta.nesterov()},
    "learning_rate": {"learning_rate": lambda k: 0.05},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_a_run_goes_on_with_another_option(option):
    params, state = train(no.nag(0.1))
    tx = no.nag(**{"learning_rate": 0.1, **OPTIONS[option]})
    found = reanchor(tx, state, params)
    chex.assert_trees_all_equal_shapes_and_dtypes(found, tx.init(params))
    chex.assert_trees_all_close(no.velocity(found, params), no.velocity(state, params), rtol=2e-2, atol=2e-2)
    assert int(found.step) == int(state.step) == 3
    _, after = train(tx, params, 1, found)
    assert option == "sequence" or int(after.age) == 4  # no restart of a test that has seen one value


def test_layers_that_are_frozen_and_thawed_keep_the_others_velocity():
    free = no.nag(0.1)
    frozen = optax.partition({"t": no.nag(0.1), "f": optax.set_to_zero()}, {"w": "t", "b": "f"})
    params, state = train(free)
    found = reanchor(frozen, state, params)
    np.testing.assert_allclose(no.velocity(found, params)["w"], no.velocity(state, params)["w"])
    thawed = reanchor(free, found, params)
    np.testing.assert_allclose(thawed.momentum["w"], state.momentum["w"])
    assert thawed.momentum["b"] == 0


def test_a_velocity_without_a_place_is_refused():
    params, state = train(no.nag(0.1))
    with pytest.raises(ValueError, match="AccelerateState, for which the transformation has no place"):
        reanchor(optax.adam(0.1), state, params)


# From Optax and back.

RATE = optax.piecewise_constant_schedule(0.1, {2: 0.5})
NESTEROV = optax.sgd(0.1, 0.9, nesterov=True)
PAIRS = {
    "sgd": (optax.sgd(0.1, 0.9, nesterov=True), no.nag(0.1, 0.9)),
    "sgd, scheduled": (optax.sgd(RATE, 0.9, nesterov=True), no.nag(RATE, 0.9)),
    "sgd, classical": (optax.sgd(0.1, 0.9), no.nag(0.1, 0.9, lookahead=0.0)),
    "trace": (
        optax.chain(optax.trace(0.9, nesterov=True), optax.scale(-0.1)),
        optax.chain(no.scale_by_nag(0.9), optax.scale(-0.1)),
    ),
    "in a chain": (
        optax.chain(optax.clip(1.0), optax.sgd(0.1, 0.9, nesterov=True)),
        optax.chain(optax.clip(1.0), no.nag(0.1, 0.9)),
    ),
    "nadam": (optax.nadam(0.1, 0.8, 0.99), no.nadam(0.1, 0.8, 0.99, momentum_decay=1e6)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_training_changes_the_library_and_comes_back(name):
    theirs, ours = PAIRS[name]
    whole, _ = train(theirs, steps=9)
    params, state = train(theirs)
    params, state = train(ours, params, 3, from_optax(ours, state, params))
    params, state = train(theirs, params, 3, from_optax(theirs, state, params))
    chex.assert_trees_all_close(params, whole, rtol=1e-5, atol=1e-6)


def test_the_base_iterate_is_known_after_the_change():
    theirs, ours = PAIRS["sgd"]
    params, state = train(theirs)
    same, ours_all_along = train(ours)
    found = from_optax(ours, state, params)
    chex.assert_trees_all_close(no.eval_params(found, params), no.eval_params(ours_all_along, same), rtol=1e-5)


def test_the_steps_may_be_told():
    ours, params = no.nag(lambda k: 0.1 * (k == 7)), PARAMS
    _, state = train(optax.sgd(0.1, 0.9, nesterov=True), steps=7)
    updates, _ = ours.update(params, from_optax(ours, state, params, steps=7), params)
    assert all(u.any() for u in jax.tree.leaves(updates))


@pytest.mark.parametrize(
    ("tx", "state", "message"),
    [
        (no.nag(0.1), optax.sgd(0.1).init(PARAMS), "state must have the one velocity"),
        (optax.adagrad(0.1), no.nag(0.1).init(PARAMS), "tx must have the one velocity"),
        (no.nag(0.1), optax.nadam(0.1).init(PARAMS), "one has a mean of squares, the other has none"),
        (no.agg_mo(0.1), optax.sgd(0.1, 0.9).init(PARAMS), "got 3 such states"),
        (no.nag(0.1, velocity="step"), NESTEROV.init(PARAMS), "tx must keep a sum of gradients"),
        (no.heavy_ball(0.1, 0.9), NESTEROV.init(PARAMS), "tx must keep a sum of gradients"),
        (no.ogm(0.1), NESTEROV.init(PARAMS), "tx must keep a sum of gradients"),
        (NESTEROV, train(no.nag(0.1, velocity="step"))[1], "state must keep a sum of gradients"),
        (optax.MultiSteps(no.nag(0.1), 2), optax.MultiSteps(NESTEROV, 2).init(PARAMS), "take its inner_opt_state"),
    ],
)
def test_another_method_is_refused(tx, state, message):
    with pytest.raises(ValueError, match=message):
        from_optax(tx, state, PARAMS)


def test_a_sum_of_gradients_is_no_mean():
    total, mean, params = no.nag(1.0), no.nag(1.0, velocity="mean"), jnp.ones(3)
    for one, other in ((total, mean), (mean, total)):
        with pytest.raises(ValueError, match="must both have velocity='mean', or neither"):
            reanchor(one, other.init(params), params)
    with pytest.raises(ValueError, match="its velocity is a mean"):
        from_optax(optax.sgd(0.1, 0.9, nesterov=True), mean.init(params), params)
