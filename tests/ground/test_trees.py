"""Arithmetic on pytrees."""

import jax.numpy as jnp
import pytest

from nag_optax import trees

pytestmark = pytest.mark.usefixtures("float64")


def test_a_weak_float64_is_a_float64():
    x = jnp.full(3, 0.1)  # of a weak type, which JAX would promote to float32
    assert x.weak_type and trees.widened(x).dtype == "float64"
    assert trees.inner(x, x) == pytest.approx(0.03, rel=1e-15)
    assert trees.widened(jnp.zeros(2, "bfloat16")).dtype == "float32"
