"""Four replicas that talk to one another once in fifty steps: ``python examples/outer_nesterov.py``.

They train a small language model, which guesses the next byte of Python's documentation from the eight before. Alone,
each sees a quarter of the data. With ``diloco`` they average what they did, and add Nesterov's momentum to the mean: it
comes close to averaging gradients in every step, for a fiftieth of the messages.
"""

from functools import partial
from pydoc_data.topics import topics

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nag_optax import diloco

TEXT = jnp.asarray(np.frombuffer("".join(topics.values()).encode(), np.uint8))
TRAIN, TEST = TEXT[: len(TEXT) * 9 // 10], TEXT[len(TEXT) * 9 // 10 :]
REPLICAS, PERIOD, STEPS, BATCH_SIZE, CONTEXT = 4, 50, 1000, 16, 8


def init(key):
    """Random params: an embedding of bytes, and two dense layers."""
    shapes = {"bytes": (256, 8), "hidden": (CONTEXT * 8, 64), "logits": (64, 256)}
    return {name: jax.random.normal(key, shape) / shape[0] ** 0.5 for name, shape in shapes.items()}


def loss(params, starts, text):
    """Mean cross-entropy in nats of the bytes after ``starts`` and their contexts."""
    window = text[starts[:, None] + jnp.arange(CONTEXT + 1)].astype(int)
    x = params["bytes"][window[:, :-1]].reshape(len(starts), -1)
    logits = jax.nn.gelu(x @ params["hidden"]) @ params["logits"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, window[:, -1]).mean()


@partial(jax.jit, static_argnames=("tx", "talk"))
def train(tx, talk):
    """The params of every replica after the training; ``talk`` averages the gradients of every step."""

    def step(params, state, key):
        starts = jax.random.randint(key, (BATCH_SIZE,), 0, len(TRAIN) - CONTEXT)
        grads = jax.grad(loss)(params, starts, TRAIN)
        if talk:
            grads = jax.lax.pmean(grads, "replica")
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    def step_of_all(carry, k):
        params, state = carry
        keys = jax.random.split(jax.random.key(k), REPLICAS)
        return jax.vmap(step, axis_name="replica")(params, state, keys), None

    params = jax.tree.map(lambda x: jnp.stack([x] * REPLICAS), init(jax.random.key(0)))
    (params, _), _ = jax.lax.scan(step_of_all, (params, jax.vmap(tx.init)(params)), jnp.arange(STEPS))
    return params


def main():
    """Trains four times on the same bytes, and compares."""
    adamw = optax.adamw(optax.cosine_decay_schedule(0.01, STEPS))
    period = {"axis_name": "replica", "period": PERIOD}
    for name, tx, talk, talks in (
        ("each alone", adamw, False, 0),
        ("mean of params", diloco(adamw, 1.0, 0.0, **period), False, STEPS // PERIOD),
        ("diloco", diloco(adamw, 1.0, 0.5, **period), False, STEPS // PERIOD),
        ("mean of gradients", adamw, True, STEPS),
    ):
        params = jax.tree.map(lambda x: x[0], train(tx, talk))  # of the first replica
        test_loss = loss(params, jnp.arange(len(TEST) - CONTEXT), TEST)
        print(f"{name:18} test loss {test_loss:.3f} nats a byte, after talking {talks} times", flush=True)


if __name__ == "__main__":
    main()
