"""Checkpoints that an earlier version wrote restore, and training goes on to where it led that version."""

import functools
import warnings
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

import nag_optax as no
from nag_optax import links

ocp = pytest.importorskip("orbax.checkpoint")
serialization = pytest.importorskip("flax.serialization")
then = pytest.importorskip("tests.data.write_checkpoints")

FOLDER = Path(then.__file__).parent / "checkpoints"
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # names of that time
    TODAY = then.kinds()


def injected(learning_rate, momentum=0.9, *, lookahead=1.0, weight_decay=0.0):
    """What inject_hyperparams made of nag at that time, when it had a link for the decay that is 0."""
    return no.decayed(no.nag(learning_rate, momentum, lookahead=lookahead), learning_rate, weight_decay)


# At that time weight decay was a link of the chain; today it is one only where it is asked for as one.
LINKED = {
    "nag_weight_decay": no.decayed(no.nag(0.05), 0.05, 0.1),
    "nag_masked_weight_decay": no.decayed(no.nag, optax.linear_schedule(0.1, 0.0, 9), 0.1, then.MASK),
    "adan_weight_decay": links.proximally_decayed(no.adan(0.05), 0.05, 0.1),
    "nadam": no.decayed(no.nadam(0.05), 0.05, 0.1, then.MASK),
    "inject_hyperparams": optax.inject_hyperparams(injected)(0.05, momentum=0.8),
}
KINDS = TODAY | LINKED


def template(name):
    """What the files hold of a kind, before the first update."""
    params, state = then.begin(name, KINDS[name])
    return {"params": params, "state": state, "after": params, "base": params}


@pytest.fixture(scope="module")
def templates():
    return {name: template(name) for name in KINDS} | {"solution": {"state": then.solution()._replace(gap=None)}}


@pytest.fixture(scope="module")
def by_flax():
    return serialization.msgpack_restore((FOLDER / "flax.msgpack").read_bytes())


@pytest.fixture(scope="module")
def by_orbax():
    with warnings.catch_warnings(), ocp.StandardCheckpointer() as checkpointer:
        warnings.filterwarnings("ignore", "Sharding info not provided")
        return checkpointer.restore(FOLDER / "orbax")


@pytest.fixture(params=["flax", "orbax"])
def restored(request, templates):
    """Both hold names and arrays: fields that states have today, and had not then, are in no template's file."""
    raw = request.getfixturevalue(f"by_{request.param}")

    def typed(template, held):
        as_it_is = optax.GradientTransformation(lambda _: template, lambda *_: None)
        return no.restore_state(as_it_is, held, None)

    return {name: typed(template, raw[name]) for name, template in templates.items()}


@pytest.mark.parametrize("name", KINDS)
def test_training_goes_on_to_where_it_led(name, restored, templates):
    found = restored[name]
    assert jax.tree.structure(found) == jax.tree.structure(templates[name])
    params, state = jax.tree.map(jnp.asarray, (found["params"], found["state"]))
    end = then.advance(name, KINDS[name], params, state, 2)
    chex.assert_trees_all_equal_shapes_and_dtypes(end, (params, state))
    tolerance = 1e-3 if name in ("adanag", "ac_fgm") else 1e-5  # rounding shows at once where it sets the step
    close = functools.partial(chex.assert_trees_all_close, rtol=tolerance, atol=tolerance)
    close(end[0], found["after"])
    close(then.base_iterate(name, *end), found["base"])


@pytest.mark.parametrize("name", LINKED)
def test_a_state_with_a_link_for_the_decay_is_reanchored_in_one_without(name, restored):
    found = restored[name]
    params, old = jax.tree.map(jnp.asarray, (found["params"], found["state"]))
    state = no.reanchor(TODAY[name], old, params)
    assert jax.tree.structure(state) == jax.tree.structure(TODAY[name].init(params))
    end, _ = then.advance(name, TODAY[name], params, state, 2)
    chex.assert_trees_all_close(end, found["after"], rtol=1e-5, atol=1e-5)


def test_a_solution_warms_a_start(restored):
    warm = jax.tree.map(jnp.asarray, restored["solution"]["state"])
    assert isinstance(warm, no.Solution)
    ours = then.solution()._replace(gap=None)  # which no file of that time has
    kept = warm.state._replace(scale=ours.state.scale)  # the unit of the error has become one without units
    chex.assert_trees_all_close(warm._replace(error=ours.error, state=kept), ours, rtol=1e-5)
    assert int(no.minimize(then.loss, warm, prox=no.prox.l1(0.01)).status) == no.Status.CONVERGED
