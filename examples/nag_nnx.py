"""A small CNN on real handwritten digits, with Flax nnx and Nesterov's method: ``python examples/nag_nnx.py``."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from nag_optax import eval_params, nag

EPOCHS, BATCH_SIZE = 20, 64


class CNN(nnx.Module):
    """Images [N, 8, 8, 1] to logits [N, 10]."""

    def __init__(self, rngs):
        self.convolutions = nnx.List(nnx.Conv(*io, (3, 3), rngs=rngs) for io in ((1, 32), (32, 32), (32, 64)))
        self.dense = nnx.Linear(2 * 2 * 64, 10, rngs=rngs)

    def __call__(self, images):
        """Returns the logits."""
        first, second, third = self.convolutions
        x = nnx.max_pool(nnx.relu(second(nnx.relu(first(images)))), (2, 2), (2, 2))
        x = nnx.max_pool(nnx.relu(third(x)), (2, 2), (2, 2))
        return self.dense(x.reshape(len(x), -1))


def loss_and_accuracy(model, images, labels):
    """Mean cross-entropy, and the share of digits that are recognised."""
    logits = model(images)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    return loss, (logits.argmax(axis=-1) == labels).mean()


@nnx.jit
def train_step(model, optimizer, images, labels):
    """Takes a step on images that are moved by a pixel at random; returns the loss before it."""
    moves = jax.random.randint(jax.random.key(optimizer.step[...]), (len(images), 2), -1, 2)
    images = jax.vmap(lambda image, move: jnp.roll(image, move, (0, 1)))(images, moves)
    (loss, _), grads = nnx.value_and_grad(loss_and_accuracy, has_aux=True)(model, images, labels)
    optimizer.update(model, grads, value=loss)  # the value is for restart="value", which others may leave out
    return loss


def main():
    """Trains, tests at the parameters, and moves the model to its base iterate."""
    pixels, digits = load_digits(return_X_y=True)
    images = ((pixels - pixels.mean()) / pixels.std()).astype(np.float32).reshape(-1, 8, 8, 1)
    train_x, test_x, train_y, test_y = train_test_split(images, digits, test_size=0.2, stratify=digits, random_state=0)

    steps = len(train_x) // BATCH_SIZE
    model = CNN(nnx.Rngs(0))
    tx = nag(optax.cosine_decay_schedule(0.05, EPOCHS * steps), momentum=0.9)
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    test = nnx.jit(loss_and_accuracy)
    order = np.random.default_rng(0)
    for epoch in range(1, EPOCHS + 1):
        losses = []
        for chosen in order.permutation(len(train_x))[: steps * BATCH_SIZE].reshape(steps, BATCH_SIZE):
            losses.append(train_step(model, optimizer, train_x[chosen], train_y[chosen]))
        if epoch in (1, 2, EPOCHS // 2, EPOCHS):
            test_loss, accuracy = test(model, test_x, test_y)
            print(
                f"epoch {epoch:2}   training loss {np.mean(losses):.4f}   test loss {test_loss:.4f}, "
                f"accuracy {accuracy:.2%}"
            )

    # The parameters are where gradients are taken; the base iterate is the point to evaluate, and to keep.
    nnx.update(model, eval_params(optimizer.opt_state, nnx.state(model, nnx.Param)))
    test_loss, accuracy = test(model, test_x, test_y)
    print(f"at the base iterate: test loss {test_loss:.4f}, accuracy {accuracy:.2%}")


if __name__ == "__main__":
    main()
