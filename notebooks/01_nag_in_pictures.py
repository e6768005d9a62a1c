# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Nesterov's accelerated gradient in pictures
#
# Five pictures: what the lookahead does, how strong it may be, which momentum sequences exist and what they guarantee,
# where exact NAG departs from `optax.sgd(nesterov=True)`, and what a restart buys. Each claim in the text is an
# `assert` in the cell below it, so executing this notebook checks it. It runs on a laptop CPU in under a minute.

# %%
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

from nag_optax import eval_params, nag, schedules

jax.config.update("jax_enable_x64", True)
GREY, ORANGE, BLUE, GREEN, PINK = "#767676", "#D55E00", "#0072B2", "#009E73", "#CC79A7"  # Okabe & Ito, and a grey
plt.rcParams |= {
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e8e8e8",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}

# %% [markdown]
# One helper runs everything below. In NAG the *params* are the lookahead point, where the gradient is taken; the *base
# iterate*, which `eval_params` reads, is the point that the theory speaks about. `read` records it after each update.


# %%
def run(tx, loss, x0, steps, read=eval_params):
    """Params, and ``read(state, params)``, after 0, 1, ..., ``steps`` updates."""
    tx = optax.with_extra_args_support(tx)

    def body(carry, _):
        x, state = carry
        updates, state = tx.update(jax.grad(loss)(x), state, x, value_fn=loss)
        x = optax.apply_updates(x, updates)
        return (x, state), (x, read(state, x))

    state = tx.init(x0)
    _, later = jax.lax.scan(body, (x0, state), length=steps)
    return jax.tree.map(lambda a, b: jnp.concatenate([jnp.asarray(a)[None], b]), (x0, read(state, x0)), later)


def base_losses(tx, loss, x0, steps):
    """f(x_k), x the base iterate."""
    return jax.vmap(loss)(run(tx, loss, x0, steps)[1])


# %% [markdown]
# ## 1. Look ahead, brake in time
#
# A valley 30 times as steep across as it is along. Gradient descent crawls along the floor. Classical momentum runs, and
# swings from wall to wall: it takes the gradient where it stands. NAG takes it where its velocity is about to carry it,
# meets the wall one step early and brakes. All three have the same learning rate, 1 / (2L); the last two have the same
# momentum, 0.9, and differ in `lookahead` only.

# %%
KAPPA, LR, MU = 30, 0.5, 0.9
curvature = jnp.array([1 / KAPPA, 1.0])  # so L = 1, and f* = 0
start = jnp.array([-1.0, 0.17])


def valley(x):
    return 0.5 * jnp.sum(curvature * x**2)


METHODS = {
    "gradient descent": (nag(LR, momentum=0.0), GREY, (99, 1.6e-3)),
    "classical momentum": (nag(LR, MU, lookahead=0.0), ORANGE, (99, 9e-6)),
    "Nesterov (NAG)": (nag(LR, MU), BLUE, (42, 4e-9)),
}


def draw_path(ax, path, title, color):
    x, y = np.meshgrid(np.linspace(-1.12, 0.42, 200), np.linspace(-0.2, 0.2, 80))
    levels = 2 * float(valley(start)) * np.geomspace(1e-3, 1, 9)
    ax.contour(x, y, x**2 / KAPPA + y**2, levels=levels, colors="#c4c4c4", linewidths=0.6)
    ax.plot(*path.T, ".-", color=color, lw=1.2, ms=4)
    ax.plot(0, 0, "*", color="black", ms=8, zorder=3)
    ax.set(xlim=(-1.12, 0.42), ylim=(-0.2, 0.2), xticks=[-1, -0.5, 0], yticks=[-0.1, 0.1], ylabel="$x_2$")
    ax.grid(False)
    ax.set_title(title, color=color)


final = {}
fig, axes = plt.subplot_mosaic("aad;bbd;ccd", figsize=(8.2, 4.0))
for ax, (name, (tx, color, where)) in zip("abc", METHODS.items(), strict=True):
    _, base = run(tx, valley, start, 100)
    losses = jax.vmap(valley)(base)
    final[name] = losses[-1]
    draw_path(axes[ax], base[:41], f"{name}, 40 steps", color)
    axes["d"].semilogy(losses, color=color)
    axes["d"].text(*where, name, color=color, ha="right", weight="bold")
axes["c"].set_xlabel("$x_1$")
axes["d"].set(xlabel="step $k$", ylabel="$f(x_k) - f^*$", xlim=(0, 100), title="The lookahead pays")
for parent in (Path.cwd(), *Path.cwd().parents):
    if (parent / "docs" / "images").is_dir():
        fig.savefig(parent / "docs" / "images" / "nag.png", dpi=180)
        break
plt.show()
print({name: f"{value:.1e}" for name, value in final.items()})
assert final["Nesterov (NAG)"] < final["classical momentum"] / 5 < final["gradient descent"] / 500

# %% [markdown]
# ## 2. How far ahead?
#
# `lookahead` scales the distance: 0 is classical momentum, 1 is Nesterov's method, and
# [super-acceleration](https://arxiv.org/abs/2001.06472) looks further. On a quadratic a direction of curvature $\lambda$
# contracts by a factor per step, the larger root modulus of $z^2 - (1 + \mu - s\lambda(1 + \nu\mu)) z +
# \mu (1 - \nu s \lambda)$, with $s$ the learning rate and $\nu$ the lookahead. More lookahead damps the slow direction
# more, to $\sqrt{\mu(1 - \nu s\lambda)}$, until the steep direction rings. The limit depends on the learning rate:
# at 1 / L there is little to gain beyond 1.5, and 2 diverges.


# %%
def factor(lookahead, lr):
    """Contraction per step: the largest root modulus over both directions."""
    roots = [
        np.roots([1, -(1 + MU - lr * c * (1 + lookahead * MU)), MU * (1 - lookahead * lr * c)]) for c in (1 / KAPPA, 1)
    ]
    return np.abs(roots).max()


fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.2))
for lr, marker in ((LR, "o"), (1.0, "s")):
    for lookahead, color in zip((0.0, 0.5, 1.0, 1.5), (ORANGE, PINK, BLUE, GREEN), strict=True):
        losses = base_losses(nag(lr, MU, lookahead=lookahead), valley, start, 2000)
        losses = jax.lax.cummax(losses, reverse=True)  # the largest from here on, without the dips of an oscillation
        measured = float((losses[1800] / losses[200]) ** (1 / 3200))  # 1600 steps of a quadratic function
        assert abs(measured - factor(lookahead, lr)) < 2e-3
        right.plot(lookahead, measured, marker, color=color, zorder=3)
        if lr == LR:
            left.semilogy(losses[:121], color=color, label=f"lookahead {lookahead:g}")
lookaheads = np.linspace(0, 4, 401)
for lr, style, label in ((1.0, "--", "learning rate 1 / L"), (LR, "-", "learning rate 1 / (2L)")):
    factors = np.array([factor(lookahead, lr) for lookahead in lookaheads])
    right.plot(lookaheads, factors, style, color="#444444", lw=1.1, label=label)
    print(f"{label}: NAG {factors[100]:.4f} a step; best {factors.min():.4f}, lookahead {lookaheads[factors.argmin()]}")
left.set(xlabel="step $k$", ylabel="largest $f - f^*$ from step $k$ on", xlim=(0, 120))
left.set_title("More lookahead, more damping ...")
left.legend()
right.set(xlabel="lookahead", ylabel="contraction per step", xlim=(-0.1, 4), ylim=(0.915, 1.0))
right.set_title("... until the steep direction rings")
right.legend(loc="upper center")
plt.show()
assert factor(1.5, LR) < factor(1.0, LR) < factor(0.5, LR) < factor(0.0, LR) and factor(2.0, 1.0) > 1

# %% [markdown]
# ## 3. Momentum sequences, and what they guarantee
#
# The sequences of convex optimisation start from rest and climb as 1 - 3/k (`nesterov`, and `polynomial(2)`, which it
# approaches) or slower; with a known condition number the momentum is a constant. Those of deep learning climb to a
# ceiling, over thousands of updates.

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 2.9), sharey=True)
PANELS = (
    (left, 60, {
        "nesterov()": (schedules.nesterov(), BLUE, "-"),
        "polynomial(2)": (schedules.polynomial(2), ORANGE, "--"),
        "polynomial(4)": (schedules.polynomial(4), PINK, "-"),
        "strongly_convex(100)": (schedules.strongly_convex(100), GREY, "-"),
    }),
    (right, 15_000, {
        "sutskever(0.99)": (schedules.sutskever(0.99), GREEN, "-"),
        "dozat(0.9)": (schedules.dozat(0.9), "black", "-"),
    }),
)  # fmt: skip
table = {}
for ax, steps, sequences in PANELS:
    for name, (sequence, color, style) in sequences.items():
        table[name] = schedules.tabulate(sequence, steps)
        ax.plot(table[name], style, color=color, label=name)
    ax.set(xlabel="update $k$", xlim=(0, steps), ylim=(0, 1.02))
    ax.legend(loc="lower right")
left.set(ylabel="momentum", title="Convex optimisation: from rest to 1")
right.set(title="Deep learning: slowly to a ceiling", xticks=[0, 5000, 10_000, 15_000])
plt.show()
far = schedules.tabulate(schedules.nesterov(), 100_001)[-1]
assert abs(1e5 * (1 - far) - 3) < 1e-3
assert table["sutskever(0.99)"].argmax() == 12_250 and table["dozat(0.9)"].max() < 0.9

# %% [markdown]
# With `nesterov()` and learning rate 1 / L, every convex function with an L-Lipschitz gradient obeys
# f(x_k) - f* <= 2 L R^2 / (k + 1)^2, R = |x_0 - x*|. On the left is the quadratic that Nesterov built to be hard, in 201
# dimensions: starting from 0, no method that moves along the gradients it has seen gets below the lower line. NAG stays
# between the lines; gradient descent leaves them.
#
# On the right is the sharpest test that we know. The exact worst case over all such functions is L R^2 / (4 S_N + 2),
# with S_N the distance that x_N moves where every gradient is 1, and a Huber function of width 1 / (2 S_N + 1) attains
# it. Exact NAG sits on it to rounding error. `optax.sgd(nesterov=True)` with the same momentum looks ahead with mu_k
# where NAG needs mu_{k+1}, and exceeds it on a slightly wider Huber function, by up to a tenth.

# %%
N, BETAS = 20, schedules.tabulate(schedules.nesterov(), 1000)
exact = nag(1.0, schedules.nesterov())
# optax.sgd takes no momentum schedule; inject_hyperparams gives it one, in the dtype of the params: float64 here.
lagged = optax.inject_hyperparams(optax.sgd)(learning_rate=1.0, momentum=lambda k: BETAS[k], nesterov=True)


def hard(x):
    return (x[0] ** 2 + jnp.sum(jnp.diff(x) ** 2) + x[-1] ** 2) / 8 - x[0] / 4


def huber(x, width):
    return jnp.where(jnp.abs(x) <= width, x**2 / 2, width * (jnp.abs(x) - width / 2))


def huber_losses(tx, width):
    """f(x_k) for k = 1..N from 1, with x_k a gradient step from the params before: the base iterate of either method."""
    params, _ = run(tx, lambda x: huber(x, width), jnp.ones(()), N, read=lambda state, x: x)
    steps = params[:-1] - jax.vmap(jax.grad(huber), (0, None))(params[:-1], width)
    return huber(steps, width)


n, k = 201, np.arange(1, 101)
squared_radius, f_star = np.sum((1 - np.arange(1, n + 1) / (n + 1)) ** 2), -(1 - 1 / (n + 1)) / 8
upper, lower = 2 * squared_radius / (k + 1) ** 2, (1 / (k + 1) - 1 / (n + 1)) / 8
measured = base_losses(exact, hard, jnp.zeros(n), 100)[1:] - f_star
descent = base_losses(nag(1.0, 0.0), hard, jnp.zeros(n), 100)[1:] - f_star
assert (lower <= measured).all() and (measured <= upper).all()

_, base = run(exact, lambda x: x, jnp.zeros(()), N)  # every gradient is 1
S = -base[1:]
widths = jnp.linspace(0.9, 1.15, 501) / (2 * S[:, None] + 1)  # [N, widths]; number 200 is the worst case of NAG
ratios = {}
for name, tx in (("exact", exact), ("lagged", lagged)):
    values = jax.vmap(jax.vmap(lambda width, tx=tx: huber_losses(tx, width)))(widths)  # [N, widths, steps]
    ratios[name] = jnp.moveaxis(values.diagonal(axis1=0, axis2=2), -1, 0) * (4 * S[:, None] + 2)
np.testing.assert_allclose(ratios["exact"][:, 200], 1, rtol=1e-12)  # attained ...
np.testing.assert_allclose(ratios["exact"].max(axis=1), 1, rtol=1e-12)  # ... and not exceeded
worst = ratios["lagged"].max(axis=1)

fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.2))
left.fill_between(k, lower, upper, color=BLUE, alpha=0.08, lw=0)
left.loglog(k, upper, ":", color="black", label="$2LR^2/(k+1)^2$, guaranteed")
left.loglog(k, descent, color=GREY, label="gradient descent")
left.loglog(k, measured, color=BLUE, label="NAG")
left.loglog(k, lower, "--", color="black", lw=1, label="no gradient method is below")
left.set(
    xlabel="step $k$",
    ylabel="$f(x_k) - f^*$",
    title=f"Within {measured[-1] / lower[-1]:.1f}x of what is possible at $k=100$",
)
left.legend(fontsize=8)
right.plot(k[:N], 2 / (k[:N] + 1) ** 2 * (4 * S + 2), ":", color="black", label="$2LR^2/(N+1)^2$, guaranteed")
right.plot(k[:N], worst, "x", color=ORANGE, label="optax.sgd, momentum schedule")
right.plot(k[:N], ratios["exact"][:, 200], "o", color=BLUE, ms=4, label="NAG")
right.axhline(1, color=BLUE, lw=0.8)
right.set(xlabel="steps $N$", ylabel="$f(x_N) - f^*$  /  $LR^2/(4S_N+2)$", ylim=(0.9, 1.5), xticks=[1, 5, 10, 15, 20])
right.set_title("NAG attains its exact worst case")
right.legend(fontsize=8)
plt.show()
for steps in (1, 5, 10, 20):
    exact_worst_case = 1 / (4 * S[steps - 1] + 2)
    print(f"N={steps:2d}: exact worst case {exact_worst_case:.10f}, optax {worst[steps - 1] * exact_worst_case:.10f}")

# %% [markdown]
# ## 4. Where NAG and `optax.sgd(nesterov=True)` part
#
# With a constant momentum, `nag` *is* `optax.sgd(nesterov=True)`, under any learning-rate schedule. They part in two
# places. Under a **momentum schedule**, `nag` looks ahead with the momentum of the next update. Under a **learning-rate
# schedule**, Optax rescales all past velocity by the new learning rate; `velocity="step"` keeps every past step as it
# was, as the published recursion does. Here are both on a random quadratic, condition number 1000, 40 dimensions, from
# 200 random starts in its eigenbasis; the gap is |y - y'| / |y - x*|, y the params of exact NAG.

# %%
T, spectrum = 300, jnp.geomspace(1e-3, 1, 40)
starts = jnp.asarray(np.random.default_rng(0).standard_normal((200, 40)))
RATES = {
    "learning rate / 10 at 150": lambda k: jnp.where(k < 150, 1.0, 0.1),
    "cosine learning rate": lambda k: 0.5 * (1 + jnp.cos(jnp.pi * k / T)),
    "linear warm-up over 50": lambda k: jnp.minimum((k + 1.0) / 50, 1.0),
}
STAIRS = jnp.asarray([1 - 0.5 / (t // 50 + 1) for t in range(T + 2)])
MOMENTA = {"momentum nesterov()": BETAS, "momentum in stairs": STAIRS}


def bowl(x):
    return 0.5 * jnp.sum(spectrum * x**2)


def from_all_starts(tx):
    return jax.vmap(lambda x: run(tx, bowl, x, T, read=lambda state, x: x)[0])(starts)


pairs = {}
for name, mus in MOMENTA.items():
    optax_form = optax.inject_hyperparams(optax.sgd)(
        learning_rate=1.0, momentum=lambda k, mus=mus: mus[k], nesterov=True
    )
    pairs[name] = from_all_starts(nag(1.0, lambda k, mus=mus: mus[k])), from_all_starts(optax_form)
for name, rate in RATES.items():
    pairs[name] = from_all_starts(nag(rate, 0.95, velocity="step")), from_all_starts(nag(rate, 0.95))
same = from_all_starts(optax.sgd(RATES["learning rate / 10 at 150"], 0.95, nesterov=True))
np.testing.assert_allclose(pairs["learning rate / 10 at 150"][1], same, atol=1e-12)

gaps, won = {}, {}
print(f"{'':26} NAG lower   median of loss ratio   largest gap: median [range]")
for name, (ours, theirs) in pairs.items():
    losses = [jax.vmap(bowl)(ys[:, -1]) for ys in (ours, theirs)]
    gaps[name] = jnp.linalg.norm(ours - theirs, axis=-1) / jnp.linalg.norm(ours, axis=-1)
    largest, won[name] = gaps[name].max(axis=1), float(jnp.mean(losses[0] < losses[1]))
    ratio = jnp.median(losses[0] / losses[1])
    low, middle, high = jnp.quantile(largest, jnp.array([0, 0.5, 1]))
    print(f"{name:26} {won[name]:8.1%}  {ratio:20.3f}   {middle:18.3f} [{low:.3f}, {high:.3f}]")
