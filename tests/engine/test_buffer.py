"""A buffer of one byte an entry, and its blocks."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from nag_optax import eval_params, nag, state_shardings
from nag_optax.engine.storage import blocks
from nag_optax.outer.communication import mean_over
from trainer.parallel.traffic import COLLECTIVES

BYTES = ["int8", "float8_e4m3fn", "float8_e5m2"]


@pytest.mark.parametrize(
    ("shape", "cut"),
    [
        ((4, 256), (4, 2)),
        ((4, 255), (4, 1)),
        ((4, 1000), (4, 5)),
        ((4, 1009), (4, 7)),
        ((3, 3, 32, 64), (3, 3, 16, 1)),
        ((128, 10), (8, 1)),
        ((3, 3, 3, 3), (1, 1, 1, 1)),
        ((5000,), (25,)),
    ],
)
def test_blocks_follow_the_shape(shape, cut):
    assert blocks.scales_shape(shape) == cut
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    scales = jax.jit(blocks.largest)(x)
    assert scales.shape == cut and float(scales.max()) == abs(x).max()
    spread = np.asarray(jax.jit(blocks.spread, static_argnums=1)(scales, shape))
    assert spread.shape == shape and (abs(x) <= spread).all()
    assert (np.unique(spread) == np.unique(scales)).all()


def bytes_per_parameter(state, params):
    size = sum(x.size for x in jax.tree.leaves(params))
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state)) / size


@pytest.mark.parametrize("dtype", BYTES)
@pytest.mark.parametrize("shape", [(512, 512), (64, 1000), (3, 3, 64, 64), (100_000,), (129, 131)], ids=str)
def test_a_buffer_takes_at_most_1_05_bytes_a_parameter(shape, dtype):
    params = jax.ShapeDtypeStruct(shape, jnp.float32)
    state = jax.eval_shape(nag(0.1, accumulator_dtype=dtype).init, params)
    assert bytes_per_parameter(state, params) <= 1.05


def test_small_and_complex_leaves_are_kept_as_they_would_be_in_float32():
    params = {"b": jnp.ones(255), "c": jnp.ones(2048, jnp.complex64), "h": jnp.ones(3, jnp.bfloat16)}
    ours, theirs = nag(0.1, accumulator_dtype=jnp.int8), nag(0.1, accumulator_dtype=jnp.float32)
    updates, state = ours.update(params, ours.init(params), params)
    expected, their_state = theirs.update(params, theirs.init(params), params)
    jax.tree.map(np.testing.assert_array_equal, (updates, state.momentum), (expected, their_state.momentum))


@pytest.mark.parametrize("dtype", BYTES)
def test_contributions_below_a_unit_are_kept_in_the_mean(dtype):
    """Beside one large entry, all others are a hundredth of a unit."""
    gradient = jnp.full((64, 128), 1e-4).at[:, 0].set(1.0)
    tx = nag(1.0, 0.9, lookahead=0.0, accumulator_dtype=dtype)

    def one(state, _):
        updates, state = tx.update(gradient, state)
        return state, updates

    _, updates = jax.jit(lambda s: jax.lax.scan(one, s, length=400))(tx.init(gradient))
    np.testing.assert_allclose(updates[100:, :, 1:].mean(), -1e-3, rtol=0.05)
    np.testing.assert_allclose(updates[100:, :, 0].mean(), -10, rtol=0.02)


@pytest.mark.parametrize("dtype", BYTES)
@pytest.mark.parametrize("restart", [None, "gradient", "speed"])
def test_a_quadratic_is_minimised(dtype, restart):
    curvature = jnp.logspace(-2, 0, 2048).reshape(8, 256)
    start = {"w": jax.random.normal(jax.random.key(0), curvature.shape), "b": jnp.ones(3)}
    tx = nag(0.9, 0.9, restart=restart, accumulator_dtype=dtype)

    def one(carry, _):
        params, state = carry
        gradient = {"w": curvature * params["w"], "b": params["b"]}
        updates, state = tx.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), None

    (params, state), _ = jax.jit(lambda c: jax.lax.scan(one, c, length=500))((start, tx.init(start)))
    base = eval_params(state, params)
    for point in (params, base):
        value = float(jnp.sum(curvature * point["w"] ** 2))
        assert value < 1e-4 * float(jnp.sum(curvature * start["w"] ** 2))


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_what_is_not_finite_is_not_hidden_by_a_byte(bad):
    tx = nag(0.1, accumulator_dtype=jnp.int8)
    params = jnp.ones((16, 128))
    update = jax.jit(tx.update)
    _, state = update(params.at[3, 5].set(bad), tx.init(params), params)
    updates, _ = update(params, state, params)
    assert not jnp.isfinite(updates[3, 5]) and jnp.isfinite(updates[4]).all()


def test_two_runs_and_a_resumed_one_are_the_same_to_the_bit():
    tx = nag(0.1, accumulator_dtype=jnp.int8)
    params = jax.random.normal(jax.random.key(0), (16, 128))
    step = jax.jit(lambda p, s: tx.update(p, s, p))
    _, state = step(params, tx.init(params))
    restored = jax.tree.map(lambda x: jnp.asarray(np.asarray(x)), state)
    jax.tree.map(np.testing.assert_array_equal, step(params, state), step(params, restored))


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("spec", [("data", None), (None, "data")], ids=["rows", "columns"])
def test_values_and_scales_inherit_sharding_without_a_collective(axis_type, spec):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(axis_type,))
    sharding = NamedSharding(mesh, PartitionSpec(*spec))
    params = jax.device_put(jnp.ones((16, 2048)), sharding)
    tx = nag(0.1, accumulator_dtype=jnp.int8)
    with jax.set_mesh(mesh) if hasattr(jax, "set_mesh") else jax.sharding.use_mesh(mesh):
        state = jax.jit(tx.init, out_shardings=state_shardings(tx, params))(params)
        update = jax.jit(lambda g, s, p: tx.update(g, s, p))
        updates, after = update(params, state, params)
        hlo = update.lower(params, state, params).compile().as_text() or ""
    for leaf in (state.momentum, updates, after.momentum):
        assert leaf.sharding.is_equivalent_to(sharding, 2)
    for leaf in (state.scales, after.scales):
        assert leaf.shape == (16, 16) and leaf.sharding.is_equivalent_to(sharding, 2)
    assert not any(collective in hlo for collective in COLLECTIVES)


def test_a_jitted_init_is_not_computed_by_the_compiler():
    tx = nag(0.1, accumulator_dtype=jnp.int8)
    compiled = jax.jit(tx.init).lower(jnp.ones((512, 256))).compile()
    assert " reduce" in str(compiled.as_text())  # else XLA folds a constant of its size: minutes at 10^8 entries


def test_scales_that_cannot_be_split_like_their_parameter_are_whole():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    params = jax.device_put(jnp.ones((16, 512)), NamedSharding(mesh, PartitionSpec(None, "data")))
    shardings = state_shardings(nag(0.1, accumulator_dtype=jnp.int8), params)
    assert shardings.momentum.spec == PartitionSpec(None, "data") and shardings.scales.spec == PartitionSpec(None, None)


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize(
    ("shape", "axis"), [((8, 512), 1), ((2, 8, 64), 1), ((64, 3, 3), 0), ((256,), 0), ((1040,), 0)]
)
def test_blocks_that_devices_cannot_share_equally_are_gathered_on_explicit_axes(shape, axis, jit):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Explicit,))
    tx, alone = nag(0.1, accumulator_dtype=jnp.int8), jax.random.normal(jax.random.key(0), shape)
    update = jax.jit(tx.update) if jit else tx.update
    expected, _ = update(alone, tx.init(alone), alone)
    with jax.set_mesh(mesh) if hasattr(jax, "set_mesh") else jax.sharding.use_mesh(mesh):
        params = jax.device_put(alone, NamedSharding(mesh, PartitionSpec(*(None,) * axis, "data")))
        state = tx.init(params)
        updates, after = update(params, state, params)
    np.testing.assert_allclose(updates, expected, rtol=1e-6)
    for was, now in ((params, updates), (params, after.momentum), (state.scales, after.scales)):
        assert was.shape == now.shape and now.sharding.is_equivalent_to(was.sharding, was.ndim)


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint8", "bool"])
def test_other_integers_are_refused(dtype):
    with pytest.raises(TypeError, match="accumulator_dtype must be a floating dtype, int8 or None"):
        nag(0.1, accumulator_dtype=dtype)


def test_a_block_has_at_least_128_entries():
    for last in range(128, 2000, 7):
        count = math.prod(blocks.scales_shape((8, last)))
        assert 126 <= 8 * last / count < 256


EXOTIC = [name for name in dir(jnp) if name.startswith(("float8", "float4_", "float6_", "int4", "int2", "uint"))]


@pytest.mark.parametrize("dtype", sorted({*EXOTIC} - {*BYTES}))
def test_bytes_that_cannot_hold_a_velocity_are_refused(dtype):
    for given in (dtype, getattr(jnp, dtype)):
        with pytest.raises(TypeError, match=r"accumulator_dtype .*int8, float8_e4m3fn, float8_e5m2"):
            nag(0.1, accumulator_dtype=given)
        with pytest.raises(TypeError, match="communication_dtype must be"):
            mean_over("replica", given)
