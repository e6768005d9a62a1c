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
# # The accelerated family
#
# Every method here is five numbers a step on the same engine. What can go wrong at most with each of them, how they
# fare on a problem of their class beside their bound, where the heavy ball never arrives, and what noise does to
# Nesterov's method. Claims are asserted in place: executing the notebook checks them.
#
# $L$ is the smoothness, $\mu$ the strong convexity, $q = \mu / L$, $R$ the distance from the start to the minimiser,
# $N$ the number of gradients.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from support import run, show

import nag_optax as no
from benchmarks import theory_report
from benchmarks.pictures import BLACK, BLUE, GREEN, GREY, PINK, SKY, VERMILION, finish
from nag_optax import eval_params, momenta

jax.config.update("jax_enable_x64", True)


def reading(output):
    """What to record of a run: an output of the method, or params."""
    return lambda state, params: params if output == "params" else eval_params(state, params, output=output)


def gradient_descent(learning_rate):
    return no.nag(learning_rate, momentum=0.0)


def polyak(L, mu):
    """The heavy ball with its best constants for quadratics."""
    root = (mu / L) ** 0.5
    return no.heavy_ball(4 / (L**0.5 + mu**0.5) ** 2, ((1 - root) / (1 + root)) ** 2)


# %% [markdown]
# ## 1. The worst that can happen
#
# For each $N$ there is a function that treats a method worst. In one dimension it is a parabola in the middle and a
# line outside, or the parabola alone; semidefinite programs over all functions of all dimensions find nothing worse.
# So the exact worst case can be *measured*: run the method on a thousand such functions, the worst one among them, and
# take the largest loss. (`python -m benchmarks.theory` has all 26 rows, to 14 digits; with `--plot FILE` it draws this
# picture.)

# %%
STEPS, Q = theory_report.DRAWN, 0.01
fig, drawn = theory_report.plot(Q)
worst = {of: cases.closed_form for of, cases in drawn.items()}
for of, cases in drawn.items():
    np.testing.assert_allclose(cases.measured, worst[of][np.array(theory_report.DOTS) - 1], rtol=1e-9)
n, ratio = np.arange(1, STEPS + 1), worst["NAG, $t_k$", 0.0] / worst["OGM", 0.0]
gap = worst["NAG, constant", Q] / worst["NAG, non-stationary", Q]
assert 1.98 < ratio[19] < ratio[-1] < 2.01 and round(gap[19]) == 15
assert np.all(worst["ITEM", Q][2:] < worst["NAG, non-stationary", Q][2:])
assert worst["TMM", Q][4] > 0.5  # after five gradients, worse than the worst start
show(fig)

# %% [markdown]
# Three things to take home. OGM costs what NAG costs, and its worst case is half of NAG's. With $\mu$ known, Nesterov's
# textbook constant momentum is a bad start when only the distance is bounded: after 20 gradients its worst case is 15
# times that of the non-stationary scheme, which warms the momentum up. And ITEM has the best of both: it begins like
# OGM and ends like the triple momentum method.
#
# ## 2. On a problem of the class
#
# Above, the loss on one problem; below, its share of the exact worst case for that problem's $L$, $\mu$ and $R$. A
# least squares problem with eigenvalues down to $10^{-6}$ stands for the convex class, a regularised logistic
# regression with $q = 0.01$ for the strongly convex one. On the right the squared gradient, for which OGM-G is made; it
# wants to know $N$ in advance, so that each of its dots is a run of its own.

# %%
rng = np.random.default_rng(0)
curvatures = np.geomspace(1e-6, 1, 200)
offset = rng.standard_normal(200) / np.sqrt(200)


def least_squares(x):
    return 0.5 * jnp.sum(curvatures * (x - offset) ** 2)


samples = rng.standard_normal((300, 20)) * np.geomspace(0.1, 1, 20)
signs = np.sign(samples @ rng.standard_normal(20) + 0.3 * rng.standard_normal(300))
steepness = np.linalg.norm(samples, 2) ** 2 / (4 * len(samples))
MU = steepness * Q / (1 - Q)
L = steepness + MU


def logistic_regression(x):
    return jnp.mean(jnp.log1p(jnp.exp(-signs * (samples @ x)))) + MU / 2 * jnp.sum(x**2)


origin = jnp.zeros(20)
minimiser = run(no.item(L, MU), logistic_regression, origin, 1000)[0][-1]
assert jnp.abs(jax.grad(logistic_regression)(minimiser)).max() < 1e-14

fig, axes = plt.subplots(2, 3, figsize=(8.2, 5.6), height_ratios=(3, 2), sharex="col")


def draw(column, name, losses, color, bound=None, style="-", at=n):
    """The losses, and their share of the worst case."""
    axes[0, column].plot(at, losses, style, ms=4, color=color, label=name)
    if bound is not None:
        assert np.all(losses <= bound)
        axes[1, column].plot(at, losses / bound, style, ms=4, color=color)


convex = {
    "gradient descent": (gradient_descent(1.0), "base", GREY),
    "NAG, $t_k$": (no.nag(1.0, momenta.nesterov()), "base", BLUE),
    "OGM": (no.ogm(1.0), "last_step", GREEN),
}
strongly_convex = {
    "gradient descent": (gradient_descent(1 / L), "base", GREY),
    "heavy ball": (polyak(L, MU), "base", VERMILION),
    "NAG, non-stationary": (no.strongly_convex_nag(L, MU), "base", BLUE),
    "TMM": (no.triple_momentum(L, MU), "params", PINK),
    "ITEM": (no.item(L, MU), "params", GREEN),
}
for name, (tx, output, color) in convex.items():
    points = run(tx, least_squares, jnp.zeros(200), STEPS, read=reading(output))[1]
    draw(0, name, jax.vmap(least_squares)(points)[1:], color, worst[name, 0.0] * np.sum(offset**2))
for name, (tx, output, color) in strongly_convex.items():
    points = run(tx, logistic_regression, origin, STEPS, read=reading(output))[1]
    losses = (jax.vmap(logistic_regression)(points) - logistic_regression(minimiser))[1:]
    known = (name, Q) in worst
    draw(1, name, losses, color, worst[name, Q] * L * np.sum(minimiser**2) if known else None)


def squared_gradient(x):
    return jnp.sum(jax.grad(least_squares)(x) ** 2)


for name, (tx, _, color) in convex.items():
    params = run(tx, least_squares, jnp.zeros(200), STEPS)[0]
    draw(2, name, jax.vmap(squared_gradient)(params)[1:], color)
horizons, theta = [1, 2, 4, 8, 15, 30, 60], {}
finals = [squared_gradient(run(no.ogm_g(1.0, N), least_squares, jnp.zeros(200), N)[0][-1]) for N in horizons]
for N in horizons:
    t = 1.0
    for k in reversed(range(N)):
        t = (1 + np.sqrt(1 + (4 if k else 8) * t**2)) / 2
    theta[N] = t
bound = np.array([2 / theta[N] ** 2 for N in horizons]) * float(least_squares(jnp.zeros(200)))
draw(2, "OGM-G, a run each", np.array(finals), PINK, bound, style="o", at=horizons)
titles = ("Convex", "Strongly convex, $q = 0.01$", "Gradient at params")
for (top, bottom), title, xscale in zip(axes.T, titles, ("log", "linear", "log"), strict=True):
    bottom.axhline(1, ls="--", color=BLACK, lw=0.8, label="worst case")
    ylabel = r"$|\nabla f|^2$" if title == titles[2] else "$f - f^*$"
    finish(top, title, ylabel, "", "lower left", xscale=xscale, yscale="log")
    share = "share of the worst case" if title == titles[0] else ""
    finish(bottom, "", share, "gradients $N$", "upper right", yscale="log", xlim=(0.9, STEPS + 2), ylim=(None, 10))
show(fig)

# %% [markdown]
# Every run stays below its worst case, as it must, and mostly far below: a worst function is made for one method. On
# easy problems the order of the methods can be another one than that of their bounds.
#
# ## 3. Where the heavy ball never arrives
#
# Polyak's constants are the best there are for quadratics: on the left no method is faster. But for functions that are
# merely smooth and strongly convex the heavy ball has no guarantee: on one of [Lessard, Recht and
# Packard](https://arxiv.org/abs/1408.3595) ($L = 25$, $\mu = 1$, three straight pieces of gradient) it settles into a
# cycle of three points and stays there for ever, while NAG and ITEM go to 0. On the right, aggregated momentum: a
# velocity of 0.99 alone rings; with two smaller ones beside it, the ringing dies out.


# %%
def three_pieces(x):
    """f' = 25 x, x + 24, 25 x - 24, changing at 1 and 2."""
    x = x[0]
    middle, last = 12.5 + (x - 1) ** 2 / 2 + 25 * (x - 1), 38 + 12.5 * (x - 2) ** 2 + 26 * (x - 2)
    return jnp.where(x < 1, 12.5 * x**2, jnp.where(x < 2, middle, last))


def bowl(x):
    return 0.5 * jnp.sum(np.array([0.04, 1.0]) * x**2)


fig, axes = plt.subplots(1, 3, figsize=(8.2, 3.2))
methods = {
    "heavy ball": (polyak, VERMILION),
    "NAG, non-stationary": (no.strongly_convex_nag, BLUE),
    "ITEM": (no.item, GREEN),
}
cycle = {}
for name, (make, color) in methods.items():
    quadratic_losses = jax.vmap(bowl)(run(make(1.0, 0.04), bowl, jnp.ones(2), 60)[1])
    path = run(make(25.0, 1.0), three_pieces, jnp.array([3.3]), 60)[1][:, 0]
    axes[0].semilogy(quadratic_losses, color=color, label=name)
    axes[1].plot(
        path, "--" if name == "ITEM" else ".-", ms=3, lw=1.5 if name == "ITEM" else 0.8, color=color, label=name
    )
    cycle[name] = sorted(np.asarray(run(make(25.0, 1.0), three_pieces, jnp.array([3.3]), 999)[1][-3:, 0]))
np.testing.assert_allclose(cycle["heavy ball"], [-1.8024, 0.6465, 2.1159], atol=5e-5)
assert max(abs(x) for name in ("NAG, non-stationary", "ITEM") for x in cycle[name]) < 1e-12
for name, tx, color in (
    ("momentum 0.99", no.heavy_ball(0.3, 0.99), VERMILION),
    ("AggMo, 0, 0.9, 0.99", no.agg_mo(0.9, (0.0, 0.9, 0.99)), PINK),
):
    losses = jax.vmap(bowl)(run(tx, bowl, jnp.ones(2), 300)[1])
    axes[2].semilogy(losses, color=color, label=name)
    cycle[name] = float(losses[300])
assert cycle["AggMo, 0, 0.9, 0.99"] < 1e-3 * cycle["momentum 0.99"]
finish(axes[0], "Quadratic, $q = 0.04$", "$f(x_k)$")
finish(axes[1], "Three pieces, $q = 0.04$", "$x_k$", legend="upper right", ylim=(-3.5, 6.5))
finish(axes[2], "Several velocities", "$f(x_k)$", legend="lower left", ylim=(1e-17, 3))
show(fig)

# %% [markdown]
# ## 4. Noise in proportion to the gradient
#
# A model that fits its data perfectly has no gradient noise at the minimum, and much of it elsewhere: $E|g - \nabla
# f|^2 = \sigma^2 |\nabla f|^2$. Nesterov's method has little margin for that. At learning rate $1/L$ its mean blows up
# even for $\sigma = 1/2$; with the learning rate $1 / (L (1 + \sigma^2))$ it survives $\sigma = 1/2$, and not $\sigma =
# 3$. AGNES (equal to SNAG with $\rho = 1 + \sigma^2$) shortens the lookahead as well, and converges for any $\sigma$;
# MaSS with the same constants is the same method.
#
# Samples would hide this: rare runs carry the mean. But the update is linear in params and buffer, so their second
# moments follow a recursion, which is computed here from the library's own update, exactly. Quadratic, $q = 10^{-4}$;
# dashed, the guarantee for SNAG.

# %%
KAPPA = 1e4
spectrum = np.geomspace(1 / KAPPA, 1, 30)


def mean_losses(tx, sigma, steps):
    """E f(x_k) for g = (1 + sigma xi) grad f with E xi = 0, E xi^2 = 1, from x_0 = (1, ..., 1)."""
    one, zero = jnp.ones(30), jnp.zeros(30)
    state = tx.update(one, tx.init(one), one)[1]  # the numbers are constant: those of any update

    def moved(params, buffer, factor):
        updates, after = tx.update(factor * spectrum * params, state._replace(momentum=buffer), params)
        return jnp.stack([params + updates, after.momentum], -1)

    def matrix(factor):  # of (params, buffer) -> (params, buffer), for each curvature
        return jnp.stack([moved(one, zero, factor), moved(zero, one, factor)], -1)

    plain = matrix(1.0)
    noise = sigma * (matrix(2.0) - plain)
    weights = jnp.array([1.0, state.readout])

    def body(moment, _):
        moment = sum(a @ moment @ a.mT for a in (plain, noise))
        return moment, 0.5 * jnp.sum(spectrum * (weights @ moment @ weights))

    return jax.lax.scan(body, jnp.tile(jnp.diag(jnp.array([1.0, 0.0])), (30, 1, 1)), length=steps)[1]


TOP, (fig, axes) = 1e6, plt.subplots(1, 2, figsize=(8.2, 3.6))
for ax, sigma, steps in zip(axes, (0.5, 3.0), (1500, 15000), strict=True):
    growth, momentum = 1 + sigma**2, momenta.strongly_convex(KAPPA)
    root = 1 / (growth * KAPPA**0.5)
    methods = {
        "gradient descent": (gradient_descent(1 / growth), GREY),
        "NAG, $1/L$": (no.nag(1.0, momentum), SKY),
        r"NAG, $1/(L(1+\sigma^2))$": (no.nag(1 / growth, momentum), BLUE),
        "AGNES = SNAG = MaSS": (no.agnes(**no.agnes_constants(1.0, 1 / KAPPA, sigma)), PINK),
    }
    mean = {name: mean_losses(tx, sigma, steps) for name, (tx, _) in methods.items()}
    for name, (_, color) in methods.items():
        arrives, blown = bool(mean[name][-1] < TOP), int(jnp.argmax(~(mean[name] < TOP))) + 1
        label = name if arrives else f"{name}, beyond $10^6$ from step {blown}"
        ax.semilogy(jnp.where(mean[name] < 100 * TOP, mean[name], jnp.nan), color=color, label=label)
    bound = (1 - root) ** np.arange(1, steps + 1) * (0.5 * spectrum.sum() + 0.5 / KAPPA * 30)
    ax.semilogy(bound, "--", color=BLACK, lw=0.8, label="guarantee for SNAG")

    agnes = mean["AGNES = SNAG = MaSS"]
    constants = no.agnes_constants(1.0, 1 / KAPPA, sigma)
    shortening = constants["momentum"] * (1 - constants["learning_rate"] / constants["correction"])
    mass = no.mass(constants["correction"], alpha=root, kappa=1 / (1 - shortening * (1 + root)))
    for twin in (no.snag(1.0, 1 / KAPPA, growth), mass):
        np.testing.assert_allclose(mean_losses(twin, sigma, steps), agnes, rtol=1e-6)
    assert np.all(agnes <= bound)
    assert not mean["NAG, $1/L$"][-1] < 1e6
    assert (mean[r"NAG, $1/(L(1+\sigma^2))$"][-1] < 1) == (sigma < 1)
    ax.locator_params(axis="x", nbins=5)
    limits = {"xlim": (-steps / 30, steps), "ylim": (1e-12, TOP)}
    finish(ax, rf"$\sigma = {sigma:g}$", "$E f(x_k)$", legend="upper right", **limits)
show(fig)
