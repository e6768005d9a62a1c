"""Mixed dtypes are meant: strict promotion changes nothing, and neither does a debugger find anything."""

import chex
import jax
import jax.numpy as jnp
import pytest
from jax.experimental import checkify

from nag_optax import fista, minimize, prox
from tests.catalogue import CATALOGUE

DTYPES = {"bfloat16": ("bfloat16",) * 2, "mixed": ("bfloat16", "float32"), "float32": ("float32",) * 2}


def tree(of_w, of_b):
    return {"w": jnp.linspace(-1.0, 1.0, 512).astype(of_w).reshape(2, 256), "b": jnp.ones((3,), of_b)}


def make(name):
    return fista(0.1, prox.l1(0.01)) if name == "fista" else CATALOGUE[name].make()


def loss(params):
    return sum(jnp.sum(p.astype(jnp.float32) ** 2) for p in jax.tree.leaves(params))


def two_updates(name, params):
    tx = make(name)
    updates, state = params, tx.init(params)
    for _ in range(2):
        updates, state = tx.update(params, state, params, value=loss(params), value_fn=loss)
    return updates, state


@pytest.mark.parametrize("dtypes", DTYPES)
@pytest.mark.parametrize("name", CATALOGUE)
def test_strict_promotion_changes_nothing(name, dtypes):
    params = tree(*DTYPES[dtypes])
    expected = jax.eval_shape(lambda p: two_updates(name, p), params)
    with jax.numpy_dtype_promotion("strict"):
        got = jax.eval_shape(lambda p: two_updates(name, p), params)
    assert got == expected
    chex.assert_trees_all_equal_dtypes(got[0], params)


@pytest.mark.parametrize("zeros", [False, True], ids=["some", "zeros"])
@pytest.mark.parametrize("name", ["nag", "nag, int8 state", "nag, restart=speed", "nadam", "adan", "compensated"])
def test_no_false_alarm(name, zeros):
    params = tree("float32", "bfloat16")
    params = jax.tree.map(jnp.zeros_like, params) if zeros else {**params, "w": params["w"].at[0].set(0)}
    error, _ = checkify.checkify(lambda p: two_updates(name, p), errors=checkify.float_checks)(params)
    assert error.get() is None


MINIMIZERS = {
    "full_backtracking": {"prox": prox.l1(0.01), "history": True},
    "fista": {"prox": prox.l1(0.01), "step_size": 0.5},
    "pogm": {"prox": prox.l1(0.01), "step_size": 0.5},
    "adanag": {},
    "ac_fgm": {"prox": prox.l1(0.01)},
}


@pytest.mark.parametrize("method", MINIMIZERS)
def test_minimize_under_strict_promotion(method):
    def solve():
        return minimize(loss, tree("float32", "float32"), method=method, max_steps=20, **MINIMIZERS[method])

    expected = solve()
    with jax.numpy_dtype_promotion("strict"):
        chex.assert_trees_all_equal(solve(), expected)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", CATALOGUE)
def test_float64_is_for_params_that_have_it(name):
    for dtype in ("bfloat16", "float32"):
        params = tree(dtype, dtype)
        state = jax.eval_shape(make(name).init, params)
        assert not [leaf for leaf in jax.tree.leaves(state) if leaf.dtype == "float64"]
        assert jax.eval_shape(lambda p, n=name: two_updates(n, p), params)[1] == state
