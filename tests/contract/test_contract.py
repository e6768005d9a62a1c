"""What every public transformation promises, whatever the method.

The model is Optax's own common test of its optimizers; the rows are in ``transformations.py``.
"""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from transformations import KINDS, PARAMETER_FREE, REDUCING, TRANSFORMATIONS

from nag_optax import eval_params, state_shardings
from trainer.parallel.traffic import COLLECTIVES

every_transformation = pytest.mark.parametrize("name", TRANSFORMATIONS)
every_kind = pytest.mark.parametrize("name", KINDS)


def make(name):
    factory, arguments = TRANSFORMATIONS[name]
    return factory(**arguments)


def evaluate(name, state, params):
    """The base iterate, with the learning rate that a scale_by_* link lacks."""
    arguments = {"learning_rate": TRANSFORMATIONS[name][1]["learning_rate"]} if name == "scale_by_nag" else {}
    return eval_params(state, params, **arguments)


def quadratic(dtype):
    """A pytree with a scalar leaf, and one that is worth quantising; condition number 20."""
    start = {"w": jnp.ones((8, 128), dtype), "b": jnp.asarray(-1.0, dtype), "v": (jnp.full((4,), 2.0, dtype),)}

    def loss(params):
        return sum(
            c * jnp.sum(jnp.abs(p) ** 2) / 2 for c, p in zip((1, 0.05, 0.2), jax.tree.leaves(params), strict=True)
        )

    return start, loss, 0.0


def logistic(dtype):
    """A regularised logistic regression with an intercept."""
    x = jnp.asarray(np.random.default_rng(0).standard_normal((40, 3)), dtype)
    y = jnp.sign(x @ jnp.asarray([1.0, -2.0, 0.5], dtype))
    start = {"w": jnp.zeros(3, dtype), "b": jnp.asarray(0.0, dtype)}

    def loss(params):
        margins = y * (x @ params["w"] + params["b"]).real
        return jnp.mean(jnp.log1p(jnp.exp(-margins))) + 0.05 * sum(
            jnp.sum(jnp.abs(p) ** 2) for p in jax.tree.leaves(params)
        )

    optimum = jax.jit(
        lambda: jax.lax.fori_loop(
            0, 3000, lambda _, p: jax.tree.map(lambda a, g: a - 0.5 * g, p, jax.grad(loss)(p)), start
        )
    )()
    return start, loss, float(loss(optimum))


def gradient(loss, params):
    """Conjugated for complex parameters, where JAX's gradient is the conjugate of the direction of ascent."""
    return jax.tree.map(jnp.conj, jax.grad(loss)(params))


def step(tx, loss):
    def one(params, state):
        value = loss(params)
        updates, state = tx.update(gradient(loss, params), state, params, value=value, an_unknown_argument=None)
        return optax.apply_updates(params, updates), state

    return one


@functools.cache
def plain_step(name):
    """One step of a transformation on the quadratic, compiled once for all tests."""
    return jax.jit(step(make(name), quadratic(jnp.float32)[1]))


def advance(one, carry, steps):
    """Params and state after some steps."""
    for _ in range(steps):
        carry = one(*carry)
    return carry


def signature(tree):
    return jax.tree.map(lambda x: (jnp.shape(x), jnp.result_type(x), getattr(x, "weak_type", False)), tree)


@every_transformation
@pytest.mark.parametrize(
    ("problem", "dtype"),
    [(quadratic, "bfloat16"), (quadratic, "complex64"), (logistic, "float32")],
)
def test_converges_under_scan_and_keeps_dtype_and_structure(name, problem, dtype):
    start, loss, optimum = problem(jnp.dtype(dtype))
    tx = make(name)
    state = tx.init(start)

    @jax.jit
    def train(params, state):
        return jax.lax.scan(lambda carry, _: (step(tx, loss)(*carry), None), (params, state), length=500)[0]

    params, final = train(start, state)
    assert signature((params, final)) == signature((start, state))
    base = evaluate(name, final, params)
    assert signature(base) == signature(start)
    tolerance = {"float32": 1e-3, "complex64": 1e-3, "bfloat16": 5e-2}[dtype]
    for point in (params, base):
        assert loss(point) - optimum < tolerance * (loss(start) - optimum)


@every_transformation
def test_float64_stays_float64(name, float64):
    start, loss, _ = quadratic(jnp.float64)
    tx = make(name)
    state = tx.init(start)
    chex.assert_trees_all_equal_dtypes(step(tx, loss)(start, state), (start, state))
    allowed = (jnp.float64, jnp.int32, *((jnp.int8, jnp.float32) if "int8" in name else ()))
    assert all(leaf.dtype in allowed for leaf in jax.tree.leaves(state))


@every_transformation
def test_agrees_under_jit_and_eagerly_and_compiles_once(name):
    start, loss, _ = quadratic(jnp.float32)
    tx = make(name)
    eager, jitted = (start, tx.init(start)), (start, jax.jit(tx.init)(start))
    chex.clear_trace_counter()
    compiled = jax.jit(chex.assert_max_traces(step(tx, loss), n=1))
    for _ in range(5):
        eager, jitted = step(tx, loss)(*eager), compiled(*jitted)
    tolerance = 1e-3 if name in PARAMETER_FREE else 1e-6
    chex.assert_trees_all_close(eager, jitted, rtol=tolerance, atol=tolerance)


@every_transformation
def test_params_and_state_may_be_donated_together(name):
    start, loss, _ = quadratic(jnp.float32)
    tx = make(name)
    donating = jax.jit(step(tx, loss), donate_argnums=(0, 1))
    for init in (tx.init, jax.jit(tx.init)):
        carry = (jax.tree.map(jnp.copy, start), init(start))
        for _ in range(2):
            carry = donating(*carry)
        chex.assert_tree_all_finite(carry[0])


@every_transformation
def test_survives_inject_hyperparams(name):
    factory, arguments = TRANSFORMATIONS[name]
    static = [key for key, value in arguments.items() if not isinstance(value, float)]
    injected = optax.inject_hyperparams(factory, static_args=static, hyperparam_dtype=jnp.float32)(**arguments)
    start, loss, _ = quadratic(jnp.float32)
    plain = advance(plain_step(name), (start, make(name).init(start)), 5)
    carry = advance(jax.jit(step(injected, loss)), (start, injected.init(start)), 5)
    chex.assert_trees_all_close(carry[0], plain[0], rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(
        evaluate(name, carry[1], carry[0]), evaluate(name, plain[1], plain[0]), rtol=1e-5, atol=1e-6
    )


@every_kind
def test_survives_multi_steps(name):
    start, loss, _ = quadratic(jnp.float32)
    every_second = optax.MultiSteps(make(name), every_k_schedule=2)
    plain = advance(plain_step(name), (start, make(name).init(start)), 3)
    carry = advance(jax.jit(step(every_second, loss)), (start, every_second.init(start)), 6)
    chex.assert_trees_all_close(carry[0], plain[0], rtol=1e-6)
    chex.assert_trees_all_close(evaluate(name, carry[1], carry[0]), evaluate(name, plain[1], plain[0]), rtol=1e-6)


@every_kind
def test_survives_masked(name):
    start, loss, _ = quadratic(jnp.float32)
    tx = optax.chain(
        optax.masked(make(name), {"w": True, "b": False, "v": True}),
        optax.masked(optax.set_to_zero(), {"w": False, "b": True, "v": False}),
    )
    carry = advance(jax.jit(step(tx, loss)), (start, tx.init(start)), 5)
    base = evaluate(name, carry[1], carry[0])
    assert carry[0]["b"] == start["b"] == base["b"]
    assert jnp.all(carry[0]["w"] != start["w"])


@every_kind
def test_survives_partition(name):
    start, loss, _ = quadratic(jnp.float32)
    tx = optax.partition({"ours": make(name), "theirs": optax.sgd(0.1)}, {"w": "ours", "b": "theirs", "v": "ours"})
    carry = advance(jax.jit(step(tx, loss)), (start, tx.init(start)), 5)
    base = evaluate(name, carry[1], carry[0])
    assert carry[0]["b"] == base["b"] != start["b"]
    assert jnp.all(carry[0]["w"] != start["w"])


@every_kind
def test_survives_vmap(name):
    start, loss, _ = quadratic(jnp.float32)
    tx = make(name)
    batch = jax.tree.map(lambda x: jnp.stack([x, 2 * x]), start)
    params, _ = jax.jit(jax.vmap(lambda one: step(tx, loss)(one, tx.init(one))))(batch)
    for i in range(2):
        one = jax.tree.map(lambda x, i=i: x[i], batch)
        alone, _ = plain_step(name)(one, tx.init(one))
        chex.assert_trees_all_close(jax.tree.map(lambda x, i=i: x[i], params), alone, rtol=1e-6)


@every_kind
def test_apply_if_finite_skips_a_bad_gradient_and_leaves_the_state_intact(name):
    start, loss, _ = quadratic(jnp.float32)
    tx = optax.apply_if_finite(make(name), max_consecutive_errors=3)
    update = jax.jit(lambda g, s, p, value: tx.update(g, s, p, value=value))
    updates, state = update(gradient(loss, start), tx.init(start), start, loss(start))
    params = optax.apply_updates(start, updates)
    bad = jax.tree.map(lambda x: jnp.full_like(x, jnp.nan), params)
    updates, after = update(bad, state, params, jnp.asarray(jnp.nan))
    chex.assert_trees_all_equal(optax.apply_updates(params, updates), params)
    chex.assert_trees_all_equal(after.inner_state, state.inner_state)
    chex.assert_trees_all_equal(evaluate(name, after, params), evaluate(name, state, params))


@every_transformation
@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_bad_gradients_pass_through_unhidden(name, bad):
    start, _, _ = quadratic(jnp.float32)
    tx = make(name)
    _, state = plain_step(name)(start, tx.init(start))
    updates, _ = tx.update(jax.tree.map(lambda x: jnp.full_like(x, bad), start), state, start, value=1.0)
    assert not any(jnp.isfinite(u).any() for u in jax.tree.leaves(updates))


@pytest.mark.parametrize(
    ("name", "axis_type", "init"),
    [
        *((name, AxisType.Auto, "jit") for name in TRANSFORMATIONS),
        *((name, AxisType.Explicit, "eager") for name in KINDS),
    ],
)
def test_state_and_updates_inherit_sharding(name, axis_type, init):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(axis_type,))
    sharded, replicated = (NamedSharding(mesh, PartitionSpec(*spec)) for spec in (("data",), ()))
    params = {"w": jax.device_put(jnp.ones((16, 128)), sharded), "b": jax.device_put(jnp.ones(()), replicated)}
    tx = make(name)
    with jax.set_mesh(mesh) if hasattr(jax, "set_mesh") else jax.sharding.use_mesh(mesh):
        if init == "eager":
            state = tx.init(params)
        else:  # jit(init) alone would put everything on one device on an Auto mesh
            shardings = state_shardings(tx, params)
            state = jax.jit(tx.init, out_shardings=shardings)(params)
        update = jax.jit(lambda g, s, p: tx.update(g, s, p, value=1.0))
        updates, after = update(params, state, params)

    def buffers(tree):
        return [leaf for leaf in jax.tree.leaves(tree) if leaf.shape == (16, 128)]

    for leaf in buffers(state) + buffers(updates) + buffers(after):
        assert leaf.sharding.is_equivalent_to(sharded, leaf.ndim)
    assert buffers(state) and len(buffers(state)) == len(buffers(after))
    if name not in REDUCING:
        hlo = update.lower(params, state, params).compile().as_text() or ""
        assert not any(collective in hlo for collective in COLLECTIVES)
