"""nag against Optax, and nag against bad input."""

from typing import Any, cast

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import momenta, nag, scale_by_nag

STEPS = 300


def noisy_gradient(params, k):
    """A smooth gradient field with noise, the same for all who ask."""
    return jax.tree.map(lambda p: (jnp.sin(3 * p) + 0.3 * p + 0.1 * jnp.cos(k + p)).astype(p.dtype), params)


def train(tx, start, steps=STEPS):
    def body(carry, k):
        params, state = carry
        updates, state = tx.update(noisy_gradient(params, k), state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    return jax.jit(lambda: jax.lax.scan(body, (start, tx.init(start)), jnp.arange(steps)))()[1]


def start(dtype):
    values = np.random.default_rng(0).standard_normal((7, 5))
    return {"w": jnp.asarray(values, dtype), "b": jnp.asarray(0.3, dtype)}


def in_float64(schedule):
    """Optax hands schedules an int32 counter, which JAX divides in float32; this library hands them int64."""
    return lambda count: schedule(count.astype(jnp.int64) if jax.config.read("jax_enable_x64") else count)


LEARNING_RATES = {
    "constant": 0.05,
    "warm-up from 0 and cosine decay": optax.warmup_cosine_decay_schedule(0.0, 0.08, 30, STEPS),
    "drops": optax.piecewise_constant_schedule(0.08, {100: 0.1, 200: 0.5}),
}


def as_optax_sees_it(learning_rate):
    return in_float64(learning_rate) if callable(learning_rate) else learning_rate


@pytest.mark.parametrize("learning_rate", LEARNING_RATES.values(), ids=LEARNING_RATES)
@pytest.mark.parametrize("lookahead", [1.0, 0.0])
class TestEqualsOptax:
    """Swapping the name changes no curve."""

    def pair(self, learning_rate, lookahead, **arguments):
        ours = nag(learning_rate, 0.9, lookahead=lookahead, **arguments)
        theirs = optax.sgd(as_optax_sees_it(learning_rate), 0.9, nesterov=lookahead == 1.0, **arguments)
        return ours, theirs

    def test_in_float32(self, learning_rate, lookahead):
        ours, theirs = self.pair(learning_rate, lookahead)
        chex.assert_trees_all_close(
            train(ours, start("float32")), train(theirs, start("float32")), rtol=1e-6, atol=1e-6
        )

    def test_in_float64(self, learning_rate, lookahead, float64):
        ours, theirs = self.pair(learning_rate, lookahead)
        chex.assert_trees_all_close(
            train(ours, start("float64")), train(theirs, start("float64")), rtol=1e-12, atol=1e-13
        )

    def test_inside_a_chain_with_clipping_and_weight_decay(self, learning_rate, lookahead, float64):
        def chain(tx):
            return optax.chain(optax.clip_by_global_norm(1.0), optax.add_decayed_weights(1e-2), tx)

        ours, theirs = map(chain, self.pair(learning_rate, lookahead))
        chex.assert_trees_all_close(
            train(ours, start("float64")), train(theirs, start("float64")), rtol=1e-12, atol=1e-13
        )

    def test_in_bfloat16_with_a_float32_accumulator(self, learning_rate, lookahead):
        ours, theirs = self.pair(learning_rate, lookahead, accumulator_dtype=jnp.float32)
        # One update: the same float32 sum, rounded once to bfloat16. Over a run the roundings of params decide.
        params, g = start("bfloat16"), noisy_gradient(start("bfloat16"), 0)
        s, t = ours.init(params), theirs.init(params)
        for _ in range(5):
            u, s = ours.update(g, s, params)
            v, t = theirs.update(g, t, params)
            chex.assert_trees_all_equal_dtypes(u, params)
            chex.assert_trees_all_close(u, optax.tree.cast(v, jnp.bfloat16), rtol=2**-8)
            chex.assert_trees_all_close(s.momentum, optax.tree.get(t, "trace"), rtol=1e-6)

    def test_decoupled_weight_decay(self, learning_rate, lookahead, float64):
        mask = {"w": True, "b": False}
        ours = nag(learning_rate, 0.9, lookahead=lookahead, weight_decay=0.1, mask=mask)
        theirs = optax.chain(
            optax.trace(0.9, nesterov=lookahead == 1.0),
            optax.add_decayed_weights(0.1, mask),
            optax.scale_by_learning_rate(as_optax_sees_it(learning_rate)),
        )
        chex.assert_trees_all_close(
            train(ours, start("float64")), train(theirs, start("float64")), rtol=1e-12, atol=1e-13
        )


class TestBothFormsUnderVariants(chex.TestCase):
    """With and without jit, on device arrays and NumPy arrays."""

    @chex.variants(with_jit=True, without_jit=True, with_device=True, without_device=True)
    def test_one_update_equals_optax(self):
        ours, theirs = nag(0.1, 0.9), optax.sgd(0.1, 0.9, nesterov=True)
        variant, params = cast(Any, self.variant), start("float32")
        s, t = ours.init(params), theirs.init(params)
        for _ in range(3):
            u, s = variant(ours.update)(params, s, params)
            v, t = variant(theirs.update)(params, t, params)
            chex.assert_trees_all_close(u, v, rtol=1e-6)


def test_scale_by_nag_equals_the_trace_of_optax():
    chex.assert_trees_all_close(
        train(optax.chain(scale_by_nag(0.9), optax.scale(-0.05)), start("float32")),
        train(optax.chain(optax.trace(0.9, nesterov=True), optax.scale(-0.05)), start("float32")),
        rtol=1e-6,
        atol=1e-7,  # the largest entries are 3
    )


def test_momentum_near_one_survives_bfloat16_parameters():
    params = jnp.zeros(3, jnp.bfloat16)
    tx = nag(1.0, 0.999, accumulator_dtype=jnp.float32)
    state = tx.init(params)
    for _ in range(1000):
        _, state = jax.jit(tx.update)(jnp.ones_like(params), state, params)
    np.testing.assert_allclose(state.momentum, (1 - 0.999**1000) / (1 - 0.999), rtol=1e-4)


def test_a_schedule_may_index_a_table():
    rates = jnp.asarray([0.1, 0.2, 0.3])
    chex.assert_trees_all_close(
        train(nag(lambda count: rates[count]), start("float32"), 3),
        train(optax.sgd(lambda count: rates[count], 0.9, nesterov=True), start("float32"), 3),
        rtol=1e-6,
        atol=1e-6,
    )


def test_hyperparameters_may_be_traced_and_differentiated():
    def final(learning_rate, momentum, lookahead, weight_decay):
        tx = nag(learning_rate, momentum, lookahead=lookahead, weight_decay=weight_decay)
        return jnp.sum(train(tx, {"w": jnp.ones(2)}, 5)["w"][-1])

    numbers = (0.05, 0.9, 1.0, 0.01)
    slopes = jax.jit(jax.grad(final, argnums=(0, 1, 2, 3)))(*numbers)
    for i, slope in enumerate(tuple(slopes)):
        moved = (
            [n + 1e-2 * (i == j) for j, n in enumerate(numbers)],
            [n - 1e-2 * (i == j) for j, n in enumerate(numbers)],
        )
        assert float(slope) == pytest.approx(float(final(*moved[0]) - final(*moved[1])) / 2e-2, rel=0.05)


BAD = [
    ({"learning_rate": -0.1}, ValueError, "learning_rate must be finite, at least 0, got -0.1"),
    ({"learning_rate": float("nan")}, ValueError, "learning_rate"),
    ({"learning_rate": "0.1"}, TypeError, "learning_rate must be a number or a schedule"),
    ({"learning_rate": None}, TypeError, "learning_rate"),
    ({"learning_rate": np.ones(3)}, ValueError, "learning_rate must be a scalar, got an array of shape"),
    ({"momentum": 1.0}, ValueError, "momentum must be finite, at least 0 and below 1, got 1.0"),
    ({"momentum": np.float32(1.5)}, ValueError, "momentum"),
    ({"momentum": -0.1}, ValueError, "momentum"),
    ({"momentum": True}, TypeError, "momentum"),
    ({"lookahead": -1}, ValueError, "lookahead"),
    ({"velocity": "steps"}, ValueError, "velocity must be one of 'gradient', 'step', 'mean', got 'steps'"),
    (
        {"restart": "function"},
        ValueError,
        "restart must be one of None, 'gradient', 'value', 'speed' or a RestartTest, got 'function'",
    ),
    ({"restart": True}, ValueError, "restart"),
    ({"weight_decay": -1e-4}, ValueError, "weight_decay"),
    ({"accumulator_dtype": jnp.int32}, TypeError, "accumulator_dtype must be a floating dtype"),
    ({"accumulator_dtype": "complex64"}, TypeError, "accumulator_dtype"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD)
def test_bad_arguments_are_refused_by_name_before_any_step(arguments, error, message):
    with pytest.raises(error, match=message):
        nag(**{"learning_rate": 0.1, **arguments})


def test_missing_value_and_params_are_errors():
    params = jnp.ones(2)
    for tx, message in (
        (nag(0.1, restart="value"), "value="),
        (nag(0.1, weight_decay=0.1), "weight_decay needs params"),
    ):
        with pytest.raises(ValueError, match=message):
            tx.update(params, tx.init(params))


def test_integer_parameters_are_refused_with_their_path():
    with pytest.raises(TypeError, match=r"int32 at \['table'\]"):
        nag(0.1).init({"w": jnp.ones(2), "table": jnp.arange(3)})


def test_vector_valued_schedule_is_refused_at_init():
    with pytest.raises(ValueError, match="must be a scalar, got shape"):
        nag(lambda count: jnp.ones(3)).init(jnp.ones(3))


def test_nothing_but_gradients_and_state_is_required():
    tx = nag(0.1, momenta.nesterov(), restart="gradient")
    updates, _ = tx.update(jnp.ones(2), tx.init(jnp.ones(2)))
    np.testing.assert_allclose(updates, -0.1, rtol=1e-6)
