"""The engine, whatever pytree and dtype it is given."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nag_optax import (
    Coefficients,
    Rule,
    accelerate,
    adan,
    adanag,
    agnes,
    eval_params,
    linear_coupling,
    momenta,
    nadam,
    nag,
    restart,
    schedule_free,
)

DTYPES = ["float16", "bfloat16", "float32", "complex64"]
shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple) | st.sampled_from([(8, 256), (1031,)])
leaves = st.tuples(shapes, st.sampled_from(DTYPES)).map(lambda sd: jnp.full(sd[0], 0.5, sd[1]))
trees = st.recursive(
    leaves, lambda t: st.lists(t, max_size=3) | st.dictionaries(st.sampled_from("abc"), t), max_leaves=6
)


@settings(max_examples=15, deadline=None)
@given(
    params=trees,
    accumulator_dtype=st.sampled_from([None, "bfloat16", "float32", "int8", "float8_e5m2"]),
    wide_gradients=st.booleans(),
)
def test_any_pytree_keeps_its_shapes_dtypes_and_structure(params, accumulator_dtype, wide_gradients):
    tx = nag(0.1, accumulator_dtype=accumulator_dtype)
    state = tx.init(params)
    gradients = jax.tree.map(lambda p: p.astype(jnp.result_type(p, jnp.float32)) if wide_gradients else p, params)

    def body(carry, _):
        params, state = carry
        updates, state = tx.update(gradients, state, params)
        return (optax.apply_updates(params, updates), state), None

    (after, final), _ = jax.lax.scan(body, (params, state), length=2)  # scan refuses a carry that changes
    base = eval_params(final, after)
    for before, later in ((params, after), (params, base), (state, final)):
        assert jax.tree.structure(before) == jax.tree.structure(later)
        assert all(
            a.dtype == b.dtype and a.shape == b.shape
            for a, b in zip(*map(jax.tree.leaves, (before, later)), strict=True)
        )
    updates, _ = tx.update(gradients, state, params)
    assert [u.dtype for u in jax.tree.leaves(updates)] == [p.dtype for p in jax.tree.leaves(params)]


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("accumulator_dtype", [None, "float32", "int8"])
def test_double_precision_stays_so(dtype, accumulator_dtype, float64):
    params = {"w": jnp.ones((4, 128), dtype), "b": jnp.ones((), dtype), "empty": jnp.ones((0, 3), dtype)}
    tx = nag(0.1, accumulator_dtype=accumulator_dtype)

    def body(carry, _):
        params, state = carry
        updates, state = tx.update(params, state, params)
        return (optax.apply_updates(params, updates), state), None

    (after, state), _ = jax.lax.scan(body, (params, tx.init(params)), length=3)
    assert all(x.dtype == dtype for x in jax.tree.leaves((after, eval_params(state, after))))
    np.testing.assert_allclose(after["w"], jnp.full((4, 128), after["b"]), rtol=0.01 if accumulator_dtype else 1e-12)


def test_complex_parameters_keep_their_imaginary_part_in_a_float32_accumulator():
    params = jnp.asarray([1 + 2j, -1j], jnp.complex64)
    tx = nag(0.1, 0.9, accumulator_dtype=jnp.float32)
    updates, state = tx.update(params, tx.init(params), params)
    assert state.momentum.dtype == jnp.complex64
    np.testing.assert_allclose(updates, -0.19 * params, rtol=1e-6)


def test_python_numbers_are_parameters_too():
    tx = nag(0.1)
    state = tx.init({"w": 1.0})
    compiled = jax.jit(tx.update)
    _, later = compiled({"w": 2.0}, state, {"w": 1.0})
    assert jax.tree.map(lambda x: x.weak_type, later) == jax.tree.map(lambda x: x.weak_type, state)


def test_static_units_cost_no_product():
    """Gain 1, lead 1 and step 0 as Python numbers leave one product in the whole update, decay times the buffer."""
    rule = Rule(
        tuple, lambda count, age, carry: (Coefficients(decay=0.9, gain=1, lead=1, step_size=0, readout=0), carry)
    )
    tx = accelerate(rule)
    text = str(jax.make_jaxpr(tx.update)(jnp.ones(3), tx.init(jnp.ones(3))))
    assert text.count(" mul ") == 1


def test_a_method_that_never_moves_is_allowed():
    tx = accelerate(Rule(tuple, lambda count, age, carry: (Coefficients(0, 0, 0, 0, 0), carry)))
    updates, state = tx.update(jnp.ones(3), tx.init(jnp.ones(3)))
    assert not updates.any() and not state.momentum.any()


def test_counters_saturate_instead_of_overflowing():
    tx = nag(0.1)
    most = jnp.asarray(np.iinfo(np.int32).max, jnp.int32)
    _, state = tx.update(jnp.ones(1), tx.init(jnp.ones(1))._replace(step=most, age=most))
    assert state.step == state.age == most


def test_a_rule_is_required():
    with pytest.raises(TypeError, match=r"rule must be a nag_optax\.Rule, got function"):
        accelerate(lambda step: 0)  # pyright: ignore[reportArgumentType] (a wrong type, on purpose)


MOST = np.iinfo(np.int32).max
AT_THE_END = {
    "nadam": nadam(0.1),
    "adan": adan(0.1),
    "adanag": adanag(1.0),
    "linear_coupling": linear_coupling(0.1),
    "agnes": agnes(lambda count: 0.1 + 0.0 * count, 0.5),
    "schedule_free": schedule_free(optax.sgd(0.1), 0.1, weight_power=2.0),
    "restart": nag(0.1, momenta.polynomial(), restart="speed"),
    "lookahead": nag(0.1, lookahead=lambda count: 1 / (1 + count.astype(float))),
    **{
        name: nag(0.1, sequence)
        for name, sequence in {
            "nesterov": momenta.nesterov(),
            "polynomial": momenta.polynomial(),
            "dozat": momenta.dozat(0.9),
            "sutskever": momenta.sutskever(),
            "a schedule": lambda count: 0.9 - 0.8 / (1 + count.astype(float)),
        }.items()
    },
}


@pytest.mark.parametrize("name", AT_THE_END)
def test_the_last_counts_are_like_those_before(name):
    tx, params = AT_THE_END[name], jnp.ones(3)
    _, state = tx.update(params, tx.init(params), params, value=1.0)

    def first(count):
        at = jax.tree.map(lambda x: jnp.asarray(count, x.dtype) if x.dtype == jnp.int32 else x, state)
        return float(tx.update(params, at, params, value=1.0)[0][0])

    assert np.isfinite(first(MOST))
    np.testing.assert_allclose([first(MOST - 1), first(MOST)], first(MOST - 3), rtol=1e-3)


@pytest.mark.parametrize("test", [restart.every(2), restart.speed(2)])
def test_a_restart_is_still_due_at_the_last_count(test):
    evidence = restart.Evidence(
        jnp.int32(MOST), jnp.int32(MOST), jnp.ones(()), lambda: 0, lambda: 0.5, lambda: 0, None, None, {}
    )
    assert test.verdict(evidence).restart
