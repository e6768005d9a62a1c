"""Every transformation inside of Optax's wrappers, and under ``vmap``."""

import inspect

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from tests.catalogue import CATALOGUE, KINDS
from tests.support.training import advance, evaluate, gradient, plain_step, quadratic, step

every_kind = pytest.mark.parametrize("name", KINDS)


@pytest.mark.parametrize("name", CATALOGUE)
def test_survives_inject_hyperparams(name):
    factory, arguments, *_ = CATALOGUE[name]
    static = [key for key, value in arguments.items() if not isinstance(value, float)]
    injected = optax.inject_hyperparams(factory, static_args=static, hyperparam_dtype=jnp.float32)(**arguments)
    start, loss, _ = quadratic(jnp.float32)
    plain = advance(plain_step(name), (start, CATALOGUE[name].make().init(start)), 5)
    carry = advance(jax.jit(step(injected, loss)), (start, injected.init(start)), 5)
    chex.assert_trees_all_close(carry[0], plain[0], rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(
        evaluate(name, carry[1], carry[0]), evaluate(name, plain[1], plain[0]), rtol=1e-5, atol=1e-6
    )


def required(factory, arguments):
    """What has no default, and the defaults that are numbers."""
    parameters = inspect.signature(factory).parameters
    defaults = {key: p.default for key, p in parameters.items() if isinstance(p.default, float)}
    return {key: value for key, value in arguments.items() if key not in defaults}, defaults


@pytest.mark.parametrize("name", [name for name, row in CATALOGUE.items() if required(row.factory, row.arguments)[1]])
def test_defaults_may_be_injected(name):
    """An array in the place of a number chooses the same method."""
    row = CATALOGUE[name]
    arguments, defaults = required(row.factory, row.arguments)
    start, loss, _ = quadratic(jnp.float32)
    factories = {
        "plain": lambda: row.factory(**arguments),
        "arrays": lambda: row.factory(**arguments, **{key: jnp.asarray(value) for key, value in defaults.items()}),
        "injected": lambda: optax.inject_hyperparams(row.factory, static_args=list(arguments))(**arguments),
    }
    params = {
        key: advance(jax.jit(step(make(), loss)), (start, make().init(start)), 5)[0] for key, make in factories.items()
    }
    chex.assert_trees_all_close(params["arrays"], params["plain"], rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(params["injected"], params["plain"], rtol=1e-5, atol=1e-6)


@every_kind
def test_survives_multi_steps(name):
    start, loss, _ = quadratic(jnp.float32)
    every_second = optax.MultiSteps(CATALOGUE[name].make(), every_k_schedule=2)
    plain = advance(plain_step(name), (start, CATALOGUE[name].make().init(start)), 3)
    carry = advance(jax.jit(step(every_second, loss)), (start, every_second.init(start)), 6)
    chex.assert_trees_all_close(carry[0], plain[0], rtol=1e-6)
    chex.assert_trees_all_close(evaluate(name, carry[1], carry[0]), evaluate(name, plain[1], plain[0]), rtol=1e-6)


@every_kind
def test_survives_masked(name):
    start, loss, _ = quadratic(jnp.float32)
    tx = optax.chain(
        optax.masked(CATALOGUE[name].make(), {"w": True, "b": False, "v": True}),
        optax.masked(optax.set_to_zero(), {"w": False, "b": True, "v": False}),
    )
    carry = advance(jax.jit(step(tx, loss)), (start, tx.init(start)), 5)
    base = evaluate(name, carry[1], carry[0], later_links="harmless")  # on another leaf
    assert carry[0]["b"] == start["b"] == base["b"]
    assert jnp.all(carry[0]["w"] != start["w"])


@every_kind
def test_survives_partition(name):
    start, loss, _ = quadratic(jnp.float32)
    tx = optax.partition(
        {"ours": CATALOGUE[name].make(), "theirs": optax.sgd(0.1)}, {"w": "ours", "b": "theirs", "v": "ours"}
    )
    carry = advance(jax.jit(step(tx, loss)), (start, tx.init(start)), 5)
    base = evaluate(name, carry[1], carry[0])
    assert carry[0]["b"] == base["b"] != start["b"]
    assert jnp.all(carry[0]["w"] != start["w"])


@every_kind
def test_survives_vmap(name):
    start, loss, _ = quadratic(jnp.float32)
    tx = CATALOGUE[name].make()
    batch = jax.tree.map(lambda x: jnp.stack([x, 2 * x]), start)
    params, _ = jax.jit(jax.vmap(lambda one: step(tx, loss)(one, tx.init(one))))(batch)
    for i in range(2):
        one = jax.tree.map(lambda x, i=i: x[i], batch)
        alone, _ = plain_step(name)(one, tx.init(one))
        chex.assert_trees_all_close(jax.tree.map(lambda x, i=i: x[i], params), alone, rtol=1e-6)


@every_kind
def test_apply_if_finite_skips_a_bad_gradient_and_leaves_the_state_intact(name):
    start, loss, _ = quadratic(jnp.float32)
    tx = optax.apply_if_finite(CATALOGUE[name].make(), max_consecutive_errors=3)
    update = jax.jit(lambda g, s, p, value: tx.update(g, s, p, value=value, value_fn=loss))
    updates, state = update(gradient(loss, start), tx.init(start), start, loss(start))
    params = optax.apply_updates(start, updates)
    bad = jax.tree.map(lambda x: jnp.full_like(x, jnp.nan), params)
    updates, after = update(bad, state, params, jnp.asarray(jnp.nan))
    chex.assert_trees_all_equal(optax.apply_updates(params, updates), params)
    chex.assert_trees_all_equal(after.inner_state, state.inner_state)
    chex.assert_trees_all_equal(evaluate(name, after, params), evaluate(name, state, params))
