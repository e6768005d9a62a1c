"""diagnostics: what a log is told of a state, through any wrapper."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no
from nag_optax import diagnostics, momenta
from tests.catalogue.methods import METHODS

PARAMS = {"w": jnp.ones((3, 100)), "b": jnp.ones(4)}
RATE = optax.linear_schedule(0.4, 0.0, 8)


def after(tx, steps=5, params=PARAMS):
    """The state after so many gradients, whose entries are 1, 2, 3, ..."""
    tx, state = optax.with_extra_args_support(tx), tx.init(params)
    for k in range(steps):
        gradient = jax.tree.map(lambda p, k=k: jnp.full_like(p, k + 1.0), params)
        _, state = tx.update(gradient, state, params, value=jnp.ones(()))
    return state


def of_numpy(momentum, steps=5):
    """The norm of NAG's velocity after these gradients, entry by entry the same."""
    m = 0.0
    for k in range(steps):
        m = momentum[k] * m + k + 1
    return m * 304**0.5


NAG = no.nag(RATE, momenta.nesterov())
WRAPPED = {
    "alone": NAG,
    "jit": NAG,
    "chain": optax.chain(optax.clip(100.0), NAG, no.stochastic_rounding(0)),
    "inject_hyperparams": optax.inject_hyperparams(no.nag, static_args="momentum")(RATE, momenta.nesterov()),
    "apply_if_finite": optax.apply_if_finite(NAG, 3),
    "MultiSteps": optax.MultiSteps(NAG, 1).gradient_transformation(),
    "masked": optax.masked(NAG, {"w": True, "b": True}),
    "flatten": optax.flatten(NAG),
    "weight decay": no.nag(RATE, momenta.nesterov(), weight_decay=0.1),
    "scale_by_nag": optax.chain(no.scale_by_nag(momenta.nesterov()), optax.scale_by_learning_rate(RATE)),
    "int8": no.nag(RATE, momenta.nesterov(), accumulator_dtype=jnp.int8),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_numbers_of_the_last_update(name):
    read = jax.jit(diagnostics) if name == "jit" else diagnostics
    seen = read(after(WRAPPED[name]))
    momentum = np.asarray(momenta.tabulate(momenta.nesterov(), 5))
    expected = {"step": 5, "age": 5, "restarts": 0, "momentum": momentum[4], "velocity_norm": of_numpy(momentum)}
    if name != "scale_by_nag":
        expected["learning_rate"] = 0.4 * (1 - 4 / 8)
    assert seen.keys() == {*expected, "bytes"}
    for entry, number in expected.items():
        tolerance = 2e-2 if name == "int8" and entry == "velocity_norm" else 1e-5
        np.testing.assert_allclose(float(seen[entry]), number, rtol=tolerance, err_msg=entry)


def test_bytes_of_the_state():
    scalars = 9 * 4  # step, age, two of t_k, readout, reference, restarts, learning rate, momentum
    assert float(diagnostics(after(NAG))["bytes"]) == 304 * 4 + scalars
    scales, small = 2 * 4, 4 * 4  # of b, which stays in float32
    assert float(diagnostics(after(WRAPPED["int8"]))["bytes"]) == 300 + small + scales + scalars


def test_restarts_are_counted():
    state = after(no.nag(0.1, restart=no.restart.every(2)), steps=7)
    seen = diagnostics(state)
    assert (int(seen["step"]), int(seen["restarts"]), int(seen["age"])) == (7, 3, 1)
    assert optax.tree.get(state, "momentum")["b"].shape == (4,)  # the buffer; nothing in the log's names hides it
    moved = no.reanchor(no.nag(0.1), state, PARAMS)
    assert int(diagnostics(moved)["restarts"]) == 3


def test_several_states_have_their_places():
    two = optax.partition({"slow": no.nag(0.1, 0.5), "fast": no.nag(0.2)}, {"w": "slow", "b": "fast"})
    seen = diagnostics(after(two))
    assert float(seen["slow/momentum"]) == 0.5 and float(seen["fast/learning_rate"]) == pytest.approx(0.2)
    parts = np.hypot(float(seen["slow/velocity_norm"]), float(seen["fast/velocity_norm"]))
    np.testing.assert_allclose(float(seen["velocity_norm"]), parts, rtol=1e-6)
    around = diagnostics(after(no.snoo(no.nag(0.1), period=2)))
    assert int(around["inner/step"]) == 5 and int(around["outer/step"]) == 2
    assert "velocity_norm" not in around  # of two velocities of the same parameter


def test_a_flax_train_state_and_an_nnx_optimizer():
    nnx, train_state = pytest.importorskip("flax.nnx"), pytest.importorskip("flax.training.train_state")
    state = train_state.TrainState.create(apply_fn=None, params=PARAMS, tx=NAG)
    state = state.apply_gradients(grads=PARAMS)
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, NAG, wrt=nnx.Param)
    optimizer.update(model, nnx.state(model, nnx.Param))
    for seen in (diagnostics(state), diagnostics(state.opt_state), diagnostics(optimizer.opt_state)):
        assert int(seen["step"]) == 1 and float(seen["learning_rate"]) == pytest.approx(0.4)


def test_states_that_have_nothing_to_say_are_refused():
    with pytest.raises(ValueError, match="no accelerated method of nag_optax, got tuple"):
        diagnostics(optax.sgd(0.1).init(PARAMS))
    stack = jax.vmap(NAG.init)({"w": jnp.ones((2, 3))})
    with pytest.raises(ValueError, match=r"a stack of 2.* use jax.vmap\(diagnostics\)"):
        diagnostics(stack)
    assert jax.vmap(diagnostics)(stack)["step"].shape == (2,)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_what_it_was_told(name):
    row = METHODS[name]
    seen = diagnostics(after(row.make(), steps=3, params=jnp.ones(300)))
    steps = [x for entry, x in seen.items() if entry.split("/")[-1] == "step"]
    assert steps and all(int(x) == 3 for x in steps)
    assert all(np.isfinite(x) for x in seen.values())
    momenta_seen = [float(x) for entry, x in seen.items() if entry.split("/")[-1] == "momentum"]
    assert all(0 <= x < 1 for x in momenta_seen), momenta_seen
    for argument in ("learning_rate", "momentum"):
        told = row.arguments.get(argument)
        if isinstance(told, float) and argument in seen:
            assert float(seen[argument]) == pytest.approx(told)
    assert momenta_seen or "step_size" in seen or name.startswith(("fista", "optista", "pogm", "proximal_gradient"))
