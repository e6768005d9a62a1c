"""A leaf without a gradient is left alone; what params hold beside the gradients does not matter."""

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from nag_optax import fista, heavy_ball, momenta, nag, prox
from tests.catalogue import CATALOGUE, KINDS

LEAF = {"w": jnp.linspace(1.0, 2.0, 300), "b": jnp.asarray(0.5)}
WHOLE = {"frozen": jnp.linspace(-1.0, 1.0, 300), "head": LEAF}
NAMES = [*KINDS, "nadam", "compensated", "stochastic_rounding", "nag, weight decay", "diloco", "superpose"]


def loss(params):
    """Of what is trained throughout, wherever it stands."""
    return sum(jnp.sum(p**2) for p in jax.tree.leaves(params.get("head", params)))


def make(name):
    if name == "fista":  # the catalogue's acts on the leaf of a name
        return fista(0.1, prox.l1(0.01))
    return CATALOGUE[name].make()


@pytest.mark.parametrize("name", NAMES)
def test_it_is_as_if_the_leaf_were_not_there_and_its_state_waits(name):
    tx = make(name)
    arguments = {"value": 1.0, "value_fn": loss}
    _, state = tx.update(WHOLE, tx.init(WHOLE), WHOLE, **arguments)
    updates, after = tx.update({"frozen": None, "head": LEAF}, state, WHOLE, **arguments)
    assert updates["frozen"] is None
    chex.assert_trees_all_equal_shapes_and_dtypes(state, after)

    def of_frozen(tree):
        return [x for path, x in jax.tree_util.tree_leaves_with_path(tree) if "frozen" in jax.tree_util.keystr(path)]

    chex.assert_trees_all_equal(of_frozen(state), of_frozen(after))
    if name == "scale_by_inverse_sqrt_size" or "random" in CATALOGUE[name].published or name == "stochastic_rounding":
        return  # they count the entries, or the leaves

    def alone(tree):
        return jax.tree.map(
            lambda x: x["head"] if isinstance(x, dict) and "head" in x else x,
            tree,
            is_leaf=lambda x: isinstance(x, dict) and "head" in x,
        )

    expected, _ = tx.update(LEAF, alone(state), LEAF, **arguments)
    chex.assert_trees_all_close(updates["head"], expected, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_module_may_hold_functions(name):
    model = {"frozen": jax.nn.relu, "head": LEAF}
    arrays = {"frozen": None, "head": LEAF}
    tx = make(name)
    state, arguments = tx.init(arrays), {"value": 1.0, "value_fn": loss}
    updates, after = tx.update(arrays, state, model, **arguments)
    expected, _ = tx.update(arrays, state, arrays, **arguments)
    chex.assert_trees_all_equal((updates, jax.tree.structure(after)), (expected, jax.tree.structure(state)))


def test_a_restart_does_not_see_it():
    tx = nag(0.1, momenta.nesterov(), restart="gradient", accumulator_dtype=jnp.int8)
    state = tx.init(WHOLE)
    for _ in range(4):
        _, state = tx.update(WHOLE, state, WHOLE)
    back = jax.tree.map(lambda x: -0.1 * x, LEAF)
    _, after = jax.jit(tx.update)({"frozen": None, "head": back}, state, WHOLE)
    assert after.age == 0 and not after.momentum["head"]["b"].any()
    chex.assert_trees_all_equal(after.momentum["frozen"], state.momentum["frozen"])
    chex.assert_trees_all_equal(after.scales["frozen"], state.scales["frozen"])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"w": jnp.ones(2), "act": jax.nn.relu},
            r"got (custom_jvp|PjitFunction|function) at \['act'\].*equinox.filter",
        ),
        ({"w": jnp.ones(2), "n": jnp.ones((), int)}, r"floating or complex, got int32 at \['n'\]"),
        ({"w": jnp.ones(2, jnp.float8_e4m3fn)}, r"at least 16 bits, got float8_e4m3fn at \['w'\]"),
    ],
    ids=["functions", "integers", "float8"],
)
@pytest.mark.parametrize("name", ["nag", "heavy_ball", "nadam", "adan", "fista", "adanag", "ac_fgm", "compensated"])
def test_what_cannot_be_trained_is_named_by_init(name, params, message):
    with pytest.raises(TypeError, match=message):
        make(name).init(params)


def test_a_gradient_of_nothing_is_named():
    tx = heavy_ball(0.1, 0.9)
    with pytest.raises(ValueError, match=r"gradients must be None at \['b'\]"):
        tx.update({"w": jnp.ones(2), "b": jnp.ones(2)}, tx.init({"w": jnp.ones(2), "b": None}))


def test_optax_applies_what_it_has():
    tx = nag(0.1)
    arrays = {"w": jnp.ones(2), "f": None}
    updates, _ = tx.update(arrays, tx.init(arrays), {"w": jnp.ones(2), "f": jax.nn.relu})
    assert optax.apply_updates(arrays, updates)["f"] is None
