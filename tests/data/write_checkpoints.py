"""Wrote the checkpoints of this folder, run at commit 8d1fdc4: ``python write_checkpoints.py checkpoints``.

One of each kind of state, after three updates, with what the next two lead to. It stays as the account of what the
files hold; `tests/ecosystem/test_old_checkpoints.py` builds the same transformations under today's names.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
import orbax.checkpoint as ocp
from flax import serialization

import nag_optax as no

START = {"w": jnp.linspace(-1.0, 1.0, 256).reshape(2, 128), "b": jnp.asarray(2.0)}
LOW = jax.tree.map(lambda p: p.astype(jnp.bfloat16), START)
MASK = {"w": True, "b": False}

KINDS = {
    "nag": no.nag(0.05, 0.9),
    "nag_step_velocity": no.nag(0.05, 0.9, velocity="step"),
    "nag_nesterov_sequence": no.nag(0.3, no.schedules.nesterov()),
    "nag_weight_decay": no.nag(0.05, weight_decay=0.1),
    "nag_masked_weight_decay": no.nag(optax.linear_schedule(0.1, 0.0, 9), weight_decay=0.1, mask=MASK),
    "nag_int8": no.nag(0.05, 0.9, accumulator_dtype=jnp.int8),
    "nag_restart_gradient": no.nag(0.3, no.schedules.nesterov(), restart="gradient"),
    "nag_restart_value": no.nag(0.3, no.schedules.nesterov(), restart="value"),
    "nag_restart_speed": no.nag(0.3, no.schedules.polynomial(), restart="speed"),
    "scale_by_nag": optax.chain(no.scale_by_nag(0.9), optax.scale_by_learning_rate(0.05)),
    "inverse_sqrt_size": optax.chain(no.scale_by_inverse_sqrt_size(), no.nag(0.2)),
    "ogm": no.ogm(0.5),
    "robust_momentum": no.robust_momentum(1.0, 0.05, 0.85),
    "agg_mo": no.agg_mo(0.05, (0.0, 0.9)),
    "adan": no.adan(0.05),
    "adan_weight_decay": no.adan(0.05, weight_decay=0.1),
    "nadam": no.nadam(0.05, weight_decay=0.1, mask=MASK),
    "fista": no.fista(0.5, no.prox.l1(0.01)),
    "fista_monotone": no.fista(0.5, no.prox.l1(0.01), monotone=True),
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


def start(name):
    """The params that a kind begins with."""
    if name == "diloco_int8":  # two replicas
        return jax.tree.map(lambda p: jnp.stack([p, 2 * p]), START)
    return LOW if name in ("compensated", "stochastic_rounding") else START


def value(params):
    """The objective: half of the squared norm, a quarter of it for w."""
    return 0.25 * jnp.sum(params["w"] ** 2) + 0.5 * params["b"] ** 2


def updated(tx, params, state):
    """Params and state after one more update."""
    gradients = jax.grad(value)(params)
    updates, state = tx.update(gradients, state, params, value=value(params), value_fn=value)
    return optax.apply_updates(params, updates), state


def advance(name, tx, params, state, steps):
    """Params and state after more updates."""

    def one(params, state):
        return updated(optax.with_extra_args_support(tx), params, state)

    if name == "diloco_int8":
        one = jax.vmap(one, axis_name="replica")
    one = jax.jit(one)
    for _ in range(steps):
        params, state = one(params, state)
    return params, state


def init(name, tx):
    """The first params and state."""
    params = start(name)
    return params, jax.vmap(tx.init)(params) if name == "diloco_int8" else tx.init(params)


def base(name, state, params):
    """The base iterate; of replicas, each one's."""
    if name == "scale_by_nag":
        return no.eval_params(state, params, learning_rate=0.05)
    if name == "diloco_int8":
        return jax.vmap(no.eval_params)(state, params)
    return no.eval_params(state, params)


def record(name, tx):
    """What is kept of a kind."""
    halfway = advance(name, tx, *init(name, tx), 3)
    params, state = advance(name, tx, *halfway, 2)
    return {"params": halfway[0], "state": halfway[1], "after": params, "base": base(name, state, params)}


def solution():
    """A solution of `minimize`, from which a warm start goes on."""
    return no.minimize(value, START, prox=no.prox.l1(0.01), max_steps=3)


def main(folder):
    """Writes one file for flax.serialization and one checkpoint of Orbax."""
    folder = Path(folder).absolute()
    records = {name: record(name, tx) for name, tx in KINDS.items()} | {"solution": {"state": solution()}}
    (folder / "flax.msgpack").write_bytes(serialization.to_bytes(records))
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder / "orbax", records)


if __name__ == "__main__":
    main(*sys.argv[1:])
