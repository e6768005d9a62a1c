"""The replicas' common program: its first state, one step, and the measurements of a state."""

from argparse import Namespace
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from nag_optax import eval_params
from trainer.data import byte_text
from trainer.language_model.methods import Method, adamw
from trainer.language_model.options import LENGTH, TEST_WINDOWS, sizes
from trainer.networks import transformer
from trainer.parallel import replicas


class Training(NamedTuple):
    """A method ready to run: its first state, one step, and the measurements of a state."""

    state: tuple[Any, Any]
    step: Any
    measure: Callable[[Any], dict[str, float | None]]


def prepare(method: Method, text: byte_text.Text, options: Namespace, mesh: Mesh) -> Training:
    """The replicas' common program."""
    graph, params = transformer.create(options.seed, **sizes(options))
    tx = method.optimizer(adamw(options), options)
    loss = partial(transformer.loss, graph)

    def step(state, tokens):
        params, opt_state = state
        value, gradients = jax.value_and_grad(loss)(params, tokens)
        if method.averages_gradients:
            gradients = jax.lax.pmean(gradients, replicas.AXIS)
        updates, opt_state = tx.update(gradients, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), value

    def test(state, tokens):
        params, opt_state = state
        base = eval_params(opt_state, params) if method.has_base_iterate else params
        return jnp.stack([loss(params, tokens), loss(base, tokens)])

    windows = byte_text.test_windows(text, TEST_WINDOWS, LENGTH)
    shared_out = replicas.split(windows.reshape(mesh.size, -1, windows.shape[1]), mesh)
    tested = jax.jit(replicas.on_each(test, mesh))

    def measure(state):
        at_params, at_base = replicas.gathered(tested(state, shared_out)).mean(0)
        return {"test_loss": float(at_params), "base_loss": float(at_base) if method.has_base_iterate else None}

    state = replicas.copied((params, jax.jit(tx.init)(params)), mesh)
    return Training(state, jax.jit(replicas.on_each(step, mesh), donate_argnums=0), measure)
