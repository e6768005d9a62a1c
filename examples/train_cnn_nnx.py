"""The CNN of train_cnn.py with `flax.nnx` and `nnx.Optimizer`.

python examples/train_cnn_nnx.py
"""

import argparse

import digits
import jax
import optax
from flax import nnx
from tqdm import trange

from nag_optax import eval_params, nag

BATCH_SIZE = 64


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
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--learning-rate", type=float, default=0.02)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    data = digits.load()
    model = CNN(nnx.Rngs(options.seed))
    optimizer = nnx.Optimizer(model, nag(options.learning_rate, options.momentum), wrt=nnx.Param)
    for epoch in (bar := trange(1, options.epochs + 1, unit="epoch")):
        for images, labels in digits.batches(data, options.seed, epoch, BATCH_SIZE):
            loss, accuracy = train_step(model, optimizer, jax.random.key(options.seed), images, labels)
        bar.set_postfix(loss=f"{loss:.4f}", accuracy=f"{accuracy:.1%}")

    test = nnx.jit(loss_and_accuracy)
    report = "Test loss {:.4f} and accuracy {:.2%} at the {}"
    print(report.format(*test(model, data.test_images, data.test_labels), "parameters"))
    nnx.update(model, eval_params(optimizer.opt_state, nnx.state(model, nnx.Param)))
    print(report.format(*test(model, data.test_images, data.test_labels), "base iterate"))


if __name__ == "__main__":
    main()
