"""Real trainings of a size for CPUs, as pure functions: the digits CNN and the small language model of the examples."""

import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

sys.path.append(str(Path(__file__).parents[1] / "examples"))  # whose files import each other by name

import byte_text
import digits
import train_cnn
import transformer


class Task(NamedTuple):
    """What there is to train.

    Attributes:
      init: seed to params.
      batches: (seed, steps) to batches, a pytree of arrays [steps, ...].
      loss: (params, batch) to the mean training loss.
      test_loss: params to the loss on what is never trained on.
    """

    init: Callable[[int], Any]
    batches: Callable[[int, int], Any]
    loss: Callable[[Any, Any], jax.Array]
    test_loss: Callable[[Any], jax.Array]


@functools.cache
def digits_cnn(batch_size: int = 128) -> Task:
    """The network of ``examples/train_cnn.py`` on randomly shifted digits: cross-entropy in nats."""
    data = digits.load()
    per_epoch = digits.TRAIN_SIZE // batch_size

    def batches(seed, steps):
        epochs = (digits.batches(data, seed, epoch, batch_size) for epoch in range(-(-steps // per_epoch)))
        images, labels = zip(*(batch for epoch in epochs for batch in epoch), strict=True)
        keys = jax.random.split(jax.random.key(seed), steps)
        return keys, jnp.asarray(np.stack(images[:steps])), jnp.asarray(np.stack(labels[:steps]))

    def loss(params, batch):
        key, images, labels = batch
        return train_cnn.loss_and_accuracy(params, digits.random_shift(key, images), labels)[0]

    def test_loss(params):
        return train_cnn.loss_and_accuracy(params, data.test_images, data.test_labels)[0]

    return Task(
        lambda seed: train_cnn.CNN().init(jax.random.key(seed), jnp.zeros((1, 8, 8, 1)))["params"],
        batches,
        loss,
        test_loss,
    )


@functools.cache
def language_model(batch_size: int = 8, width: int = 64, length: int = 64) -> Task:
    """The transformer of ``examples/train_diloco.py`` on text that ships with Python: nats a byte."""
    text = byte_text.load()
    sizes = {"vocabulary": byte_text.VOCABULARY, "length": length, "width": width, "depth": 2, "heads": 4}
    graph, _ = transformer.create(0, **sizes)
    windows = byte_text.test_windows(text, 256, length)

    def batches(seed, steps):
        return jnp.asarray(np.stack([byte_text.batch(text, seed, k, batch_size, length) for k in range(steps)]))

    return Task(
        lambda seed: transformer.create(seed, **sizes)[1],
        batches,
        functools.partial(transformer.loss, graph),
        lambda params: transformer.loss(graph, params, windows),
    )


TASKS = {"digits CNN": digits_cnn, "small transformer": language_model}


def train(
    task: Task, tx: optax.GradientTransformation, steps: int, seed: int, *, every: int, dtype: Any = None
) -> Iterator[tuple[int, float, float]]:
    """Yields (step, mean training loss since the last, test loss) every so many steps.

    Args:
      task: what to train.
      tx: the optimizer.
      steps: a multiple of ``every``.
      seed: of params and batches.
      every: steps between tests.
      dtype: of params; float32 by default.
    """
    params = jax.tree.map(lambda p: jnp.asarray(p, dtype), task.init(seed))
    state = jax.jit(tx.init)(params)
    batches, losses = task.batches(seed, steps), []
    for k in range(steps):  # not a scan: XLA's CPU backend runs convolutions in a loop thirty times slower
        params, state, loss = _step(task, tx, params, state, jax.tree.map(lambda x, k=k: x[k], batches))
        losses.append(loss)
        if (k + 1) % every == 0:
            yield k + 1, float(jnp.stack(losses).mean()), float(_test_loss(task, params))
            losses = []


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=(2, 3))
def _step(task, tx, params, state, batch):
    value, gradients = jax.value_and_grad(task.loss)(params, batch)
    updates, state = tx.update(gradients, state, params)
    return optax.apply_updates(params, updates), state, value


@functools.partial(jax.jit, static_argnums=0)
def _test_loss(task, params):
    return task.test_loss(params)
