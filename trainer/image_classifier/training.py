"""The training of VGG16: its optimizer, its first state, and a step."""

from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_optax import state_shardings
from trainer.image_classifier.options import NONE, network
from trainer.networks import pretrained, vgg16
from trainer.parallel import data_parallel
from trainer.run import optimizers


class Training(NamedTuple):
    """All that a step changes: its number, params, statistics of the normalisations, the optimizer's state."""

    step: Array
    params: Any
    statistics: Any
    opt_state: Any


def make_optimizer(options: Namespace, steps_per_epoch: int) -> optax.GradientTransformation:
    """Weight decay, the optimizer with its schedule, freezing and accumulation."""
    updates_per_epoch = max(1, steps_per_epoch // options.accumulate)
    rate = optax.warmup_cosine_decay_schedule(
        0.0, options.learning_rate, options.warmup_epochs * updates_per_epoch, options.epochs * updates_per_epoch
    )
    tx = optimizers.build(options, rate)
    if options.weight_decay:
        kernels = partial(jax.tree.map, lambda p: p.ndim > 1)
        tx = optax.chain(optax.add_decayed_weights(options.weight_decay, kernels), tx)
    if options.fine_tune:
        tx = optax.partition({"train": tx, "freeze": optax.set_to_zero()}, trained_layers)
    return optax.MultiSteps(tx, options.accumulate).gradient_transformation() if options.accumulate > 1 else tx


def trained_layers(params: Any) -> Any:
    """A label for every parameter: only the dense layers are trained."""

    def label(path, _):
        return "freeze" if path and path[0].key != "dense" else "train"

    return jax.tree_util.tree_map_with_path(label, params)


def make_step(graph, tx: optax.GradientTransformation, options: Namespace):
    """One step of training: the next state, and loss and accuracy before it."""

    def loss_fn(params, statistics, key, images, labels):
        logits, statistics = vgg16.apply(graph, params, statistics, images, key)
        targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), options.label_smoothing)
        accuracy = (logits.argmax(axis=-1) == labels).mean()
        return optax.softmax_cross_entropy(logits, targets).mean(), (statistics, accuracy)

    def step(state: Training, key: Array, images: Array, labels: Array):
        key = jax.random.fold_in(key, state.step)
        (loss, (statistics, accuracy)), gradients = jax.value_and_grad(loss_fn, has_aux=True)(
            state.params, state.statistics, key, images, labels
        )
        updates, opt_state = tx.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        return Training(state.step + 1, params, statistics, opt_state), (loss, accuracy)

    return step


def first_state(options: Namespace, tx: optax.GradientTransformation):
    """The network's graph and the state before the first step, where it belongs on the devices."""
    graph, params, statistics = network(options)
    if options.pretrained != NONE:
        params, statistics, other = pretrained.load(Path(options.pretrained), params, statistics)
        print(f"Weights of {options.pretrained}" + (", except for the last layer: other classes" if other else ""))
    replicated, _ = data_parallel.shardings()
    params = jax.device_put(params, data_parallel.split_params(params) if options.sharding == "fsdp" else replicated)
    opt_state = jax.jit(tx.init, out_shardings=state_shardings(tx, params))(params)
    rest = jax.device_put((jnp.zeros((), jnp.int32), statistics), replicated)
    return graph, Training(rest[0], params, rest[1], opt_state)
