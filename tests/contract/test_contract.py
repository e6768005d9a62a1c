"""What every public transformation promises, whatever the method.

The model is Optax's own common test of its optimizers; the rows are those of ``tests/catalogue``.
"""

import chex
import jax
import jax.numpy as jnp
import pytest

from tests.catalogue import CATALOGUE, PARAMETER_FREE
from tests.support.training import evaluate, logistic, plain_step, quadratic, signature, step

every_transformation = pytest.mark.parametrize("name", CATALOGUE)


@every_transformation
@pytest.mark.parametrize(
    ("problem", "dtype"),
    [(quadratic, "bfloat16"), (quadratic, "complex64"), (logistic, "float32")],
)
def test_converges_under_scan_and_keeps_dtype_and_structure(name, problem, dtype):
    start, loss, optimum = problem(jnp.dtype(dtype))
    tx = CATALOGUE[name].make()
    state = tx.init(start)

    @jax.jit
    def train(params, state):
        return jax.lax.scan(lambda carry, _: (step(tx, loss)(*carry), None), (params, state), length=500)[0]

    params, final = train(start, state)
    assert signature((params, final)) == signature((start, state))
    base = evaluate(name, final, params)
    assert signature(base) == signature(start)
    tolerance = {"float32": 1e-3, "complex64": 1e-3, "bfloat16": 5e-2}[dtype]
    for point in (params, base):
        assert loss(point) - optimum < tolerance * (loss(start) - optimum)


@every_transformation
def test_float64_stays_float64(name, float64):
    start, loss, _ = quadratic(jnp.float64)
    tx = CATALOGUE[name].make()
    state = tx.init(start)
    chex.assert_trees_all_equal_dtypes(step(tx, loss)(start, state), (start, state))
    others = {"nag, int8 state": (jnp.int8, jnp.float32), "stochastic_rounding": (jnp.uint32,)}
    allowed = (jnp.float64, jnp.int32, *others.get(name, ()))
    assert all(leaf.dtype in allowed for leaf in jax.tree.leaves(state))


@every_transformation
def test_a_state_of_shapes_alone_has_their_shapes(name):
    """``init`` takes ``jax.ShapeDtypeStruct``, as that of Optax does."""
    tx, params = CATALOGUE[name].make(), {"w": jnp.ones((2, 4, 8)), "b": jnp.ones((), jnp.complex64)}
    state = tx.init(jax.eval_shape(lambda: params))
    assert signature(state) == signature(jax.eval_shape(tx.init, params))


@every_transformation
def test_agrees_under_jit_and_eagerly_and_compiles_once(name):
    start, loss, _ = quadratic(jnp.float32)
    tx = CATALOGUE[name].make()
    eager, jitted = (start, tx.init(start)), (start, jax.jit(tx.init)(start))
    chex.clear_trace_counter()
    compiled = jax.jit(chex.assert_max_traces(step(tx, loss), n=1))
    for _ in range(5):
        eager, jitted = step(tx, loss)(*eager), compiled(*jitted)
    tolerance = 1e-3 if name in PARAMETER_FREE else 1e-6
    chex.assert_trees_all_close(eager, jitted, rtol=tolerance, atol=tolerance)


@every_transformation
def test_params_and_state_may_be_donated_together(name):
    start, loss, _ = quadratic(jnp.float32)
    tx = CATALOGUE[name].make()
    donating = jax.jit(step(tx, loss), donate_argnums=(0, 1))
    for init in (tx.init, jax.jit(tx.init)):
        carry = (jax.tree.map(jnp.copy, start), init(start))
        for _ in range(2):
            carry = donating(*carry)
        chex.assert_tree_all_finite(carry[0])


@every_transformation
@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_bad_gradients_pass_through_unhidden(name, bad):
    start, loss, _ = quadratic(jnp.float32)
    tx = CATALOGUE[name].make()
    _, state = plain_step(name)(start, tx.init(start))
    gradients = jax.tree.map(lambda x: jnp.full_like(x, bad), start)
    updates, _ = tx.update(gradients, state, start, value=1.0, value_fn=loss)
    assert not any(jnp.isfinite(u).any() for u in jax.tree.leaves(updates))
