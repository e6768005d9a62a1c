"""Stochastic rounding to a narrow dtype."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_optax.engine.storage.rounding import stochastically_rounded


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
