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
# # Does NAG do what they say?
#
# A popular article introduces Nesterov's accelerated gradient with a VGG16 and says: it trains faster than gradient
# descent, Momentum, Adagrad and Adadelta; its gradients do not vanish; its gradients do not explode. It prints a rule,
# $\theta - \alpha G / \sqrt N$. Each claim is measured here, whichever way it falls. Claims are asserted in place:
# executing the notebook checks them.

# %%
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from support import run, show

from benchmarks import training_report
from benchmarks.methods import ADAM, ARTICLE, DROPPED, LARGER
from benchmarks.pictures import BLACK, BLUE, GREEN, GREY, PINK, VERMILION, finish, plain_numbers
from benchmarks.runs import Runs
from benchmarks.training import TRAINING
from nag_optax import momenta, nag
from nag_optax.links import scale_by_inverse_sqrt_size
from trainer.data import digits
from trainer.networks import vgg16

# %% [markdown]
# ## 1. "Gradients do not vanish"
#
# A gradient is what a network and its params make of a batch. Optimizers read it. So where it vanishes, it vanishes for
# every optimizer: first a classifier of ten logistic layers, whose beginning is the usual one (Glorot).

# %%
data = digits.load()
inputs, labels = jnp.asarray(data.train_images).reshape(-1, 64), jnp.asarray(data.train_labels)
DEPTH, WIDTH, STEPS = 10, 64, 400


def layers(key, scale):
    """Weights and biases; ``scale(inputs, outputs)`` is the standard deviation of the weights."""
    sizes = [64, *[WIDTH] * DEPTH, 10]
    keys = jax.random.split(key, len(sizes) - 1)
    shapes = zip(keys, sizes, sizes[1:], strict=False)
    return [{"w": scale(n, m) * jax.random.normal(k, (n, m)), "b": jnp.zeros(m)} for k, n, m in shapes]


def standardised(x):
    """What batch normalisation does, without its params."""
    return (x - x.mean(0)) / (x.std(0) + 1e-3)


def classifier(activation, normalise=lambda x: x):
    """Cross-entropy of a batch, as a function of the params."""

    def loss(params, batch):
        x, y = batch
        *hidden, last = params
        for layer in hidden:
            x = activation(normalise(x @ layer["w"] + layer["b"]))
        logits = x @ last["w"] + last["b"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    return loss


def norms(gradient):
    """Of the weights of every layer, [layers]."""
    return jnp.stack([jnp.linalg.norm(layer["w"]) for layer in gradient])


METHODS = {"gradient descent": (0.0, 0.0), "momentum": (0.9, 0.0), "NAG": (0.9, 1.0)}  # momentum, lookahead


@jax.jit(static_argnames="loss")
def train(loss, params, learning_rate, momentum, lookahead, longest=jnp.inf):
    """Norms of the layers' gradients at every step, [STEPS, layers], and the losses."""
    tx = optax.chain(optax.clip_by_global_norm(longest), nag(learning_rate, momentum, lookahead=lookahead))

    def step(carry, key):
        params, state = carry
        chosen = jax.random.choice(key, len(inputs), (128,))
        value, gradient = jax.value_and_grad(loss)(params, (inputs[chosen], labels[chosen]))
        updates, state = tx.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), (norms(gradient), value)

    keys = jax.random.split(jax.random.key(1), STEPS)
    return jax.lax.scan(step, (params, tx.init(params)), keys)[1]


def glorot(inputs, outputs):
    return np.sqrt(2 / (inputs + outputs))


def he(inputs, outputs):
    return np.sqrt(2 / inputs)


plain, normalised = classifier(jax.nn.sigmoid), classifier(jax.nn.sigmoid, standardised)
cases = {  # loss, standard deviation of the weights, learning rate of gradient descent
    "logistic": (plain, glorot, 1.0),
    "logistic, weights 4 times larger": (plain, lambda n, m: 4 * glorot(n, m), 1.0),
    "logistic, standardised": (normalised, glorot, 1.0),
}
seen = {}
for case, (loss, scale, rate) in cases.items():
    params = layers(jax.random.key(0), scale)
    for name, (momentum, lookahead) in METHODS.items():
        seen[case, name] = train(loss, params, rate * (1 - momentum), momentum, lookahead)

# %%
COLORS = dict(zip(METHODS, (GREY, VERMILION, BLUE), strict=True))


def draw_norms(cases, methods, last):
    """Norms by layer, of the first gradient, which all share, and of the last steps; a panel a case."""
    fig, axes = plt.subplots(1, len(cases), figsize=(8.2, 4), sharey=True)
    for ax, case in zip(axes, cases, strict=True):
        of_layer = np.arange(1, seen[case, "NAG"][0].shape[1] + 1)
        for name in methods:
            per_step, losses = seen[case, name]
            label = f"{name}, loss {losses[-last:].mean():.3f}"
            ax.plot(of_layer, per_step[-last:].mean(0), "o-", ms=3, color=COLORS[name], label=label)
        ax.plot(of_layer, seen[case, "NAG"][0][0], ":", color=BLACK, lw=1.5, label="first gradient, of all")
        ax.set_xticks(of_layer[:: len(of_layer) // 5])
        ylabel = "norm of the gradient" if ax is axes[0] else ""
        finish(ax, case, ylabel, "layer", "below", f"mean of the last {last} steps", yscale="log")
    return fig


show(draw_norms(cases, METHODS, 20))

# %% [markdown]
# All methods share the first gradient, since they begin at the same params.
#
# Left, the gradient shrinks by a factor of about four from layer to layer, a million in all, and 400 steps of NAG leave
# it so: nothing is learned. What changes it is what changes the network: larger weights, or normalisation. There NAG
# learns, and it does so faster than the others. That is another claim, and a true one.

# %%
first = {case: seen[case, "NAG"][0][0] for case in cases}
for case in cases:
    for name in METHODS:
        np.testing.assert_array_equal(seen[case, name][0][0], first[case])  # the same gradient
shrunk = {name: seen["logistic", name][0][-20:].mean(0) for name in METHODS}
assert all(x[0] < 1e-5 * x[-1] for x in (first["logistic"], *shrunk.values()))  # vanished, and for NAG too
assert first["logistic, standardised"][0] > 0.5 * first["logistic, standardised"][-1]
final = {key: float(losses[-20:].mean()) for key, (_, losses) in seen.items()}
assert final["logistic", "NAG"] > 2.29  # log(10) = 2.303: guessing
for case in list(cases)[1:]:
    assert final[case, "NAG"] < final[case, "momentum"] < final[case, "gradient descent"]

# %% [markdown]
# ## 2. "Gradients do not explode"
#
# Rectified units this time, and weights three times larger than He's, so that activations triple from layer to layer.

# %%
rectified, rescued = classifier(jax.nn.relu), classifier(jax.nn.relu, standardised)
exploding = {
    "rectified, He": (rectified, he, 0.2),
    "weights 3 times larger": (rectified, lambda n, m: 3 * he(n, m), 0.2),
    "3 times larger, standardised": (rescued, lambda n, m: 3 * he(n, m), 1.0),
}
for case, (loss, scale, rate) in exploding.items():
    params = layers(jax.random.key(0), scale)
    for name, (momentum, lookahead) in METHODS.items():
        seen[case, name] = train(loss, params, rate * (1 - momentum), momentum, lookahead)

fig, ax = plt.subplots(figsize=(8.2, 3.6))
for case, color in zip(exploding, (GREEN, PINK, BLACK), strict=True):
    ax.plot(np.arange(1, DEPTH + 2), seen[case, "NAG"][0][0], "o-", color=color, label=case)
finish(ax, "The first gradient, of all methods", "norm of the gradient", "layer", yscale="log")
show(fig)

# %%
for name in METHODS:
    losses = seen["weights 3 times larger", name][1]
    print(f"{name:17} first loss {losses[0]:.3g}, finite for {int(np.isfinite(losses).sum())} of {STEPS} steps")
    assert seen["weights 3 times larger", name][0][0].min() > 1e4 * seen["rectified, He", name][0][0].max()
    assert losses[0] > 1e4 and not np.isfinite(losses[10:]).any()
    assert seen["3 times larger, standardised", name][1][-20:].mean() < 0.05
_, losses = train(rectified, layers(jax.random.key(0), exploding["weights 3 times larger"][1]), 0.02, 0.9, 1.0, 1.0)
print(f"NAG, clipped      first loss {losses[0]:.3g}, finite for {int(np.isfinite(losses).sum())} of {STEPS} steps")
assert np.isfinite(losses).all()

# %% [markdown]
# The first gradient is a hundred thousand times too long for every method, and NAG is not a number at its third step.
# What helps is a better beginning, normalisation, or a bound, `optax.clip_by_global_norm` before `nag` in the chain.
#
# ## 3. The same on VGG16
#
# The article's network at a sixteenth of its width, on digits of 32x32 pixels, as `programs/train_vgg16.py` trains it:
# sixteen layers, with He's weights, with and without batch normalisation.

# %%
PIXELS = jax.image.resize(jnp.asarray(data.train_images), (len(labels), 32, 32, 3), "bilinear") / 0.4 - 0.75
VGG_STEPS, VGG_OPTIONS = 40, {"width": 1 / 16, "grid": 1, "dropout": 0.0}


@jax.jit(static_argnames="graph")
def vgg16_step(graph, params, state, statistics, chosen, *hyperparameters):
    """(params, state, statistics) after a step, the norms of the gradients of the sixteen kernels, and the loss."""
    learning_rate, momentum, lookahead = hyperparameters

    def loss(params):
        logits, after = vgg16.apply(graph, params, statistics, PIXELS[chosen], jax.random.key(0))
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels[chosen]).mean(), after

    (value, statistics), gradient = jax.value_and_grad(loss, has_aux=True)(params)
    updates, state = nag(learning_rate, momentum, lookahead=lookahead).update(gradient, state, params)
    lengths = jnp.stack([jnp.linalg.norm(layer["kernel"]) for layer in kernels(gradient)])
    return (optax.apply_updates(params, updates), state, statistics), (lengths, value)


def train_vgg16(batch_norm, scale, *hyperparameters):
    """Norms of the gradients of the sixteen kernels at every step, and the losses."""
    graph, params, statistics = vgg16.create(0, 10, batch_norm=batch_norm, **VGG_OPTIONS)
    params = jax.tree.map(lambda p: scale * p if p.ndim > 1 else p, params)
    carry, order, rows = (params, nag(0.1).init(params), statistics), np.random.default_rng(0), []
    for _ in range(VGG_STEPS):
        carry, row = vgg16_step(graph, *carry, order.integers(0, len(labels), 32), *hyperparameters)
        rows.append(row)
    return tuple(np.array(x) for x in zip(*rows, strict=True))


def kernels(params):
    """The layers, from the images to the logits."""
    return [params[kind][i] for kind in ("convolutions", "dense") for i in sorted(params[kind])]


# %%
BEGINNINGS = {  # batch normalisation, what He's weights are multiplied by, learning rate of gradient descent
    "He's weights": (False, 1.0, 0.1),
    "half of He's weights": (False, 0.5, 0.1),
    "half, normalised": (True, 0.5, 0.2),
}
VGG_METHODS = ("gradient descent", "NAG")
for case, (batch_norm, scale, rate) in BEGINNINGS.items():
    for name in VGG_METHODS:
        momentum, lookahead = METHODS[name]
        seen[case, name] = train_vgg16(batch_norm, scale, rate * (1 - momentum), momentum, lookahead)

show(draw_norms(BEGINNINGS, VGG_METHODS, 10))

# %% [markdown]
# Half of He's weights in every layer are enough for the gradient to vanish, and stay so, with NAG as without. With
# normalisation the scale of the weights does not matter.

# %%
for case in BEGINNINGS:
    np.testing.assert_array_equal(seen[case, "NAG"][0][0], seen[case, "gradient descent"][0][0])
for name in VGG_METHODS:
    lengths, losses = seen["half of He's weights", name]
    assert lengths[:, 0].max() < 1e-3 and losses[-1] > 2.29  # vanished, and guessing
    lengths, losses = seen["half, normalised", name]
    assert lengths[0].min() > 0.1 and losses[-10:].mean() < 2.0

# %% [markdown]
# ## 4. The printed rule, $\theta - \alpha G / \sqrt N$
#
# $N$ is the number of params. This divides a learning rate by a constant, so it is gradient descent, and a larger
# network gets smaller steps. Here on a logistic regression with 650 params, beside gradient descent with the same
# steps, gradient descent with the best step of theory, 1 / L, and NAG with the same 1 / L.

# %%
X = np.asarray(inputs)


def regression(params):
    logits = X @ params["w"] + params["b"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean() + 1e-4 * optax.tree.norm(
        params, squared=True
    )


start = {"w": jnp.zeros((64, 10)), "b": jnp.zeros(10)}
N = 650
smoothness = np.linalg.norm(np.c_[X, np.ones(len(X))], 2) ** 2 / len(X) / 2 + 2e-4
rules = {
    r"$\theta - \alpha G / \sqrt{N}$, $\alpha = 1/L$": (
        optax.chain(scale_by_inverse_sqrt_size(), optax.sgd(1 / smoothness)),
        PINK,
    ),
    r"gradient descent, $\alpha / \sqrt{N}$": (optax.sgd(1 / smoothness / np.sqrt(N)), GREY),
    "gradient descent, $1/L$": (optax.sgd(1 / smoothness), GREY),
    "NAG, $1/L$": (nag(1 / smoothness, momenta.nesterov()), BLUE),
}
losses = {
    name: jax.lax.map(regression, run(tx, regression, start, 1000, read=lambda state, x: jnp.zeros(()))[0])
    for name, (tx, _) in rules.items()
}
fig, ax = plt.subplots(figsize=(8.2, 3.8))
for (name, (_, color)), style in zip(rules.items(), ("-", ":", "-", "-"), strict=True):
    ax.plot(losses[name], style, color=color, lw=4 if color == PINK else 1.5, label=name)
finish(ax, "A logistic regression on digits", "loss", xscale="symlog", yscale="log")
plain_numbers(ax)
show(fig)

# %%
printed, same, descent, nesterov = losses.values()
np.testing.assert_allclose(printed, same, rtol=1e-5)  # it is gradient descent
steps_of_nag = int(np.argmax(nesterov <= descent[-1]))
steps_of_descent = int(np.argmax(descent <= printed[-1]))
print(f"gradient descent is after {steps_of_descent} steps where the printed rule is after 1000,")
print(f"and NAG after {steps_of_nag} where gradient descent is after 1000")
assert steps_of_descent < 1000 / 20 and steps_of_nag < 1000 / 4

# %% [markdown]
# ## 5. "Faster"
#
# Four networks, every method with the best of at least seven learning rates, five seeds each: the runs of
# `python -m benchmarks.training`, which take hours and are read here ([tables](../docs/evidence.md)). The dotted line
# is the target, the loss that the best method of the article ends with. Drawn are gradient descent,
# momentum, the first of the article's methods to reach the target, Adam, and the first `nag` to reach it.

# %%
known = Runs(Path("../benchmarks/results/training-cpu.csv"), read_only=True)
outcomes = {task: TRAINING.outcome(task, known) for task in TRAINING.steps}
show(training_report.plot(outcomes))

# %% [markdown]
# Steps to the target, medians of five seeds: of the methods of the article, of Adam, of NAG as the article has it, with
# a momentum of 0.9, and of the best of the momenta that were tried.

# %%
ratios = {}
for task, outcome in outcomes.items():
    best = outcome.fastest(training_report.ours(outcome))
    steps = {name: float(np.median(outcome.steps_to_loss(name))) for name in (*ARTICLE, ADAM, "nag 0.9", best)}
    ratios[task] = {"article": outcome.ratio([best], ARTICLE), "Adam": outcome.ratio([best], [ADAM])}
    print(task + ", loss " + f"{outcome.target():.3g}")
    print("  " + ", ".join(f"{name} {training_report.number(n, '.0f')}" for name, n in steps.items()))
    print("  best nag: " + ", ".join(f"{ratio:.2f} of {peer}" for peer, ratio in ratios[task].items()))

# %% [markdown]
# So: faster where the problem is ill-conditioned, and by far, if the momentum is large. On the others NAG is as good as
# the best, or a little better; there the seeds differ by more than the methods do, and at 0.9 NAG is what Optax has.

# %%
assert ratios["deep autoencoder"]["article"] < 0.3 and ratios["deep autoencoder"]["Adam"] < 0.6
assert all(ratio["article"] <= 1 for ratio in ratios.values())
assert np.exp(np.mean([np.log(ratio["article"]) for ratio in ratios.values()])) < 0.65

# %% [markdown]
# ## 6. The late drop
#
# Sutskever et al. (2013) raise the momentum step by step to 0.99 and beyond, and let it fall to 0.9 for the last
# updates. Their deep autoencoder, their schedule in a shorter training, the drop in the last twentieth.

# %%
curves = outcomes["deep autoencoder"]
fig, axes = plt.subplots(1, 3, figsize=(8.2, 4), sharey=True)
for ax, largest in zip(axes, LARGER, strict=True):
    names = (f"momentum to {largest}", f"nag to {largest}", f"nag to {largest}{DROPPED}")
    for name, color in zip(names, (VERMILION, BLUE, GREEN), strict=True):
        training_report.draw(ax, curves, name, color=color)
    ylabel = "error" if largest == LARGER[0] else ""
    finish(ax, f"Momentum to {largest}", ylabel, legend="below", explained=training_report.BAND, ylim=(5.5, 14))
show(fig)

# %%
print("The error after the last update: median of five seeds, in brackets the smallest and the largest.")
for line in training_report.sutskever_table(curves):
    print(line)

# %% [markdown]
# The order of the paper's tables 1 and 2, on its network, with curves of our own and a hundredth of its updates: NAG is
# better than classical momentum at the same largest momentum, both are far better with 0.99 than with 0.9, and 0.9 is
# far better than none for NAG. Letting the momentum fall at the end is free, and gains about a tenth. What the paper
# has and 5,000 updates do not show is 0.999 as the best of all: a velocity that remembers a thousand gradients needs
# more than five thousand of them.

# %%
last = {name: float(np.median(curves.lasts(name))) for name in curves.results}
for m in LARGER:
    assert last[f"nag to {m}"] < last[f"momentum to {m}"] < 0.9 * last["gradient descent"]
    assert last[f"nag to {m}"] < 0.65 * last["nag 0.9"]
    assert last[f"nag to {m}{DROPPED}"] < 0.93 * last[f"nag to {m}"]
    assert np.all(curves.lasts(f"nag to {m}{DROPPED}") < curves.lasts(f"nag to {m}"))  # for every seed
assert last["nag 0.9"] < 0.9 * last["gradient descent"]
