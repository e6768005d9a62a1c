"""Decoupled weight decay behind adaptive methods; nag's is compared with that of Optax in test_nag.py."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no


def test_weight_decay_needs_params():
    for tx in (no.adan(0.1, weight_decay=0.1), no.nadam(0.1, weight_decay=0.1)):
        with pytest.raises(ValueError, match="weight_decay needs params"):
            tx.update(jnp.ones(1), tx.init(jnp.ones(1)))


def test_adan_divides_and_nadam_subtracts_the_decay_where_the_mask_says_so():
    params, zeros = {"w": jnp.ones(2), "b": jnp.ones(2)}, {"w": jnp.zeros(2), "b": jnp.zeros(2)}
    for make, shrunk in ((no.adan, 1 / 1.05), (no.nadam, 0.95)):
        tx = make(0.1, weight_decay=0.5, mask={"w": True, "b": False})
        updates, _ = tx.update(zeros, tx.init(params), params)
        np.testing.assert_allclose(optax.apply_updates(params, updates)["w"], shrunk, rtol=1e-6)
        np.testing.assert_array_equal(updates["b"], 0)
