"""NAG on the rows that a batch touches: the points of the dense method, at the cost of those rows."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import eval_params, lazy_nag, nag, velocity

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


# What a second look has found.


@pytest.mark.parametrize("dtype", [jnp.int8, jnp.uint8, jnp.int16, jnp.uint16, jnp.uint32])
def test_narrow_ids_are_those_of_int32(dtype):
    lazy, ids = lazy_nag(0.1), jnp.array([0, 0, 5, 44])
    for rows in (256, 300):
        table = jnp.zeros((rows, 1))
        (ours, of_ours), (theirs, of_theirs) = (
            lazy.update(jnp.ones((4, 1)), i, table, lazy.init(table)) for i in (ids.astype(dtype), ids)
        )
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(of_ours.seen, of_theirs.seen)


def test_ids_below_the_first_row_are_outside():
    lazy, table = lazy_nag(0.1), jnp.arange(10.0).reshape(5, 2)
    state = lazy.init(table)
    assert jnp.isnan(lazy.rows(jnp.array([-6, -11, 5]), table, state)).all()
    moved, after = lazy.update(jnp.ones((2, 2)), jnp.array([-1, -6]), table, state)
    assert after.seen.tolist() == [0, 0, 0, 0, 1] and jnp.array_equal(moved[:4], table[:4])


def test_a_state_belongs_to_its_table():
    lazy = lazy_nag(0.1)
    state = lazy.init(jnp.zeros((5, 2)))
    for use in (
        lambda table: lazy.rows(jnp.array([1]), table, state),
        lambda table: lazy.update(jnp.ones((1, 2)), jnp.array([1]), table, state),
        lambda table: lazy.whole(table, state),
    ):
        with pytest.raises(ValueError, match=r"state belongs to a table of shape \(5, 2\), got one of \(9, 2\)"):
            use(jnp.zeros((9, 2)))
    for shape in ((), (0, 2), (3, 0)):
        with pytest.raises(ValueError, match="table must have rows with entries"):
            lazy.init(jnp.zeros(shape))


@pytest.mark.parametrize("mu", [0.9, 0.999, 0.9999])
def test_what_was_missed_has_all_digits(mu):
    state = lazy_nag(0.1, mu).init(jnp.zeros((2, 1)))
    exact = float(np.float32(mu))
    for lag in (1, 2, 3, 50, 1000):
        way, left = state._replace(step=jnp.int32(lag)).missed()
        np.testing.assert_allclose(way, exact * exact * (1 - exact**lag) / (1 - exact), rtol=5e-7)
        np.testing.assert_allclose(left, exact**lag, rtol=lag * 1e-7, atol=1e-30)
    with pytest.raises(ValueError, match="momentum must be"):
        lazy_nag(0.1, 1 - 1e-9).init(jnp.zeros((2, 1)))


def test_arrays_of_numpy_and_low_precision_under_strict_promotion_are_fine():
    lazy, table = lazy_nag(0.1), np.zeros((4, 2), np.float32)
    state = jax.tree.map(np.asarray, lazy.init(table))
    moved, _ = lazy.update(np.ones((2, 2), np.float32), [1, 1], table, state)
    np.testing.assert_allclose(moved[1], -0.38, rtol=1e-6)
    with jax.numpy_dtype_promotion("strict"):
        assert lazy.init(jnp.zeros((4, 2), jnp.bfloat16)).momentum.dtype == jnp.float32


def test_its_velocity_is_read():
    lazy, table = lazy_nag(0.1), jnp.zeros((3, 1))
    _, state = lazy.update(jnp.ones((1, 1)), jnp.array([1]), table, lazy.init(table))
    np.testing.assert_allclose(velocity(state, table)[:, 0], [0, 0.1, 0], rtol=1e-6)
