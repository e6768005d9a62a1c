"""Derivatives through one byte of state: straight through the rounding, or refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_optax import eval_params, nag
from nag_optax.engine.storage import derivative

BYTES = ["int8", "float8_e4m3fn", "float8_e5m2"]
START = jnp.linspace(-1.0, 1.0, 512)


def after(start, tx, steps=4):
    params, state = start, tx.init(start)
    for _ in range(steps):
        updates, state = tx.update(params, state, params)
        params = params + updates
    return params, state


def final_loss(start, tx):
    return jnp.sum(after(start, tx)[0] ** 2)


def error(got, right):
    return np.linalg.norm(got - right) / np.linalg.norm(right)


@pytest.mark.parametrize("dtype", BYTES)
def test_it_is_that_of_float32_but_for_the_noise(dtype):
    def derivatives(dtype):
        tx = nag(0.1, 0.9, accumulator_dtype=dtype)

        of_tangent = jax.jvp(lambda s: after(s, tx)[0], (START,), (jnp.cos(START),))[1]
        several = jax.vmap(jax.grad(lambda s: final_loss(s, tx)))(jnp.stack([START, 2 * START]))
        base = jax.grad(lambda s: jnp.sum(eval_params(*reversed(after(s, tx))) ** 2))(START)
        return of_tangent, several, base

    (tangent, *gradients), (right_tangent, *right) = derivatives(dtype), derivatives(jnp.float32)
    np.testing.assert_allclose(tangent, right_tangent, rtol=1e-5, atol=1e-6)
    for got, expected in zip(gradients, right, strict=True):  # of a square, so that the noise of its root is in them
        assert error(got, expected) < (0.1 if dtype == "int8" else 0.5)


def test_it_is_the_same_in_a_compiled_function():
    tx = nag(0.1, 0.9, accumulator_dtype=jnp.int8)
    eager, compiled = (
        f(lambda s: jnp.sum(after(s, tx, 2)[0] ** 2)) for f in (jax.grad, lambda g: jax.jit(jax.grad(g)))
    )
    np.testing.assert_allclose(eager(START), compiled(START), rtol=1e-2, atol=1e-2)


def test_bytes_that_were_carried_elsewhere_are_refused():
    tx = nag(0.1, 0.9, accumulator_dtype=jnp.int8)

    def scanned(start):
        def one(carry, _):
            params, state = carry
            updates, state = tx.update(params, state, params)
            return (params + updates, state), None

        return jnp.sum(jax.lax.scan(one, (start, tx.init(start)), length=3)[0][0])

    def compiled(start):
        params, state, update = start, tx.init(start), jax.jit(tx.update)
        for _ in range(2):
            updates, state = update(params, state, params)
            params = params + updates
        return jnp.sum(params)

    for function in (scanned, compiled):
        assert jnp.isfinite(jax.jit(function)(START))
        with pytest.raises(ValueError, match="accumulator_dtype: one byte an entry carries no derivative"):
            jax.grad(function)(START)


def test_nothing_is_kept_of_what_was_traced():
    before = len(derivative._traced)
    jax.grad(final_loss)(START, nag(0.1, accumulator_dtype=jnp.int8))
    with jax.checking_leaks():
        jax.jit(lambda s: after(s, nag(0.1, accumulator_dtype=jnp.int8))[0])(START)
    assert len(derivative._traced) == before
