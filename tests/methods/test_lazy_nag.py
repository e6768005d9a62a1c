"""NAG on the rows that a batch touches: the points of the dense method, at the cost of those rows."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import eval_params, lazy_nag, nag

ROWS, STEPS = 12, 40
RNG = np.random.default_rng(0)
TARGET = jnp.asarray(RNG.standard_normal((ROWS, 3)))
BATCHES = [RNG.integers(0, ROWS - 2, 4) for _ in range(STEPS)]  # with repetitions; two rows are never touched


def gradient_of_rows(rows, ids):
    return rows - TARGET[ids]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("lookahead", [1.0, 0.0, 0.5])
@pytest.mark.parametrize("momentum", [0.0, 0.9, 0.999])
@pytest.mark.parametrize("rate", [0.1, optax.linear_schedule(0.0, 0.2, STEPS)], ids=["number", "schedule"])
def test_all_points_are_those_of_the_dense_method(rate, momentum, lookahead):
    lazy, tx = lazy_nag(rate, momentum, lookahead=lookahead), nag(rate, momentum, lookahead=lookahead, velocity="step")
    dense = table = jnp.asarray(RNG.standard_normal((ROWS, 3)))
    state, of_dense = lazy.init(table), tx.init(dense)
    for ids in BATCHES:
        rows = lazy.rows(ids, table, state)
        np.testing.assert_allclose(rows, dense[ids], atol=1e-12)
        table, state = jax.jit(lazy.update)(gradient_of_rows(rows, ids), ids, table, state)
        gradient = jnp.zeros_like(dense).at[ids].add(gradient_of_rows(dense[ids], ids))
        updates, of_dense = tx.update(gradient, of_dense, dense)
        dense = optax.apply_updates(dense, updates)
        np.testing.assert_allclose(eval_params(state, table), eval_params(of_dense, dense), atol=1e-12)
    whole, current = lazy.whole(table, state)
    np.testing.assert_allclose(whole, dense, atol=1e-12)
    np.testing.assert_allclose(current.momentum, of_dense.momentum, atol=1e-12)
    np.testing.assert_allclose(lazy.rows(np.arange(ROWS), whole, current), dense, atol=1e-12)
    np.testing.assert_allclose(eval_params(current, whole), eval_params(of_dense, dense), atol=1e-12)


def test_a_constant_rate_is_optax_sgd():
    lazy, tx = lazy_nag(0.1, 0.9), optax.sgd(0.1, 0.9, nesterov=True)
    dense = table = jnp.asarray(RNG.standard_normal((ROWS, 3)), jnp.float32)
    state, of_dense = lazy.init(table), tx.init(dense)
    for ids in BATCHES:
        table, state = lazy.update(gradient_of_rows(lazy.rows(ids, table, state), ids), ids, table, state)
        gradient = jnp.zeros_like(dense).at[ids].add(gradient_of_rows(dense[ids], ids))
        updates, of_dense = tx.update(gradient, of_dense)
        dense = optax.apply_updates(dense, updates)
    np.testing.assert_allclose(lazy.whole(table, state)[0], dense, atol=1e-5)


def test_the_step_touches_no_more_than_its_rows():
    """In the compiled program, with table and state donated, nothing but these has the table's size."""
    lazy, ids = lazy_nag(0.1), jnp.arange(8)
    costs = {}
    for rows in (1_000, 100_000):
        table = jnp.zeros((rows, 16))
        state = lazy.init(table)

        def step(table, state, ids=ids):
            return lazy.update(jnp.ones((8, 16)), ids, table, state)

        cost: Any = jax.jit(step, donate_argnums=(0, 1)).lower(table, state).compile().memory_analysis()
        costs[rows] = cost.temp_size_in_bytes
    assert costs[100_000] < costs[1_000] + 1e5


def test_ids_of_any_shape_from_either_end():
    lazy, table = lazy_nag(0.1), jnp.asarray(RNG.standard_normal((ROWS, 3)), jnp.float32)
    state = lazy.init(table)
    ids = jnp.array([[0, -1], [ROWS - 1, 5]])
    assert lazy.rows(ids, table, state).shape == (2, 2, 3)
    moved, state = lazy.update(jnp.ones((2, 2, 3)), ids, table, state)
    np.testing.assert_allclose(table - moved, jnp.zeros_like(table).at[ids].add(0.19), atol=1e-6)
    assert jnp.isnan(lazy.rows(jnp.array([ROWS]), table, state)).all()


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.complex64])
def test_dtypes_stay(dtype):
    lazy, table = lazy_nag(0.1), jnp.ones((ROWS, 3), dtype)
    state = lazy.init(table)
    moved, after = lazy.update(lazy.rows(3, table, state), 3, table, state)
    assert moved.dtype == dtype and after.momentum.dtype == state.momentum.dtype == jnp.promote_types(
        dtype, jnp.float32
    )
    assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, state)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: lazy_nag(-0.1), ValueError, "learning_rate must be"),
        (lambda: lazy_nag(0.1, 1.0), ValueError, "momentum must be"),
        (lambda: lazy_nag(0.1, lambda k: 0.9), TypeError, "momentum must be a number"),
        (lambda: lazy_nag(0.1).init(jnp.ones(3, int)), TypeError, "params must be floating"),
        (lambda: lazy_nag(0.1).init(jnp.ones(())), ValueError, "table must have rows"),
        (lambda: lazy_nag(0.1).rows(0.5, TARGET, lazy_nag(0.1).init(TARGET)), TypeError, "ids must be integers"),
        (
            lambda: lazy_nag(0.1).update(jnp.ones((2, 2)), jnp.arange(2), TARGET, lazy_nag(0.1).init(TARGET)),
            ValueError,
            r"gradients must be like the rows, of shape \(2, 3\)",
        ),
    ],
)
def test_what_does_not_fit_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
