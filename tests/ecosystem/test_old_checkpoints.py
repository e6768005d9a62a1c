"""Checkpoints that an earlier version wrote restore, and training goes on to where it led that version.

``tests/data/write_checkpoints.py`` is the account of what they hold.
"""

import functools
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

import nag_optax as no
from nag_optax import links, momenta, prox

ocp = pytest.importorskip("orbax.checkpoint")
serialization = pytest.importorskip("flax.serialization")

FOLDER = Path(__file__).parents[1] / "data" / "checkpoints"
START = {"w": jnp.linspace(-1.0, 1.0, 256).reshape(2, 128), "b": jnp.asarray(2.0)}
MASK = {"w": True, "b": False}

KINDS = {
    "nag": no.nag(0.05, 0.9),
    "nag_step_velocity": no.nag(0.05, 0.9, velocity="step"),
    "nag_nesterov_sequence": no.nag(0.3, momenta.nesterov()),
    "nag_weight_decay": no.nag(0.05, weight_decay=0.1),
    "nag_masked_weight_decay": no.nag(optax.linear_schedule(0.1, 0.0, 9), weight_decay=0.1, mask=MASK),
    "nag_int8": no.nag(0.05, 0.9, accumulator_dtype=jnp.int8),
    "nag_restart_gradient": no.nag(0.3, momenta.nesterov(), restart="gradient"),
    "nag_restart_value": no.nag(0.3, momenta.nesterov(), restart="value"),
    "nag_restart_speed": no.nag(0.3, momenta.polynomial(), restart="speed"),
    "scale_by_nag": optax.chain(no.scale_by_nag(0.9), optax.scale_by_learning_rate(0.05)),
    "inverse_sqrt_size": optax.chain(links.scale_by_inverse_sqrt_size(), no.nag(0.2)),
    "ogm": no.ogm(0.5),
    "robust_momentum": no.robust_momentum(1.0, 0.05, 0.85),
    "agg_mo": no.agg_mo(0.05, (0.0, 0.9)),
    "adan": no.adan(0.05),
    "adan_weight_decay": no.adan(0.05, weight_decay=0.1),
    "nadam": no.nadam(0.05, weight_decay=0.1, mask=MASK),
    "fista": no.fista(0.5, prox.l1(0.01)),
    "fista_monotone": no.fista(0.5, prox.l1(0.01), monotone=True),
    "adanag": no.adanag(1.0),
    "ac_fgm": no.ac_fgm(smoothness=1.0),
    "lookahead": no.lookahead(no.nag(0.1), 2, 0.5),
    "snoo": no.snoo(optax.adamw(0.1), 0.7, 0.9, period=2),
    "gpa": no.gpa(optax.sgd(0.5), 0.9, 0.8),
    "schedule_free": no.schedule_free(optax.adamw(0.5, b1=0.0), 0.5),
    "inject_hyperparams": optax.inject_hyperparams(no.nag)(0.05, momentum=0.8),
    "partition": optax.partition({"a": no.nag(0.1), "b": optax.adam(0.1)}, {"w": "a", "b": "b"}),
    "multi_steps": optax.MultiSteps(no.nag(0.1), 2).gradient_transformation(),
    "diloco_int8": no.diloco(optax.sgd(0.1), 0.7, 0.9, axis_name="replica", period=2, communication_dtype=jnp.int8),
    "compensated": optax.chain(no.nag(0.05, accumulator_dtype=jnp.float32), no.compensated()),
    "stochastic_rounding": optax.chain(
        no.nag(0.05, accumulator_dtype=jnp.float32), no.stochastic_rounding(jax.random.PRNGKey(0))
    ),
}


def loss(params):
    return 0.25 * jnp.sum(params["w"] ** 2) + 0.5 * params["b"] ** 2


def solution():
    return no.minimize(loss, START, prox=prox.l1(0.01), max_steps=3)


def on_replicas(name, function):
    return jax.vmap(function, axis_name="replica") if name == "diloco_int8" else function


def template(name):
    """What is in the file: params and state after three updates, params and base iterate after two more."""
    params = START
    if name == "diloco_int8":
        params = jax.tree.map(lambda p: jnp.stack([p, 2 * p]), START)
    if name in ("compensated", "stochastic_rounding"):
        params = jax.tree.map(lambda p: p.astype(jnp.bfloat16), START)
    state = on_replicas(name, KINDS[name].init)(params)
    return {"params": params, "state": state, "after": params, "base": params}


@pytest.fixture(scope="module")
def templates():
    return {name: template(name) for name in KINDS} | {"solution": {"state": solution()}}


@pytest.fixture(scope="module")
def by_flax(templates):
    return serialization.from_bytes(templates, (FOLDER / "flax.msgpack").read_bytes())


@pytest.fixture(scope="module")
def by_orbax(templates):
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore(FOLDER / "orbax", jax.tree.map(ocp.utils.to_shape_dtype_struct, templates))


@pytest.fixture(params=["flax", "orbax"])
def restored(request):
    return request.getfixturevalue(f"by_{request.param}")


@pytest.mark.parametrize("name", KINDS)
def test_training_goes_on_to_where_it_led(name, restored, templates):
    found = restored[name]
    assert jax.tree.structure(found) == jax.tree.structure(templates[name])
    tx = optax.with_extra_args_support(KINDS[name])

    def step(params, state):
        updates, state = tx.update(jax.grad(loss)(params), state, params, value=loss(params), value_fn=loss)
        return optax.apply_updates(params, updates), state

    params, state = jax.tree.map(jnp.asarray, (found["params"], found["state"]))
    before = jax.tree.map(lambda x: (x.shape, x.dtype), state)
    for _ in range(2):
        params, state = jax.jit(on_replicas(name, step))(params, state)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), state) == before
    tolerance = 1e-3 if name in ("adanag", "ac_fgm") else 1e-5  # rounding shows at once where it sets the step
    close = functools.partial(chex.assert_trees_all_close, rtol=tolerance, atol=tolerance)
    close(params, found["after"])
    known = {"learning_rate": 0.05} if name == "scale_by_nag" else {}
    base = on_replicas(name, lambda state, params: no.eval_params(state, params, **known))(state, params)
    close(base, found["base"])


def test_a_solution_warms_a_start(restored):
    warm = jax.tree.map(jnp.asarray, restored["solution"]["state"])
    assert isinstance(warm, no.Solution)
    chex.assert_trees_all_close(warm, solution(), rtol=1e-5)
    assert int(no.minimize(loss, warm, prox=prox.l1(0.01)).status) == no.Status.CONVERGED
