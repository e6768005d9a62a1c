"""Slow weights, given what they cannot take: refused by name."""

import jax
import jax.numpy as jnp
import optax
import pytest

from nag_optax import diloco, lookahead, slow_weights, snoo
from nag_optax.outer.communication import mean_over

PARAMS = {"w": jnp.ones((4, 128)), "b": jnp.full((3,), 0.5)}


def changes_structure():
    return optax.stateless(lambda updates, params: list(updates.values()))


BAD = {
    "a period below 1": (ValueError, "period must be finite, at least 1", lambda: lookahead(optax.sgd(0.1), 0)),
    "a period that is no integer": (TypeError, "period must be an integer", lambda: lookahead(optax.sgd(0.1), 2.5)),
    "a traced period that is no integer": (
        TypeError,
        "period must be an integer",
        lambda: jax.eval_shape(lambda k: snoo(optax.sgd(0.1), period=k).init(PARAMS), jnp.ones(())),
    ),
    "several periods": (ValueError, "period must be a scalar", lambda: lookahead(optax.sgd(0.1), jnp.array([2, 3]))),
    "a slow step size above 1": (ValueError, "slow_step_size must be", lambda: lookahead(optax.sgd(0.1), 5, 1.5)),
    "no transformation inside": (TypeError, "inner must be", lambda: lookahead(0.1)),
    "no transformation outside": (TypeError, "outer must be", lambda: slow_weights(optax.sgd(0.1), 0.7, 5)),
    "reset_inner that is no boolean": (
        TypeError,
        "reset_inner must be",
        lambda: slow_weights(optax.sgd(0.1), optax.sgd(0.7), 5, reset_inner="yes"),
    ),
    "diloco without an axis": (ValueError, "axis_name must", lambda: diloco(optax.sgd(0.1), axis_name=None)),
    "low precision to nobody": (
        ValueError,
        "communication_dtype needs an axis_name",
        lambda: slow_weights(optax.sgd(0.1), optax.sgd(0.7), 5, communication_dtype=jnp.int8),
    ),
    "messages of another kind": (
        TypeError,
        "communication_dtype must be",
        lambda: diloco(optax.sgd(0.1), axis_name="replica", communication_dtype=jnp.int32),
    ),
    "complex messages": (
        TypeError,
        "communication_dtype is for real params",
        lambda: diloco(optax.sgd(0.1), axis_name="r", communication_dtype=jnp.int8).init(jnp.ones(2, jnp.complex64)),
    ),
    "too many replicas for int8": (
        ValueError,
        "at most 127 replicas",
        lambda: jax.vmap(lambda x: mean_over("r", jnp.int8).mean(x, x), axis_name="r")(jnp.ones(128)),
    ),
    "an axis outside its context": (
        ValueError,
        "there is no axis 'replica' here",
        lambda: diloco(optax.sgd(0.1), axis_name="replica").update(
            PARAMS, diloco(optax.sgd(0.1), axis_name="replica").init(PARAMS), PARAMS
        ),
    ),
    "missing params": (
        ValueError,
        "params",
        lambda: lookahead(optax.sgd(0.1)).update(PARAMS, lookahead(optax.sgd(0.1)).init(PARAMS)),
    ),
    "an outer method that changes the structure": (
        ValueError,
        "outer must keep the structure",
        lambda: slow_weights(optax.sgd(0.1), changes_structure(), 5).init(PARAMS),
    ),
    "an outer method that changes shapes": (
        ValueError,
        r"outer must keep the shapes .* at \['b'\]",
        lambda: slow_weights(optax.sgd(0.1), optax.stateless(lambda u, p: jax.tree.map(lambda x: x[0], u)), 5).init(
            PARAMS
        ),
    ),
    "an outer method that changes dtypes": (
        TypeError,
        "outer must keep the dtypes of params, or widen them",
        lambda: slow_weights(
            optax.sgd(0.1), optax.stateless(lambda u, p: jax.tree.map(lambda x: x.astype(jnp.bfloat16), u)), 5
        ).init(PARAMS),
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    error, message, call = BAD[case]
    with pytest.raises(error, match=message):
        call()
