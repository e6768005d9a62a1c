"""A small CNN on real handwritten digits, with Flax linen and Nesterov's method: ``python examples/nag_flax.py``."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax.training.train_state import TrainState
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from nag_optax import eval_params, nag

EPOCHS, BATCH_SIZE = 20, 64


class CNN(nn.Module):
    """Images [N, 8, 8, 1] to logits [N, 10]."""

    @nn.compact
    def __call__(self, images):
        """Returns the logits."""
        x = nn.relu(nn.Conv(32, (3, 3))(images))
        x = nn.relu(nn.Conv(32, (3, 3))(x))
        x = nn.max_pool(x, (2, 2), (2, 2))
        x = nn.relu(nn.Conv(64, (3, 3))(x))
        x = nn.max_pool(x, (2, 2), (2, 2))
        return nn.Dense(10)(x.reshape(len(x), -1))


def loss_and_accuracy(params, images, labels):
    """Mean cross-entropy, and the share of digits that are recognised."""
    logits = CNN().apply({"params": params}, images)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    return loss, (logits.argmax(axis=-1) == labels).mean()


@jax.jit
def train_step(state, images, labels):
    """The state after one step, on images that are moved by a pixel at random, and the loss before it."""
    moves = jax.random.randint(jax.random.key(state.step), (len(images), 2), -1, 2)
    images = jax.vmap(lambda image, move: jnp.roll(image, move, (0, 1)))(images, moves)
    (loss, _), grads = jax.value_and_grad(loss_and_accuracy, has_aux=True)(state.params, images, labels)
    return state.apply_gradients(grads=grads), loss


@jax.jit
def test_at_both_points(state, images, labels):
    """Loss and accuracy at the parameters, where gradients are taken, and at the base iterate, which one evaluates."""
    base = eval_params(state.opt_state, state.params)
    return [loss_and_accuracy(params, images, labels) for params in (state.params, base)]


def main():
    """Trains, and tests every few epochs."""
    pixels, digits = load_digits(return_X_y=True)
    images = ((pixels - pixels.mean()) / pixels.std()).astype(np.float32).reshape(-1, 8, 8, 1)
    train_x, test_x, train_y, test_y = train_test_split(images, digits, test_size=0.2, stratify=digits, random_state=0)

    steps = len(train_x) // BATCH_SIZE
    tx = nag(optax.cosine_decay_schedule(0.05, EPOCHS * steps), momentum=0.9)
    params = CNN().init(jax.random.key(0), train_x[:1])["params"]
    state = TrainState.create(apply_fn=CNN().apply, params=params, tx=tx)
    order = np.random.default_rng(0)
    for epoch in range(1, EPOCHS + 1):
        losses = []
        for chosen in order.permutation(len(train_x))[: steps * BATCH_SIZE].reshape(steps, BATCH_SIZE):
            state, loss = train_step(state, train_x[chosen], train_y[chosen])
            losses.append(loss)
        if epoch in (1, 2, EPOCHS // 2, EPOCHS):
            (at_params, accuracy), (at_base, base_accuracy) = test_at_both_points(state, test_x, test_y)
            print(
                f"epoch {epoch:2}   training loss {np.mean(losses):.4f}   test loss {at_params:.4f}, "
                f"accuracy {accuracy:.2%}   at the base iterate {at_base:.4f}, {base_accuracy:.2%}"
            )


if __name__ == "__main__":
    main()
