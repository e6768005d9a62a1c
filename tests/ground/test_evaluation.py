"""eval_params finds the base iterate through whatever Optax wraps around it. What every wrapper does to every method is
in the contract tests.
"""

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from nag_optax import Rule, accelerate, eval_params, from_coupling, nag, scale_by_nag

PARAMS = {"w": jnp.asarray([1.0, 2.0]), "b": jnp.asarray(3.0)}


def advance(tx, params=PARAMS, steps=3):
    state = tx.init(params)
    for _ in range(steps):
        updates, state = tx.update(params, state, params)
        params = optax.apply_updates(params, updates)
    return state, params


def base_of_nag():
    return eval_params(*advance(nag(0.1)))


WRAPPERS = {
    "chain": lambda tx: optax.chain(optax.clip(100.0), optax.identity(), tx),
    "nested chains": lambda tx: optax.chain(optax.chain(optax.identity(), optax.chain(tx))),
    "named_chain": lambda tx: optax.named_chain(("clip", optax.clip(100.0)), ("nag", tx)),
    "apply_if_finite": lambda tx: optax.apply_if_finite(tx, 3),
    "masked": lambda tx: optax.masked(tx, {"w": True, "b": True}),
    "masked by prefix": lambda tx: optax.masked(tx, True),
    "partition": lambda tx: optax.partition({"a": tx, "b": tx}, {"w": "a", "b": "b"}),
    "chain of masks": lambda tx: optax.chain(
        optax.masked(tx, {"w": True, "b": False}), optax.masked(tx, {"w": False, "b": True})
    ),
    "inject_hyperparams": lambda tx: optax.inject_hyperparams(nag)(0.1),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_base_iterate_is_found_through_a_wrapper(wrapper):
    state, params = advance(WRAPPERS[wrapper](nag(0.1)))
    chex.assert_trees_all_close(eval_params(state, params), base_of_nag(), rtol=1e-6)
    chex.assert_trees_all_close(jax.jit(eval_params)(state, params), base_of_nag(), rtol=1e-6)


def test_before_the_first_update_the_base_iterate_is_params():
    chex.assert_trees_all_equal(eval_params(nag(0.1).init(PARAMS), PARAMS), PARAMS)


def test_parameters_that_others_train_are_returned_as_they_are():
    tx = optax.partition({"ours": nag(0.1), "theirs": optax.adam(0.1)}, {"w": "ours", "b": "theirs"})
    state, params = advance(tx)
    base = eval_params(state, params)
    assert base["b"] == params["b"]
    chex.assert_trees_all_close(base["w"], base_of_nag()["w"], rtol=1e-6)


def test_dtype_is_that_of_params():
    params = {"w": jnp.ones(2, jnp.bfloat16), "b": jnp.ones((), jnp.float16)}
    state, params = advance(nag(0.1, accumulator_dtype=jnp.float32), params)
    chex.assert_trees_all_equal_dtypes(eval_params(state, params), params)


def test_classical_momentum_is_its_own_base_iterate():
    state, params = advance(nag(0.1, lookahead=0.0))
    chex.assert_trees_all_equal(eval_params(state, params), params)


@pytest.mark.parametrize("learning_rate", [0.1, lambda count: 0.1 * (count == 2), jnp.asarray(0.1)])
def test_scale_by_nag_takes_the_learning_rate_of_the_last_update(learning_rate):
    state, params = advance(optax.chain(scale_by_nag(), optax.scale_by_learning_rate(0.1)))
    chex.assert_trees_all_close(eval_params(state, params, learning_rate=learning_rate), base_of_nag(), rtol=1e-6)


ERRORS = {
    "no accelerated state": (lambda: eval_params(*advance(optax.adam(0.1))), "no accelerated method of nag_optax"),
    "arguments swapped": (lambda: eval_params(PARAMS, nag(0.1).init(PARAMS)), "no accelerated method of nag_optax"),
    "learning rate missing": (lambda: eval_params(*advance(scale_by_nag())), "learning_rate="),
    "learning rate too many": (lambda: eval_params(*advance(nag(0.1)), learning_rate=0.1), "scale_by_nag only"),
    "unknown output": (
        lambda: eval_params(*advance(nag(0.1)), output="z"),
        "output must be one of 'base' for this method, got 'z'",
    ),
    "other parameters": (lambda: eval_params(nag(0.1).init(PARAMS), {"w": PARAMS["w"]}), r"nothing at \['b'\]"),
    "other shapes": (lambda: eval_params(nag(0.1).init(PARAMS), PARAMS | {"w": jnp.ones(3)}), "shapes"),
    "two methods on one leaf": (lambda: eval_params(*advance(optax.chain(nag(0.1), nag(0.1)))), "ambiguous"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_say_what_is_missing(case):
    call, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_named_outputs_are_read_out():
    coefficients = from_coupling(tau=0.5, tau_next=0.5, mixing=0.0, long_step=1.0, learning_rate=0.1)
    state, params = advance(accelerate(Rule(tuple, lambda count, age, carry: (coefficients, carry))), steps=1)
    chex.assert_trees_all_close(
        eval_params(state, params, output="z"), jax.tree.map(lambda p: 0 * p, PARAMS), atol=1e-6
    )
    with pytest.raises(ValueError, match="'base', 'z'"):
        eval_params(state, params, output="last_step")
