"""Weight decay beside any method: equal to Optax's, evaluated once, and the same for methods that know it."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no
from nag_optax.links import proximally_decayed

PARAMS = {"w": jnp.asarray([1.0, -2.0, 3.0]), "b": jnp.asarray(0.5)}
RATE = optax.piecewise_constant_schedule(0.1, {2: 0.5, 4: 0.1})
MASK = {"w": True, "b": False}


def train(tx, steps=6):
    params, state = PARAMS, tx.init(PARAMS)
    update = jax.jit(tx.update)
    for _ in range(steps):
        updates, state = update(jax.tree.map(jnp.sin, params), state, params)
        params = optax.apply_updates(params, updates)
    return params, state


@pytest.mark.parametrize("mask", [None, MASK, lambda params: MASK], ids=["all", "mask", "function"])
@pytest.mark.parametrize("rate", [0.1, RATE], ids=["constant", "schedule"])
@pytest.mark.parametrize("decay", [0.2, optax.linear_schedule(0.3, 0.0, 5)], ids=["constant", "schedule"])
def test_it_is_that_of_optax_in_front_of_the_learning_rate(mask, rate, decay):
    ours = no.decayed(optax.sgd(rate), rate, decay, mask)
    scheduled = optax.add_decayed_weights if isinstance(decay, float) else scheduled_decay
    theirs = optax.chain(scheduled(decay, mask), optax.scale_by_learning_rate(rate))
    chex.assert_trees_all_close(train(ours)[0], train(theirs)[0], rtol=1e-6)


def scheduled_decay(decay, mask):
    """Optax's own takes no schedule; this is its sum, by hand."""

    def update(updates, count, params=None):
        updates = jax.tree.map(lambda u, p: u + decay(count) * p, updates, params)
        return updates, count + 1

    link = optax.GradientTransformation(lambda params: jnp.zeros((), jnp.int32), update)
    return link if mask is None else optax.masked(link, mask)


METHODS = {
    "nag": (no.nag, no.decayed),
    "nadam": (no.nadam, no.decayed),
    "adan": (no.adan, proximally_decayed),
}


@pytest.mark.parametrize("name", METHODS)
def test_the_argument_of_a_method_is_the_link(name):
    make, link = METHODS[name]
    argument = train(make(RATE, weight_decay=0.2, mask=MASK))
    wrapped = train(link(make(RATE), RATE, 0.2, MASK))
    chex.assert_trees_all_close(argument[0], wrapped[0], rtol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_one_state_whatever_its_decay(name):
    make, _ = METHODS[name]
    plain = jax.tree.structure(make(0.1).init(PARAMS))
    for decay in (0.0, 0.1, RATE, jnp.asarray(0.1)):
        for mask in (None, MASK) if decay != 0.0 else (None,):
            assert jax.tree.structure(make(0.1, weight_decay=decay, mask=mask).init(PARAMS)) == plain
    injected = optax.inject_hyperparams(make)(0.1)
    assert jax.tree.structure(injected.init(PARAMS).inner_state) == plain
    injected.update(PARAMS, injected.init(PARAMS))  # which needs no params


@pytest.mark.parametrize("name", METHODS)
def test_a_schedule_is_evaluated_once_an_update(name):
    """One owner: with weight decay, the method and its decay get the same value."""
    calls = []

    def rate(count):
        calls.append(count)
        return 0.1

    tx = METHODS[name][0](rate, weight_decay=0.2)
    state = tx.init(PARAMS)
    calls.clear()
    jax.make_jaxpr(tx.update)(PARAMS, state, PARAMS)
    assert len(calls) == 1


def test_a_function_of_the_learning_rate_serves_as_well():
    make = functools.partial(no.nag, momentum=0.8)
    chex.assert_trees_all_close(
        train(no.decayed(make, RATE, 0.2))[0], train(no.nag(RATE, 0.8, weight_decay=0.2))[0], rtol=1e-6
    )


@pytest.mark.parametrize("tx", [no.ogm(0.1), no.fista(0.1, no.prox.none()), no.snoo(optax.adam(0.1))])
def test_any_method_decays(tx):
    plain, _ = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
    decayed = no.decayed(tx, 0.1, 0.5)
    updates, state = decayed.update(PARAMS, decayed.init(PARAMS), PARAMS)
    chex.assert_trees_all_close(updates, jax.tree.map(lambda u, p: u - 0.05 * p, plain, PARAMS), rtol=1e-6)
    no.eval_params(state, PARAMS)


def test_a_static_zero_is_the_method_itself():
    tx = no.nag(0.1)
    assert jax.tree.structure(no.decayed(tx, 0.1, 0.0).init(PARAMS)) == jax.tree.structure(tx.init(PARAMS))


def test_extra_arguments_reach_the_method():
    tx = no.decayed(no.nag(0.1, restart="value"), 0.1, 0.1)
    with pytest.raises(ValueError, match="value"):
        tx.update(PARAMS, tx.init(PARAMS), PARAMS)
    tx.update(PARAMS, tx.init(PARAMS), PARAMS, value=1.0)


def test_it_may_be_traced_and_keeps_low_precision():
    params = jnp.ones(3, jnp.bfloat16)

    def first(decay):
        tx = no.decayed(optax.sgd(0.5), 0.5, decay)
        return tx.update(0 * params, tx.init(params), params)[0]

    updates = jax.vmap(first)(jnp.asarray([0.5, 1.0]))
    assert updates.dtype == jnp.bfloat16
    np.testing.assert_array_equal(updates.astype(float)[:, 0], [-0.25, -0.5])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: no.decayed(no.nag(0.1), -0.1, 0.1), ValueError, "learning_rate must be finite, at least 0"),
        (lambda: no.decayed(no.nag(0.1), 0.1, -0.1), ValueError, "weight_decay must be finite, at least 0"),
        (lambda: no.decayed(no.nag(0.1), 0.1, "0.1"), TypeError, "weight_decay must be a number or a schedule"),
        (lambda: no.decayed(0.1, 0.1, 0.1), TypeError, "tx must be a gradient transformation of Optax, got float"),
        (lambda: no.decayed(lambda rate: rate, 0.1, 0.1), TypeError, "tx must be a gradient transformation"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_weight_decay_needs_params():
    for tx in (no.adan(0.1, weight_decay=0.1), no.nadam(0.1, weight_decay=0.1)):
        with pytest.raises(ValueError, match="weight_decay needs params"):
            tx.update(jnp.ones(1), tx.init(jnp.ones(1)))


def test_adan_divides_and_nadam_subtracts_the_decay_where_the_mask_says_so():
    params, zeros = {"w": jnp.ones(2), "b": jnp.ones(2)}, {"w": jnp.zeros(2), "b": jnp.zeros(2)}
    for make, shrunk in ((no.adan, 1 / 1.05), (no.nadam, 0.95)):
        tx = make(0.1, weight_decay=0.5, mask={"w": True, "b": False})
        updates, _ = tx.update(zeros, tx.init(params), params)
        np.testing.assert_allclose(optax.apply_updates(params, updates)["w"], shrunk, rtol=1e-6)
        np.testing.assert_array_equal(updates["b"], 0)


@pytest.mark.parametrize("factory", [no.nag, no.nadam, no.adan])
def test_a_mask_that_inject_hyperparams_calls_with_a_step_is_refused(factory):
    def mask(params):
        return jax.tree.map(lambda p: jnp.ndim(p) > 1, params)

    params = {"w": jnp.ones((2, 2)), "b": jnp.ones(2)}
    injected = optax.inject_hyperparams(factory)(0.1, weight_decay=0.5, mask=mask)
    with pytest.raises(TypeError, match=r"mask must be a pytree.*static_args=\('mask',\)"):
        injected.init(params)
    static = optax.inject_hyperparams(factory, static_args="mask")(0.1, weight_decay=0.5, mask=mask)
    updates, _ = static.update(jax.tree.map(jnp.zeros_like, params), static.init(params), params)
    assert not updates["b"].any() and updates["w"].all()


PARTLY = {"d": {"kernel": jnp.ones((4, 6)), "bias": None}, "e": {"kernel": jnp.ones((4, 6)), "bias": jnp.ones(3)}}


@pytest.mark.parametrize(
    "mask",
    [
        None,
        {"d": {"kernel": True, "bias": None}, "e": {"kernel": False, "bias": False}},
        lambda params: jax.tree.map(lambda p: p.ndim > 1, params),
        {"d": True, "e": False},
        lambda params: True,
    ],
)
def test_a_mask_may_have_gaps_where_params_have_and_be_a_prefix(mask):
    for tx in (
        no.nag(0.1, weight_decay=0.1, mask=mask),
        no.muon(0.1, weight_decay=0.1, mask=mask),
        no.muon(0.1, weight_decay=0.1, mask=mask, fallback=no.nag(0.1)),
    ):
        updates, _ = tx.update(PARTLY, tx.init(PARTLY), PARTLY)
        assert updates["d"]["bias"] is None
        decayed, plain = abs(updates["d"]["kernel"][0, 0]), abs(updates["e"]["kernel"][0, 0])
        assert decayed > plain if isinstance(mask, dict) else decayed == plain


@pytest.mark.parametrize("params", [PARTLY["e"], {**PARTLY["e"], "other": None}])
def test_a_mask_has_no_gap_where_params_have_none(params):
    mask = {name: None if name == "bias" or p is None else True for name, p in params.items()}
    for given in (mask, lambda params: mask):
        with pytest.raises(TypeError, match="mask must be a pytree of booleans"):
            no.nag(0.1, weight_decay=0.1, mask=given).init(params)
