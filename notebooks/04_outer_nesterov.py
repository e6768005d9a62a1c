# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: -jupytext.text_representation
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Nesterov outside
#
# An outer method takes what an inner optimizer did in a period as its gradient. On several replicas this saves
# communication (DiLoCo); on one it is a momentum of its own (Lookahead, SNOO), which GPA replaces by an average in
# every step. Claims are asserted in place: executing the notebook checks them.

# %%
from functools import partial

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from support import show

from benchmarks.pictures import AMBER, BLUE, GREEN, GREY, PINK, SKY, draw_seeds, finish, plain_numbers
from nag_optax import diloco, eval_params, gpa, lookahead, snoo

# %% [markdown]
# ## A stream of data
#
# A network learns what a random one says about Gaussian inputs, up to some noise. Every batch is new, so that nothing
# is memorised, and what is measured is the loss on 4,096 inputs that no batch contains.

# %%
STEPS, BATCH, REPLICAS, SEEDS = 1024, 64, 4, jnp.arange(5)
EVERY = 32  # steps from one measurement to the next


def init(key, *sizes):
    keys = jax.random.split(key, len(sizes) - 1)
    return [jax.random.normal(k, (a, b)) / np.sqrt(a) for k, a, b in zip(keys, sizes, sizes[1:], strict=False)]


def apply(params, x):
    *hidden, last = params
    for w in hidden:
        x = jnp.tanh(x @ w)
    return x @ last


TEACHER = jax.tree.map(lambda x: 2 * x, init(jax.random.key(100), 16, 32, 1))
STUDENT = (16, 64, 64, 1)


def inputs_and_targets(key, *shape):
    x_key, noise_key = jax.random.split(key)
    x = jax.random.normal(x_key, (*shape, 16))
    return x, apply(TEACHER, x) + 0.3 * jax.random.normal(noise_key, (*shape, 1))


def loss(params, x, y):
    return jnp.mean((apply(params, x) - y) ** 2)


test_inputs = jax.random.normal(jax.random.key(101), (4096, 16))


def test_loss(params):
    return loss(params, test_inputs, apply(TEACHER, test_inputs))


def adamw(b1):
    return optax.adamw(optax.cosine_decay_schedule(1e-2, STEPS, 0.1), b1=b1, b2=0.99, weight_decay=1e-4)


# %% [markdown]
# ## 1. Loss against communication
#
# Four replicas, each with a quarter of the batch. `jax.vmap` with an axis name runs them on one device; `jax.shard_map`
# would put each on its own, and nothing else would change.


# %%
def train(tx, seed, synchronous=False):
    """Test loss of the replicas' mean after every 32 steps, [STEPS / EVERY]."""

    def replica(params, state, x, y):
        gradient = jax.grad(loss)(params, x, y)
        gradient = jax.lax.pmean(gradient, "replica") if synchronous else gradient
        updates, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    def one(carry, k):
        batch = inputs_and_targets(jax.random.fold_in(jax.random.key(seed), k), REPLICAS, BATCH // REPLICAS)
        return jax.vmap(replica, axis_name="replica")(*carry, *batch), None

    def measured(carry, first):
        carry, _ = jax.lax.scan(one, carry, first + jnp.arange(EVERY))
        return carry, test_loss(jax.tree.map(lambda x: x.mean(0), carry[0]))

    params = jax.tree.map(lambda x: jnp.stack([x] * REPLICAS), init(jax.random.key(seed), *STUDENT))
    return jax.lax.scan(measured, (params, jax.vmap(tx.init)(params)), jnp.arange(0, STEPS, EVERY))[1]


# %% [markdown]
# A period may be traced: `jax.vmap` runs the five of them at once.

# %%
PERIODS = (1, 4, 16, 64, 256)
OUTER = {"mean only": (1.0, 0.0, None), "Nesterov": (0.7, 0.5, None), "Nesterov, int8": (0.7, 0.5, jnp.int8)}
synchronous = np.array(jax.jit(jax.vmap(lambda seed: train(adamw(0.9), seed, synchronous=True)))(SEEDS))


def train_apart(learning_rate, momentum, dtype):
    """Test losses of every period, {period: [SEEDS, STEPS / EVERY]}."""

    def one(period, seed):
        tx = diloco(adamw(0.9), learning_rate, momentum, axis_name="replica", period=period, communication_dtype=dtype)
        return train(tx, seed)

    of_seeds = jax.vmap(one, (None, 0))
    losses = jax.jit(jax.vmap(of_seeds, (0, None)))(jnp.array(PERIODS), SEEDS)
    return dict(zip(PERIODS, np.array(losses), strict=True))


runs = {name: train_apart(*outer) for name, outer in OUTER.items()}

# %%
size = sum(x.size for x in jax.tree.leaves(init(jax.random.key(0), *STUDENT)))
steps = np.arange(EVERY, STEPS + 1, EVERY)
explained = f"median of {len(SEEDS)} seeds; {{}}: smallest to largest"
fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.8))
draw_seeds(left, (0.02, 50), synchronous[:, [-1, -1]], color=AMBER, label="AdamW, synchronous")
for name, color in zip(OUTER, (GREY, BLUE, SKY), strict=True):
    bytes_each = 1 if name.endswith("int8") else 4
    sent = [2 * (REPLICAS - 1) / REPLICAS * bytes_each * size * STEPS / period / 1e6 for period in PERIODS]
    finals = np.array([runs[name][period][:, -1] for period in PERIODS])
    middle = np.median(finals, axis=1)
    ends = [middle - finals.min(1), finals.max(1) - middle]
    left.errorbar(sent, middle, ends, fmt="o-", color=color, ms=4, capsize=3, label=name)
    for x, y, period in zip(sent, middle, PERIODS, strict=True):
        if name != "Nesterov":  # whose periods are those of the line above it
            left.annotate(f"{period}", (x, y), textcoords="offset points", xytext=(5, 4), fontsize=8)
bars = explained.format("bars").replace("smallest ", "smallest\n") + "; numbers: periods"
finish(left, "Loss at the end", "test loss", "MB sent by each replica", "upper right", xscale="log", explained=bars)
draw_seeds(right, steps, synchronous, color=AMBER, label="AdamW, synchronous")
for period, style in ((16, "-"), (64, "--"), (256, ":")):
    draw_seeds(right, steps, runs["Nesterov"][period], ls=style, color=BLUE, label=f"Nesterov outside, period {period}")
band = explained.format("band")
finish(right, "The mean of the replicas", "test loss", "step", explained=band, yscale="log", ylim=(None, 1))
plain_numbers(right)
show(fig)

# %%
last = {name: {period: np.median(runs[name][period][:, -1]) for period in PERIODS} for name in OUTER}
print(f"medians of {len(SEEDS)} seeds\nsynchronous: {np.median(synchronous[:, -1]):.4f}")
for name in OUTER:
    print(name, *(f"{period}: {last[name][period]:.4f}" for period in PERIODS), sep="   ")

# %% [markdown]
# Talking less costs loss, and Nesterov's momentum outside gives a part of it back, for nothing. One byte for a
# parameter instead of four costs nothing at all, because what a message leaves out is sent with the next one.
#
# At period 256 there are four outer steps, too few for a momentum, and no outer method gains anything. The outer
# momentum here is 0.5; the DiLoCo paper's 0.9, which multiplies pseudo-gradients by up to 7 at its learning rate, was
# chosen for hundreds of outer steps.

# %%
for period in (1, 16, 64):
    assert last["Nesterov"][period] < last["mean only"][period]
for period in PERIODS:
    assert abs(last["Nesterov, int8"][period] / last["Nesterov"][period] - 1) < 0.03

# %% [markdown]
# ## 2. On one device: Lookahead, SNOO and GPA around the same AdamW
#
# The whole batch on one replica. Lookahead goes back half of the way every five steps, SNOO takes Nesterov's momentum
# on what AdamW did in 32 steps, GPA averages in every step. They are read at the point that their papers evaluate:
# params of AdamW and SNOO, slow weights of Lookahead, the average of GPA. GPA replaces AdamW's momentum by its own, so
# `b1` is 0.


# %%
@partial(jax.jit, static_argnames=("tx", "read"))
def train_alone(tx, seed, read):
    """Test loss at ``read(state, params)`` after every 32 steps, [STEPS / EVERY]."""

    def one(carry, k):
        params, state = carry
        batch = inputs_and_targets(jax.random.fold_in(jax.random.key(seed), k), BATCH)
        updates, state = tx.update(jax.grad(loss)(params, *batch), state, params)
        return (optax.apply_updates(params, updates), state), None

    def measured(carry, first):
        carry, _ = jax.lax.scan(one, carry, first + jnp.arange(EVERY))
        params, state = carry
        return carry, test_loss(read(state, params))

    params = init(jax.random.key(seed), *STUDENT)
    return jax.lax.scan(measured, (params, tx.init(params)), jnp.arange(0, STEPS, EVERY))[1]


def params_of(state, params):
    return params


ALONE = {
    "AdamW": (adamw(0.9), params_of, AMBER),
    "Lookahead": (lookahead(adamw(0.9), 5, 0.5), eval_params, GREEN),
    "SNOO, period 32": (snoo(adamw(0.9), 0.8, 0.5, period=32), params_of, BLUE),
    "GPA": (gpa(adamw(0.0), 0.95, 0.7), eval_params, PINK),
}
alone = {
    name: np.array(jax.vmap(lambda seed, tx=tx, read=read: train_alone(tx, seed, read))(SEEDS))
    for name, (tx, read, _) in ALONE.items()
}

fig, ax = plt.subplots(figsize=(8.2, 4))
for name, (_, _, color) in ALONE.items():
    draw_seeds(ax, steps, alone[name], color=color, label=name)
finish(ax, "Around the same AdamW", "test loss", "step", explained=band, yscale="log")
plain_numbers(ax)
show(fig)

# %%
medians = {name: np.median(of_seeds, axis=0) for name, of_seeds in alone.items()}
for name, of_steps in medians.items():
    ends = np.sort(alone[name][:, -1])
    print(f"{name:16} half way {of_steps[len(steps) // 2 - 1]:.4f}", end="   ")
    print(f"last {of_steps[-1]:.4f}, from {ends[0]:.4f} to {ends[-1]:.4f}")

# %% [markdown]
# GPA is ahead all the way, and so is an average at which one may stop at any time. At this period SNOO ends where AdamW
# ends, by the spread of the seeds; Lookahead's steps back cost speed here.

# %%
assert (medians["GPA"][4:] < medians["AdamW"][4:]).all()
assert medians["Lookahead"][-1] > medians["AdamW"][-1]
