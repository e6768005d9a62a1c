"""Real trainings of a size for CPUs, as pure functions: the networks of `trainer`, and a deep autoencoder."""

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import autoencoder
from trainer.data import byte_text, digits
from trainer.networks import cnn, transformer, vgg16


class Task(NamedTuple):
    """What there is to train.

    Attributes:
      init: seed to params.
      batches: seed to batches without end, pytrees of arrays.
      loss: (params, batch) to the mean training loss.
      test: params to (loss, accuracy) on what targets are set for; the accuracy is NaN where there are no classes.
    """

    init: Callable[[int], Any]
    batches: Callable[[int], Iterator[Any]]
    loss: Callable[[Any, Any], jax.Array]
    test: Callable[[Any], tuple[Any, Any]]


@functools.cache
def digits_cnn(batch_size: int = 128) -> Task:
    """The network of ``programs/train_cnn.py`` on randomly shifted digits: cross-entropy in nats."""
    data = digits.load()

    def init(seed):
        return cnn.CNN().init(jax.random.key(seed), jnp.zeros((1, 8, 8, 1)))["params"]

    def loss(params, batch):
        key, images, labels = batch
        return cnn.loss_and_accuracy(params, digits.random_shift(key, images), labels)[0]

    def test(params):
        return cnn.loss_and_accuracy(params, data.test_images, data.test_labels)

    return Task(init, functools.partial(_shuffled, data, batch_size), loss, test)


@functools.cache
def narrow_vgg16(batch_size: int = 64, width: float = 1 / 8) -> Task:
    """VGG16 without normalisation on digits of 32x32 pixels, which are shifted at random: cross-entropy in nats."""
    data = digits.load()
    graph, _, statistics = vgg16.create(0, 10, width=width, grid=1, dropout=0.0)

    def loss_and_accuracy(params, images, labels):
        large = jax.image.resize((images - 0.3) / 0.4, (len(images), 32, 32, 3), "bilinear")
        logits, _ = vgg16.apply(graph, params, statistics, large)
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
        return loss, (logits.argmax(axis=-1) == labels).mean()

    def loss(params, batch):
        key, images, labels = batch
        return loss_and_accuracy(params, digits.random_shift(key, images), labels)[0]

    return Task(
        lambda seed: vgg16.create(seed, 10, width=width, grid=1, dropout=0.0)[1],
        functools.partial(_shuffled, data, batch_size),
        loss,
        lambda params: loss_and_accuracy(params, data.test_images, data.test_labels),
    )


def _shuffled(data, batch_size, seed):
    """(key of the shifts, images, labels)."""
    key = jax.random.key(seed)
    return ((jax.random.fold_in(key, k), *digits.batch(data, seed, k, batch_size)) for k in itertools.count())


@functools.cache
def language_model(batch_size: int = 8, width: int = 64, length: int = 64, depth: int = 2) -> Task:
    """The transformer of ``programs/train_diloco.py`` on text that ships with Python: nats a byte."""
    text = byte_text.load()
    sizes = {"vocabulary": byte_text.VOCABULARY, "length": length, "width": width, "depth": depth, "heads": 4}
    graph, _ = transformer.create(0, **sizes)
    windows = byte_text.test_windows(text, 256, length)

    def batches(seed):
        return (byte_text.batch(text, seed, k, batch_size, length) for k in itertools.count())

    return Task(
        lambda seed: transformer.create(seed, **sizes)[1],
        batches,
        functools.partial(transformer.loss, graph),
        lambda params: (transformer.loss(graph, params, windows), jnp.nan),
    )


@functools.cache
def deep_autoencoder(batch_size: int = 200) -> Task:
    """The curves of Sutskever et al. (2013); the error is that of training images, as in the paper."""
    images = autoencoder.curves()
    shown = images[:2000]

    def batches(seed):
        rng = np.random.default_rng(seed)
        return (images[rng.integers(0, len(images), batch_size)] for _ in itertools.count())

    return Task(
        autoencoder.init,
        batches,
        autoencoder.squared_error,
        lambda params: (autoencoder.squared_error(params, shown), jnp.nan),
    )


TASKS = {
    "digits CNN": digits_cnn,
    "narrow VGG16": narrow_vgg16,
    "deep autoencoder": deep_autoencoder,
    "small transformer": language_model,
    "byte transformer": functools.partial(language_model, width=128, depth=4),
}


class Measurement(NamedTuple):
    """What is known after so many steps: the mean training loss since the last, and `Task.test`."""

    step: int
    train_loss: float
    loss: float
    accuracy: float


def train(
    task: Task,
    tx: optax.GradientTransformation,
    steps: int,
    seed: int,
    *,
    every: int,
    dtype: Any = None,
    evaluated: Callable[[Any, Any], Any] = lambda opt_state, params: params,
) -> Iterator[Measurement]:
    """Trains, and measures every so many steps.

    Args:
      task: what to train.
      tx: the optimizer.
      steps: a multiple of ``every``.
      seed: of params and batches.
      every: steps between tests.
      dtype: of params; float32 by default.
      evaluated: (state, params) to the params to test, such as `nag_optax.eval_params`.
    """
    params = jax.tree.map(lambda p: jnp.asarray(p, dtype), task.init(seed))
    state = jax.jit(tx.init)(params)
    losses = []
    # Not a scan: XLA's CPU backend runs convolutions in a loop thirty times slower.
    for k, batch in enumerate(itertools.islice(task.batches(seed), steps), start=1):
        params, state, loss = step(task, tx, params, state, batch)
        losses.append(loss)
        if k % every == 0:
            yield Measurement(k, float(jnp.stack(losses).mean()), *map(float, _test(task, evaluated, state, params)))
            losses = []


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=(2, 3))
def step(task: Task, tx: optax.GradientTransformation, params: Any, state: Any, batch: Any) -> tuple[Any, Any, Any]:
    """(params, state, loss before the step)."""
    value, gradients = jax.value_and_grad(task.loss)(params, batch)
    updates, state = tx.update(gradients, state, params)
    return optax.apply_updates(params, updates), state, value


@functools.partial(jax.jit, static_argnums=(0, 1))
def _test(task, evaluated, state, params):
    return task.test(evaluated(state, params))
