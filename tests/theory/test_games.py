"""FEG keeps its bound on games; `test_published` compares it with its paper's recursion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_optax import eval_params, feg, reanchor
from tests.support.running import trajectory

ROTATION = jnp.asarray([[0.0, 1.0], [-1.0, 0.0]])


def squared_residuals(matrix, start, iterations, learning_rate):
    """|G(z_k)|^2 of a linear operator for k = 1, ..., ``iterations``."""
    _, base, _ = trajectory(feg(learning_rate), lambda z: matrix @ z, start, np.ones(2 * iterations))
    return jnp.sum((base[1::2] @ matrix.T) ** 2, axis=1)


def test_the_worst_rotation_by_feg():
    """Of those slower than L = 1; at N = 1 and 2 they are the worst case, by a semidefinite program."""
    speeds = jnp.linspace(0.01, 1, 400)
    worst = jax.vmap(lambda speed: squared_residuals(speed * ROTATION, np.array([1.0, 0.0]), 64, 1.0))(speeds).max(0)
    np.testing.assert_allclose(worst[jnp.array([1, 2, 4, 16, 64]) - 1], [2, 1, 0.158, 0.0122, 0.000908], rtol=1e-3)


def game(seed, size=8):
    """The matrix of min over x, max over y of x P x / 2 + x B y - y Q y / 2, P and Q of half the rank."""
    rng = np.random.default_rng(seed)
    B, P, Q = rng.standard_normal((3, size, size)) * rng.choice([0.1, 1.0, 10.0], (3, 1, 1))
    P[: size // 2] = Q[: size // 2] = 0
    return np.block([[P.T @ P, B], [-B.T, Q.T @ Q]])


@pytest.mark.parametrize("seed", range(20))
def test_the_bound_of_feg_is_never_exceeded(seed):
    matrix = jnp.asarray(game(seed))
    L, start = np.linalg.norm(matrix, 2), np.random.default_rng(seed).standard_normal(len(matrix))
    found = squared_residuals(matrix, start, 300, 1 / L)
    assert np.all(found <= 4 * L**2 * np.sum(start**2) / np.arange(1, 301) ** 2)


def test_plain_steps_leave_the_game():
    z = np.array([1.0, 0.0])
    for _ in range(64):
        z = z - np.asarray(ROTATION) @ z
    assert z @ z > 1e9


def test_the_base_iterate_is_the_last_whole_point():
    tx, z = feg(0.5), jnp.array([1.0, 2.0])
    state = tx.init(z)
    for k in range(6):
        updates, state = tx.update(ROTATION @ z, state, z)
        z = z + updates
        assert np.array_equal(eval_params(state, z), z) == (k % 2 == 1 or k == 0)  # b_0 = 1: the first stays


def test_a_schedule_is_asked_once_an_iteration():
    scheduled, constant = feg(lambda count: jnp.where(count % 2, jnp.nan, 0.5)), feg(0.5)
    ours, theirs = (trajectory(tx, lambda z: ROTATION @ z, np.ones(2), np.ones(20))[0] for tx in (scheduled, constant))
    np.testing.assert_array_equal(ours, theirs)


def test_reanchored_it_begins_at_the_new_params():
    tx, z = feg(0.5), jnp.ones(2)
    _, state = tx.update(z, tx.init(z), z)
    state = reanchor(tx, state, 3 * z)
    assert state.step == 0
    np.testing.assert_array_equal(state.anchor, 3 * z)
    np.testing.assert_array_equal(jax.tree.leaves(state.base)[0], 3 * z)


def test_feg_without_params_says_what_it_needs():
    with pytest.raises(ValueError, match="feg needs params"):
        feg(0.1).update(jnp.ones(2), feg(0.1).init(jnp.ones(2)))
