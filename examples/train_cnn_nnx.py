"""The CNN of train_cnn.py with `flax.nnx` and `nnx.Optimizer`: ``python examples/train_cnn_nnx.py``."""

import argparse

import digits
import jax
import numpy as np
import optax
from command_line import number
from flax import nnx

from nag_optax import eval_params, nag

BATCH_SIZE = 128


class CNN(nnx.Module):
    """Three convolutions and a dense layer: images [N, 8, 8, 1] to logits [N, 10]."""

    def __init__(self, rngs: nnx.Rngs):
        self.convolutions = nnx.List(nnx.Conv(*io, (3, 3), rngs=rngs) for io in ((1, 32), (32, 32), (32, 64)))
        self.dense = nnx.Linear(2 * 2 * 64, 10, rngs=rngs)

    def __call__(self, x):
        """Returns the logits."""
        first, second, third = self.convolutions
        x = nnx.relu(second(nnx.relu(first((x - 0.3) / 0.4))))  # mean and standard deviation of the pixels
        x = nnx.relu(third(nnx.max_pool(x, (2, 2), (2, 2))))
        return self.dense(nnx.max_pool(x, (2, 2), (2, 2)).reshape(len(x), -1))


def loss_and_accuracy(model, images, labels):
    """Mean cross-entropy and accuracy of a batch."""
    logits = model(images)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    return loss, (logits.argmax(axis=-1) == labels).mean()


@nnx.jit
def train_step(model, optimizer, key, images, labels):
    """One step on randomly shifted images; the loss goes along for ``restart="value"``."""
    images = digits.random_shift(jax.random.fold_in(key, optimizer.step[...]), images)
    (loss, accuracy), grads = nnx.value_and_grad(loss_and_accuracy, has_aux=True)(model, images, labels)
    optimizer.update(model, grads, value=loss)
    return loss, accuracy


def main():
    """Trains, and tests at the parameters and at the base iterate."""
    parser = argparse.ArgumentParser(description="The CNN of train_cnn.py with flax.nnx and nnx.Optimizer.")
    parser.add_argument("--learning-rate", type=number(float, above=0), default=0.02)
    parser.add_argument("--momentum", type=number(float, at_least=0, below=1), default=0.9)
    parser.add_argument("--epochs", type=number(int, at_least=1), default=30)
    parser.add_argument("--seed", type=number(int, at_least=0, at_most=2**32 - 1), default=0)
    options = parser.parse_args()

    data = digits.load()
    init_key, shift_key = jax.random.split(jax.random.key(options.seed))
    model = CNN(nnx.Rngs(init_key))
    optimizer = nnx.Optimizer(model, nag(options.learning_rate, options.momentum), wrt=nnx.Param)
    steps = digits.TRAIN_SIZE // BATCH_SIZE
    for epoch in range(options.epochs):
        batches = (digits.batch(data, options.seed, epoch * steps + k, BATCH_SIZE) for k in range(steps))
        metrics = [train_step(model, optimizer, shift_key, images, labels) for images, labels in batches]
        loss, accuracy = np.mean(jax.device_get(metrics), axis=0)
        print(f"epoch {epoch + 1:3}   training loss {loss:.4f}   training accuracy {accuracy:.2%}", flush=True)

    test = nnx.jit(loss_and_accuracy)
    report = "test loss {:.4f}, test accuracy {:.2%} at the {}"
    print(report.format(*test(model, data.test_images, data.test_labels), "parameters"))
    nnx.update(model, eval_params(optimizer.opt_state, nnx.state(model, nnx.Param)))
    print(report.format(*test(model, data.test_images, data.test_labels), "base iterate"))


if __name__ == "__main__":
    main()
