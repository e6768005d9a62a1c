"""The states that lie in this folder, one of each kind: at commit 8d1fdc4, this file wrote them.

    python write_checkpoints.py checkpoints

Each comes after three updates, with what the next two lead to. `tests/ecosystem/test_old_checkpoints.py` makes the same
transformations of today's library, by the names of that time.
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


def kinds():
    """The transformations by name."""
    wide = no.nag(0.05, accumulator_dtype=jnp.float32)
    return {
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
        "compensated": optax.chain(wide, no.compensated()),
        "stochastic_rounding": optax.chain(wide, no.stochastic_rounding(jax.random.PRNGKey(0))),
    }


def loss(params):
    """Half of the squared norm, a quarter of it for w."""
    return 0.25 * jnp.sum(params["w"] ** 2) + 0.5 * params["b"] ** 2


def solution():
    """A solution of `minimize`, from which a warm start goes on."""
    return no.minimize(loss, START, prox=no.prox.l1(0.01), max_steps=3)


def on_replicas(name, function):
    """The function, on two replicas where a kind has them."""
    return jax.vmap(function, axis_name="replica") if name == "diloco_int8" else function


def begin(name, tx):
    """The first params and state."""
    params = LOW if name in ("compensated", "stochastic_rounding") else START
    if name == "diloco_int8":
        params = jax.tree.map(lambda p: jnp.stack([p, 2 * p]), params)
    return params, on_replicas(name, tx.init)(params)


def advance(name, tx, params, state, steps):
    """Params and state after more updates."""
    tx = optax.with_extra_args_support(tx)

    def step(params, state):
        updates, state = tx.update(jax.grad(loss)(params), state, params, value=loss(params), value_fn=loss)
        return optax.apply_updates(params, updates), state

    compiled = jax.jit(on_replicas(name, step))
    for _ in range(steps):
        params, state = compiled(params, state)
    return params, state


def base_iterate(name, params, state):
    """The base iterate, of every replica."""
    known = {"learning_rate": 0.05} if name == "scale_by_nag" else {}
    return on_replicas(name, lambda params, state: no.eval_params(state, params, **known))(params, state)


def record(name, tx):
    """What is kept of a kind."""
    halfway = advance(name, tx, *begin(name, tx), 3)
    end = advance(name, tx, *halfway, 2)
    return {"params": halfway[0], "state": halfway[1], "after": end[0], "base": base_iterate(name, *end)}


def main(folder):
    """Writes one file for flax.serialization and one checkpoint of Orbax."""
    folder = Path(folder).absolute()
    records = {name: record(name, tx) for name, tx in kinds().items()} | {"solution": {"state": solution()}}
    (folder / "flax.msgpack").write_bytes(serialization.to_bytes(records))
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder / "orbax", records)


if __name__ == "__main__":
    main(*sys.argv[1:])
