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
# # Behind a map and around one
#
# Muon puts a nonlinear map between Nesterov's momentum and the params: the polar factor of a matrix. What does the map
# do, what is left of Nesterov's method behind it, and where does that go to be exact again? Claims are asserted in
# place: executing the notebook checks them.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from support import run, show

from benchmarks.pictures import AMBER, BLACK, BLUE, GREEN, PINK, SKY, VERMILION, finish
from nag_optax import ema_nesterov, eval_params, lazy_nag, maps, muon, nag, orthogonalize, scale_by_nag

rng = np.random.default_rng(0)

# %% [markdown]
# ## 1. What the map does
#
# An odd polynomial of a matrix acts on its singular values, by products alone. A few in a row bring all of them near 1.
# Jordan's quintic never converges: it stops between 0.7 and 1.2, which is good enough. Polar Express spends the same
# five products better, and eight of its rows converge.

# %%
sigma = np.geomspace(1e-4, 1, 400)


def through(rows):
    x = sigma
    for a, b, c in rows:
        x = a * x + b * x**3 + c * x**5
    return x


fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.2))
tables = {"quintic, 5 rows": (maps.QUINTIC, SKY), "Polar Express, 5 rows": (maps.POLAR_EXPRESS[:5], BLUE)}
tables["Polar Express, 8 rows"] = (maps.POLAR_EXPRESS, GREEN)
for name, (rows, color) in tables.items():
    left.semilogx(sigma, through(rows), color=color, label=name)
left.axhline(1, color=BLACK, lw=0.8, ls=":", label="polar factor")
spectrum = np.geomspace(1, 1e-3, 64)
u, _, vh = np.linalg.svd(rng.standard_normal((64, 64)))
G = jnp.asarray((u * spectrum) @ vh, jnp.float32)
for name, (rows, color) in tables.items():
    factor = np.asarray(maps.polar_factor(G, rows, jnp.float32), float)
    right.semilogx(spectrum, np.diag(u.T @ factor @ vh.T), ".", ms=4, color=color, label=name)
finish(left, "Polynomials, one after another", "becomes", "a singular value", ylim=(0, 1.4))
finish(right, "A matrix of 64 x 64", "becomes", "its singular values", ylim=(0, 1.4))
assert abs(through(maps.POLAR_EXPRESS)[sigma > 1e-3] - 1).max() < 1e-3
assert 0.65 < through(maps.QUINTIC)[sigma > 5e-3].min() and through(maps.QUINTIC).max() < 1.25
show(fig)

# %% [markdown]
# ## 2. What a schedule of the momentum means behind it
#
# The map does not see the length of its argument, only the direction. Exact Nesterov looks ahead by the *next*
# momentum; under a warm-up the direction hardly notices. Whether the velocity is a sum or a mean of gradients matters
# far more: the two agree for a constant momentum only.

# %%
steps = 400
momentum = optax.join_schedules(
    [optax.linear_schedule(0.85, 0.95, 300), optax.linear_schedule(0.95, 0.85, 50)], [steps - 100]
)
gradients = jnp.asarray(rng.standard_normal((steps, 16, 24)) + 0.3, jnp.float32)


def directions(**options):
    tx = scale_by_nag(**options)
    return jax.lax.scan(lambda s, g: tx.update(g, s)[::-1], tx.init(gradients[0]), gradients)[1]


def lagged(mu):
    """Nesterov's direction as Optax and PyTorch have it, with the momentum of this step twice."""

    def body(carry, g):
        k, m = carry
        m = mu(k) * m + (1 - mu(k)) * g
        return (k + 1, m), mu(k) * m + (1 - mu(k)) * g

    return jax.lax.scan(body, (0, jnp.zeros((16, 24))), gradients)[1]


def one_minus_cosine(a, b):
    """In float64: the differences are below the rounding of float32."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    norms = np.sqrt(np.sum(a**2, (1, 2)) * np.sum(b**2, (1, 2)))
    return 1 - np.sum(a * b, (1, 2)) / norms


mean = directions(momentum=momentum, velocity="mean")
total = directions(momentum=momentum, velocity="gradient")
ahead, gauge = one_minus_cosine(mean, lagged(momentum)), one_minus_cosine(mean, total)
fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.0))
left.plot([float(momentum(k)) for k in range(steps)], color=BLUE, label="momentum")
right.semilogy(np.maximum(gauge, 1e-12), color=VERMILION, label="sum instead of mean")
right.semilogy(np.maximum(ahead, 1e-12), color=BLUE, label="this momentum instead of the next")
finish(left, "A known recipe", "momentum")
finish(right, "How far directions differ", "1 - cosine", ylim=(1e-12, 1))
assert ahead.max() < 1e-5 < 1e-3 < gauge.max()
show(fig)

# %% [markdown]
# ## 3. Inside, before, around
#
# An ill-conditioned matrix regression, fitted by Muon (the map *behind* Nesterov's momentum), by Nesterov's method on
# mapped gradients (the map *before* it), and by EMA-Nesterov *around* Muon. Only the last two have a base iterate;
# behind a map `eval_params` refuses. Dotted lines are params, full ones the base iterate. Without noise the map of a
# gradient is as good as that of a mean, and AdamW is better than either: what Muon is for is in `benchmarks.maps`.

# %%
A = jnp.asarray(rng.standard_normal((64, 24)) * np.geomspace(1, 0.03, 24), jnp.float32)
W_true = jnp.asarray(rng.standard_normal((24, 16)), jnp.float32)
target = A @ W_true


def loss(W):
    return 0.5 * jnp.mean((A @ W - target) ** 2)


start, rate = jnp.zeros((24, 16)), optax.cosine_decay_schedule(0.3, 300)
products = {"dtype": jnp.float32, "scale": "rms"}
contestants = {
    "behind: muon": (muon(rate, **products), VERMILION),
    "before: orthogonalize, nag": (optax.chain(orthogonalize(**products), nag(rate, 0.95, velocity="mean")), GREEN),
    "around: ema_nesterov(muon)": (ema_nesterov(muon(rate, **products), optax.cosine_decay_schedule(0.6, 300)), BLUE),
    "AdamW": (optax.adamw(rate), AMBER),
}


def read(state, params):
    try:
        return eval_params(state, params)
    except ValueError as error:
        assert "no base iterate" in str(error) or "no accelerated method" in str(error)
        return params


fig, ax = plt.subplots(figsize=(8.2, 3.6))
for name, (tx, color) in contestants.items():
    params, base = run(tx, loss, start, 300, read)
    values = [jax.vmap(loss)(points) for points in (params, base)]
    ax.semilogy(values[0], ":", color=color, lw=1)
    ax.semilogy(values[1], color=color, label=name)
finish(ax, "The same regression, three places of the map", "loss", legend="beside")
show(fig)

# %% [markdown]
# ## 4. Why one byte is refused behind a velocity and before a map
#
# The polar factor lifts small singular values to the size of the large ones, and the rounding of the velocity with
# them.

# %%
signal = (u * np.geomspace(1, 1e-3, 64)) @ vh
noisy = [jnp.asarray(signal + 0.02 * rng.standard_normal((64, 64)) / 8, jnp.float32) for _ in range(60)]


def direction(dtype, links):
    tx = optax.chain(scale_by_nag(0.95, accumulator_dtype=dtype), *links)
    state = tx.init(noisy[0])
    for g in noisy:
        updates, state = tx.update(g, state)
    return np.asarray(updates, float)


cosines = {}
for where, links in (("velocity", []), ("behind the map", [orthogonalize(dtype=jnp.float32)])):
    exact = direction(None, links)
    for dtype in ("bfloat16", "int8"):
        rounded = direction(dtype, links)
        cosines[where, dtype] = np.sum(rounded * exact) / np.linalg.norm(rounded) / np.linalg.norm(exact)
fig, ax = plt.subplots(figsize=(6.5, 2.6))
for i, (dtype, color) in enumerate((("bfloat16", BLUE), ("int8", PINK))):
    heights = [cosines[where, dtype] for where in ("velocity", "behind the map")]
    bars = ax.bar(np.arange(2) + 0.36 * (i - 0.5), heights, 0.34, color=color, label=dtype)
    ax.bar_label(bars, fmt="%.3f", fontsize=8)
finish(ax, "Cosine to the direction of float32", "cosine", "", "beside", ylim=(0.8, 1.02))
ax.set_xticks([0, 1], ["velocity", "behind the map"])
assert cosines["velocity", "int8"] > 0.99 > 0.95 > cosines["behind the map", "int8"]
show(fig)

# %% [markdown]
# ## 5. The rows of an embedding
#
# Under momentum all rows of a table move in every step, touched or not. `lazy_nag` leaves a row alone until it is read
# and then makes up for what it has missed, in closed form. Below, one entry of a row that batches touch now and then:
# the stored table stands still in between, while the row as it is read follows the dense method.

# %%
lazy, dense = lazy_nag(0.05, 0.9), nag(0.05, 0.9, velocity="step")
table = params = jnp.zeros((8, 1))
state, of_dense = lazy.init(table), dense.init(params)
seen = {"dense nag": [], "row as it is read": [], "row as it is stored": []}
touched = []
for k in range(60):
    ids = jnp.array([3]) if k in (2, 3, 4, 20, 21, 45) else jnp.array([k % 3])
    touched += [k] if int(ids[0]) == 3 else []
    rows = lazy.rows(ids, table, state)
    table, state = lazy.update(rows - 1, ids, table, state)
    gradient = jnp.zeros_like(params).at[ids].add(params[ids] - 1)
    updates, of_dense = dense.update(gradient, of_dense, params)
    params = optax.apply_updates(params, updates)
    points = (params[3, 0], lazy.rows(3, table, state)[0], table[3, 0])
    for values, point in zip(seen.values(), points, strict=True):
        values.append(float(point))
fig, ax = plt.subplots(figsize=(8.2, 3.0))
ax.plot(seen["dense nag"], color=SKY, lw=4, label="dense nag")
ax.plot(seen["row as it is read"], color=BLUE, lw=1.2, label="lazy_nag, as it is read")
ax.step(range(60), seen["row as it is stored"], where="post", color=PINK, lw=1, label="lazy_nag, as it is stored")
ax.plot(touched, [seen["dense nag"][k] for k in touched], "o", ms=5, mfc="none", color=BLACK, label="touched")
finish(ax, "One entry of one row", "parameter", legend="beside")
np.testing.assert_allclose(seen["row as it is read"], seen["dense nag"], atol=1e-5)
show(fig)
