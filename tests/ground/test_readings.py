"""States of somebody else's library say how they are read, and are found wherever they stand; or they say no."""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from nag_optax import eval_params, nag, scale_by_nag, slow_weights
from nag_optax.extend import Follower, Question, Readable, ahead, joined, kept, scaled

PARAMS = {"w": jnp.asarray([1.0, 2.0]), "b": jnp.asarray(3.0)}


class Foreign(NamedTuple):
    """A velocity, of which 0.5 leads to the point to evaluate, or 2 to another one."""

    velocity: Any

    def readings(self, question: Question):
        return ahead(self.velocity, question.readout({"base": 0.5, "far": 2.0}))


class Average(NamedTuple):
    """A point of its own."""

    point: Any

    def readings(self, question: Question):
        question.readout({"base": 1.0})
        return kept(self.point)


class Unknown(NamedTuple):
    """A point that cannot be known."""

    age: Any

    def readings(self, question: Question):
        raise ValueError("the point is lost; use averaging() to keep it.")


def foreign(state=Foreign):
    """Gradient descent that keeps its last gradients."""

    def init(params):
        return state(jax.tree.map(jnp.copy, params))

    def update(updates, state, params=None):
        return jax.tree.map(lambda g: -0.1 * g, updates), type(state)(updates)

    return optax.GradientTransformation(init, update)


def trained(tx, steps=2):
    params, state = PARAMS, tx.init(PARAMS)
    for _ in range(steps):
        updates, state = tx.update(PARAMS, state, params)
        params = optax.apply_updates(params, updates)
    return state, params


WRAPPED = {
    "alone": lambda tx: tx,
    "chain": lambda tx: optax.chain(optax.clip(100.0), optax.chain(optax.identity(), tx)),
    "named_chain": lambda tx: optax.named_chain(("clip", optax.clip(100.0)), ("tx", tx)),
    "masked": lambda tx: optax.masked(tx, {"w": True, "b": True}),
    "partition": lambda tx: optax.partition({"a": tx, "b": tx}, {"w": "a", "b": "b"}),
    "MultiSteps": lambda tx: optax.MultiSteps(tx, 1).gradient_transformation(),
    "apply_if_finite": lambda tx: optax.apply_if_finite(tx, 3),
    "slow weights": lambda tx: slow_weights(optax.sgd(1.0), tx, period=1),
}


@pytest.mark.parametrize("read", [eval_params, jax.jit(eval_params)], ids=["eager", "jit"])
@pytest.mark.parametrize("wrapper", WRAPPED)
def test_a_foreign_state_is_found(wrapper, read):
    state, params = trained(WRAPPED[wrapper](foreign()))
    expected = jax.tree.map(lambda p, g: p + 0.5 * g, params, PARAMS)
    chex.assert_trees_all_close(read(state, params), expected, rtol=1e-6)


def test_a_foreign_state_has_outputs_and_errors_like_ours():
    state, params = trained(foreign())
    far = eval_params(state, params, output="far")
    chex.assert_trees_all_close(far, jax.tree.map(lambda p, g: p + 2 * g, params, PARAMS))
    with pytest.raises(ValueError, match="output must be one of 'base', 'far' for this method, got 'z'"):
        eval_params(state, params, output="z")
    with pytest.raises(ValueError, match="learning_rate is for states of scale_by_nag only"):
        eval_params(state, params, learning_rate=0.1)


def test_part_of_the_params_may_be_foreign():
    tx = optax.partition({"ours": nag(0.1), "theirs": foreign(Average)}, {"w": "ours", "b": "theirs"})
    state, params = trained(tx)
    base = eval_params(state, params)
    assert base["b"] == PARAMS["b"] != params["b"]
    alone, of_alone = trained(nag(0.1))
    chex.assert_trees_all_close(base["w"], eval_params(alone, of_alone)["w"])


def test_two_states_that_know_the_same_leaf_are_ambiguous():
    state, params = trained(optax.chain(foreign(), nag(0.1)))
    with pytest.raises(ValueError, match="two accelerated methods act on"):
        eval_params(state, params)


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_a_state_may_refuse_in_its_own_words(wrapper):
    state, params = trained(WRAPPED[wrapper](foreign(Unknown)))
    with pytest.raises(ValueError, match=r"the point is lost; use averaging\(\) to keep it"):
        eval_params(state, params)


class Doubling(NamedTuple):
    """Of a link that doubles updates, and knows what that means to the links before it."""

    def follow(self, readings):
        return scaled(readings, 2.0)


class Clipping(NamedTuple):
    """Of a link behind which nothing is known."""

    def follow(self, readings):
        raise ValueError("clipped updates lead nowhere: put the clipping in front.")


def link(state, function):
    """A link without memory, whose state speaks."""
    return optax.GradientTransformation(lambda params: state, lambda u, s, p=None: (jax.tree.map(function, u), s))


DOUBLED, CLIPPED = link(Doubling(), lambda u: 2 * u), link(Clipping(), lambda u: jnp.clip(u, -1, 1))


@pytest.mark.parametrize("method", [nag(0.1), foreign()], ids=["nag", "foreign"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_later_link_may_change_the_readings(method, nested):
    tx = optax.chain(optax.chain(method), DOUBLED) if nested else optax.chain(method, DOUBLED)
    state, params = trained(tx, steps=1)
    alone, start = method.init(PARAMS), PARAMS
    updates, alone = method.update(PARAMS, alone, start)
    moved = optax.apply_updates(start, updates)
    twice = jax.tree.map(lambda p, b, m: p + 2 * (b - m), params, eval_params(alone, moved), moved)
    chex.assert_trees_all_close(eval_params(state, params), twice, rtol=1e-6)


def test_nag_at_half_of_the_rate_before_a_link_that_doubles_is_nag():
    state, params = trained(optax.chain(nag(0.05), DOUBLED), steps=5)
    expected, same = trained(nag(0.1), steps=5)
    chex.assert_trees_all_close(params, same, rtol=1e-6)
    chex.assert_trees_all_close(eval_params(state, params), eval_params(expected, same), rtol=1e-6)


def test_a_later_link_may_refuse_and_an_earlier_one_may_not():
    state, params = trained(optax.chain(nag(0.1), optax.masked(CLIPPED, True)))
    with pytest.raises(ValueError, match="put the clipping in front"):
        eval_params(state, params)
    state, params = trained(optax.chain(CLIPPED, nag(0.1)))
    eval_params(state, params)
    state, params = trained(optax.partition({"a": nag(0.1), "b": CLIPPED}, {"w": "a", "b": "b"}))
    eval_params(state, params)


def test_a_change_of_some_leaves_only_is_refused():
    """A mask does not say which: the link might scale these leaves or others."""
    state, params = trained(optax.chain(nag(0.1), optax.masked(DOUBLED, {"w": True, "b": False})))
    with pytest.raises(ValueError, match="later link of the chain"):
        eval_params(state, params)


def test_the_links_of_a_named_chain_follow_one_another():
    expected, same = trained(nag(0.1), steps=5)
    state, params = trained(optax.named_chain(("z", nag(0.05)), ("a", DOUBLED)), steps=5)
    for read in (eval_params, jax.jit(eval_params)):
        chex.assert_trees_all_close(read(state, params), read(expected, same), rtol=1e-6)
    with pytest.raises(ValueError, match="put the clipping in front"):
        eval_params(*trained(optax.named_chain(("z", nag(0.1)), ("a", CLIPPED))))


@pytest.mark.parametrize("method", ["readings", "follow"])
def test_what_is_no_reading_is_named(method):
    wrong = type("Wrong", (), {method: lambda self, *_: None})
    jax.tree_util.register_static(wrong)
    state = (wrong(),) if method == "readings" else (nag(0.1).init(PARAMS), wrong())
    with pytest.raises(TypeError, match=f"{method} of Wrong must return readings, got NoneType"):
        eval_params(state, PARAMS)


def test_a_kept_point_is_not_scaled():
    state, params = trained(optax.chain(foreign(Average), DOUBLED))
    with pytest.raises(ValueError, match="keeps its point itself"):
        eval_params(state, params)


def test_the_protocols_are_what_states_have():
    assert isinstance(Foreign(()), Readable) and isinstance(nag(0.1).init(PARAMS), Readable)
    assert isinstance(scale_by_nag().init(PARAMS), Readable)
    assert isinstance(Doubling(), Follower) and not isinstance(optax.EmptyState(), Follower | Readable)


def test_joined_readings_follow_one_another():
    buffer = {"w": jnp.ones(2)}
    readings = joined(kept(PARAMS), ahead(buffer, 0.5))
    assert {len(of_leaf) for of_leaf in readings.values()} == {1, 2}
