"""restore_state: a checkpoint without types back in its places, or words why not."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

import nag_optax as no
from nag_optax import momenta

PARAMS = {"w": jnp.ones((3, 100)), "layers": [{"b": jnp.ones(4)}, {"b": jnp.ones(2)}]}
KINDS = {
    "nag": no.nag(0.1, momenta.nesterov(), restart="gradient"),
    "chain": optax.chain(optax.clip(1.0), no.nag(optax.linear_schedule(0.1, 0.0, 9), accumulator_dtype=jnp.int8)),
    "partition": optax.partition({"a": no.ogm(0.1), "b": optax.adam(0.1)}, {"w": "a", "layers": "b"}),
    "masked": optax.masked(no.nag(0.1), {"w": True, "layers": False}),
    "adan": no.adan(0.1, weight_decay=0.1),
    "snoo": no.snoo(optax.adamw(0.1), period=2),
    "fista": no.fista(0.1, no.prox.l1(0.1)),
    "optista": no.optista(1.0, 9, no.prox.l1(0.1)),
    "pogm": no.pogm(0.1, no.prox.l1(0.1)),
}


def raw(tree) -> Any:
    """As a checkpoint that is read without a template has it: dicts and lists of arrays."""
    if hasattr(tree, "_asdict"):
        tree = tree._asdict()
    if isinstance(tree, dict):
        return {str(name): raw(part) for name, part in tree.items()}
    if isinstance(tree, tuple | list):
        return [raw(part) for part in tree]
    return None if isinstance(tree, optax.MaskedNode) else tree


def trained(tx):
    state = tx.init(PARAMS)
    for _ in range(3):
        _, state = tx.update(PARAMS, state, PARAMS)
    return state


@pytest.mark.parametrize("name", KINDS)
def test_a_state_comes_back(name):
    state = trained(KINDS[name])
    back = no.restore_state(KINDS[name], raw(state), PARAMS)
    chex.assert_trees_all_equal_shapes_and_dtypes(back, state)
    chex.assert_trees_all_equal(back, state)
    assert jax.tree.structure(back) == jax.tree.structure(state)


def test_fields_that_older_states_have_not_are_new():
    old = raw(trained(KINDS["nag"]))
    del old["restarts"], old["last"]
    back = no.restore_state(KINDS["nag"], old, PARAMS)
    assert int(back.step) == 3 and int(back.restarts) == 0 and float(back.last["last_momentum"]) == 0


def changed(change):
    state = raw(trained(KINDS["nag"]))
    change(state)
    return state


WRONG = {
    "a leaf too many": (lambda s: s["momentum"].update(v=jnp.ones(2)), "raw has 'v' at momentum, for which"),
    "a field too many": (lambda s: s.update(count=jnp.ones(())), "raw has 'count' at its top, for which"),
    "a leaf too few": (lambda s: s["momentum"].pop("w"), "raw has no 'w' at momentum"),
    "a field too few": (lambda s: s.pop("age"), "raw has no 'age' at its top"),
    "a shape": (
        lambda s: s["momentum"].update(w=jnp.ones(3)),
        r"an array of shape \(3, 100\) at momentum/w, got shape",
    ),
    "a dict for a leaf": (lambda s: s["momentum"].update(w={"x": 1, "y": 2}), "at momentum/w, got dict"),
    "a leaf for a dict": (lambda s: s.update(momentum=jnp.ones(3)), "a dict or a list at momentum, got"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_belong_is_refused(name):
    change, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        no.restore_state(KINDS["nag"], changed(change), PARAMS)


def test_the_checkpoint_of_another_method_is_refused():
    with pytest.raises(ValueError, match="raw has"):
        no.restore_state(no.nag(0.1), raw(optax.adam(0.1).init(PARAMS)), PARAMS)
