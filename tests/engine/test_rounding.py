"""Stochastic rounding to a narrow dtype."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_optax.engine.storage.rounding import rounded_in_turns, stochastically_rounded


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e4m3fn", "float8_e5m2", "int8"])
def test_rounding_is_right_in_the_mean_and_exact_where_it_can_be(dtype):
    x = jnp.array([0.0, 1.0, -1.0, 1.003, -1.003, 3.1415927, -0.3, 100.7, 1e-3, 0.25 if dtype == "int8" else -7e-5])
    seeds = jax.random.bits(jax.random.key(0), (20_000,), "uint32")
    rounded = jax.vmap(lambda seed: stochastically_rounded(x, dtype, seed))(seeds)
    assert rounded.dtype == dtype
    rounded = np.asarray(rounded, np.float64)
    spread = rounded.max(0) - rounded.min(0)
    np.testing.assert_array_less(
        abs(rounded.mean(0) - np.asarray(x, np.float64)), 5 * spread / len(seeds) ** 0.5 + 1e-12
    )
    assert not spread[:3].any() and len(np.unique(rounded[:, 3])) == 2


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_what_is_not_finite_stays_so(dtype):
    x = jnp.array([jnp.inf, -jnp.inf, jnp.nan, 3.4e38])
    rounded = stochastically_rounded(x, dtype, jnp.uint32(0)).astype(jnp.float32)
    np.testing.assert_array_equal(jnp.isfinite(rounded), [False] * 4)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_roundings_in_turns_add_up_to_the_sum_and_leave_what_is_exact(dtype):
    x = jnp.array([1.0, -0.5, 0.0, 1.003, -1.003, 0.0101234, -3.1e-5, 2.34e-6, 100.7])
    turns = 1000
    rounded = jax.vmap(lambda turn: rounded_in_turns(x, dtype, turn))(jnp.arange(turns))
    assert rounded.dtype == dtype
    np.testing.assert_array_equal(rounded[:, :3].astype(float), np.broadcast_to(x[:3], (turns, 3)))
    rounded = np.asarray(rounded, np.float64)
    unit = np.asarray([len(np.unique(r)) <= 2 for r in rounded.T]) * np.ptp(rounded, axis=0)
    lost = abs(rounded.sum(0) - turns * np.asarray(x, np.float64))
    np.testing.assert_array_less(lost, 4 * unit + 1e-12)
    odd = abs(rounded[::2].sum(0) - turns / 2 * np.asarray(x, np.float64))  # whatever the period of the gradients
    np.testing.assert_array_less(odd, 4 * unit + 1e-12)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_what_is_not_finite_stays_so_in_turns(dtype):
    x = jnp.array([jnp.inf, -jnp.inf, jnp.nan, -jnp.nan])
    assert not any(jnp.isfinite(rounded_in_turns(x, dtype, jnp.int32(turn))).any() for turn in range(9))
