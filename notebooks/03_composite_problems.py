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
# # Composite problems
#
# A smooth function plus one that has a proximal operator: sparse regression, constraints, denoising, low rank. One
# function, `minimize`, and no step size. Claims are asserted in place: executing the notebook checks them.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cbook import get_sample_data
from support import show

from benchmarks.pictures import BLACK, BLUE, GREEN, GREY, PINK, finish
from nag_optax import losses, minimize, prox
from nag_optax import path as regularisation_path

jax.config.update("jax_enable_x64", True)

# %% [markdown]
# ## 1. A LASSO whose solution is known
#
# Nesterov (2013) builds the data around a chosen sparse point, so that the error can be measured exactly. Against the
# solution: the accelerated method with its line search and restart, the same without acceleration (a proximal gradient
# step of the right length, by hand), and FISTA with the known step and no restart.

# %%
rng = np.random.default_rng(1)
B, residual = rng.uniform(-1, 1, (200, 500)), rng.uniform(0, 1, 200)
residual /= np.linalg.norm(residual)
correlation = B.T @ residual
strongest = np.argsort(-abs(correlation))[:30]
scale = np.where(abs(correlation) > 0.1, rng.uniform(0, 1, 500) / abs(correlation), 1.0)
scale[strongest] = 1 / abs(correlation[strongest])
truth = np.zeros(500)
truth[strongest] = rng.uniform(0, 1 / np.sqrt(30), 30) * np.sign(correlation[strongest])
X = jnp.asarray(B * scale)
y = X @ truth + residual
step = 1 / float(jnp.linalg.norm(X, 2)) ** 2


def smooth(w):
    return 0.5 * jnp.sum((X @ w - y) ** 2)


def objective(w):
    return smooth(w) + jnp.abs(w).sum()


def plain(w, _):
    w = prox.l1(1.0)(w - step * jax.grad(smooth)(w), step)
    return w, objective(w)


best = objective(jnp.asarray(truth))
solution = minimize(smooth, jnp.zeros(500), prox=prox.l1(1.0), tol=1e-13, history=True)
fista = minimize(smooth, jnp.zeros(500), prox=prox.l1(1.0), method="fista", step_size=step, tol=1e-13)
_, descent = jax.lax.scan(plain, jnp.zeros(500), length=400)
print(f"full backtracking: {solution}\nfista with restart: {fista}")
np.testing.assert_array_equal(solution.params == 0, truth == 0)
np.testing.assert_allclose(solution.params, truth, atol=1e-9)

fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.3))
gaps = (solution.state.history.value - best) / best
left.semilogy(descent / best - 1, color=GREY, label="proximal gradient")
left.semilogy(jnp.where(gaps > 1e-16, gaps, jnp.nan)[:400], color=BLUE, label="minimize")

assert gaps[100] < 1e-2 * (descent[100] / best - 1)
support = np.flatnonzero(truth)
right.plot(solution.params, ".", ms=4, color=BLUE, label="found")
right.plot(support, truth[support], "o", ms=7, mfc="none", color=BLACK, label="chosen, where it is not 0")
finish(left, "Gap to the known optimum", "relative gap", ylim=(1e-16, 10))
title = f"{int((solution.params == 0).sum())} of 500 weights are exactly 0"
finish(right, title, "weight", "feature", "upper left", ylim=(-0.2, 0.29))
show(fig)

# %% [markdown]
# ## 2. Non-negative least squares
#
# A spectrum is a mixture of known bumps with non-negative amounts. The unconstrained fit uses negative amounts to fit
# the noise; the constraint alone, without any strength to tune, makes the answer sparse.

# %%
grid, centers = np.linspace(0, 1, 200), np.linspace(0.02, 0.98, 60)
bumps = jnp.asarray(np.exp(-0.5 * ((grid[:, None] - centers) / 0.02) ** 2))
amounts = np.zeros(60)
amounts[[9, 11, 30, 45]] = [1.0, 0.6, 0.8, 0.4]
spectrum = bumps @ amounts + 0.05 * jnp.asarray(rng.standard_normal(200))


def misfit(x):
    return 0.5 * jnp.sum((bumps @ x - spectrum) ** 2)


free = minimize(misfit, jnp.zeros(60), tol=1e-9)
bounded = minimize(misfit, jnp.zeros(60), prox=prox.non_negative(), tol=1e-9)
assert bool(jnp.all(bounded.params >= 0)) and int((bounded.params == 0).sum()) > 20
assert jnp.linalg.norm(bounded.params - amounts) < jnp.linalg.norm(free.params - amounts)
fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.0))
left.plot(grid, spectrum, ".", ms=2, color=PINK, label="measured")
left.plot(grid, bumps @ bounded.params, color=BLUE, label="fit, non-negative")
right.plot(centers, free.params, ".-", lw=0.8, color=GREEN, label="unconstrained")
right.plot(centers, bounded.params, ".-", lw=0.8, color=BLUE, label="non-negative")
right.plot(centers[amounts > 0], amounts[amounts > 0], "k+", ms=9, label="true")
finish(left, "A mixture of bumps", "signal", "frequency")
finish(right, "The amounts", "amount", "center")
show(fig)

# %% [markdown]
# ## 3. Total variation denoising
#
# With $f(x) = |x - y|^2 / 2$ a single prox is the answer, and `minimize` finds it in one step. With a blur in between
# it takes a few more: the prox of the total variation (an exact, direct algorithm) inside, acceleration outside.

# %%
levels = np.repeat(rng.standard_normal(8), 40)
offsets = np.subtract.outer(np.arange(320), np.arange(320))
blur = np.exp(-0.5 * (offsets / 4.0) ** 2)
blur = jnp.asarray(blur / blur.sum(1, keepdims=True))
blurred = blur @ levels + 0.05 * jnp.asarray(rng.standard_normal(320))
variation = prox.total_variation_1d(0.08)
denoised = minimize(lambda x: 0.5 * jnp.sum((x - blurred) ** 2), blurred, prox=variation, tol=1e-10)
np.testing.assert_allclose(denoised.params, variation(blurred, 1.0), atol=1e-8)
sharp = minimize(lambda x: 0.5 * jnp.sum((blur @ x - blurred) ** 2), blurred, prox=variation, tol=1e-7)
errors = {name: float(jnp.linalg.norm(x - levels)) for name, x in (("data", blurred), ("sharp", sharp.params))}
assert errors["sharp"] < errors["data"] / 2
fig, ax = plt.subplots(figsize=(8.2, 2.8))
ax.plot(blurred, ".", ms=2, color=PINK, label="blurred and noisy")
ax.plot(levels, color=BLACK, lw=0.8, label="true")
ax.plot(sharp.params, color=BLUE, label="deblurred")
finish(ax, f"Deblurred into {len(np.unique(np.asarray(sharp.params)))} pieces", "signal", "sample")
print(sharp)
show(fig)

# %% [markdown]
# ## 4. A photograph
#
# In two dimensions the total variation has no direct algorithm; its operator runs FISTA on the dual. Denoising is a
# single proximal step. Two thirds of the pixels gone, `minimize` fills in what is missing: `linear` is the mask.

# %%
photograph = plt.imread(get_sample_data("grace_hopper.jpg")).mean(-1)[40:360:2, 90:410:2] / 255
photograph = jnp.asarray(photograph, jnp.float32)
there = jnp.asarray(rng.random(photograph.shape) < 1 / 3)
noise = 0.1 * jnp.asarray(rng.standard_normal(photograph.shape), jnp.float32)
edges = prox.total_variation_2d(0.05, max_steps=200)
denoised = jax.jit(edges.apply)(photograph + noise, 1.0)
holes = jnp.where(there, photograph, 0)
filled = minimize(
    losses.squared(holes),
    holes,
    linear=lambda x: jnp.where(there, x, 0),
    prox=prox.total_variation_2d(0.01, max_steps=200),
    tol=1e-3,
    max_steps=200,
)
print(filled)


def decibels(x):
    return float(-10 * jnp.log10(jnp.mean((x - photograph) ** 2)))


pictures = {"noisy": photograph + noise, "denoised": denoised, "a third of the pixels": holes, "filled": filled.params}
assert decibels(denoised) > decibels(pictures["noisy"]) + 4 and decibels(filled.params) > decibels(holes) + 10
fig, axes = plt.subplots(1, 5, figsize=(8.2, 2.0))
for ax, (name, x) in zip(axes, {"photograph": photograph, **pictures}.items(), strict=True):
    ax.imshow(x, cmap="gray", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
    ax.set_title(name if x is photograph else f"{name}\n{decibels(x):.1f} dB", fontsize=8)
show(fig)

# %% [markdown]
# ## 5. Matrix completion
#
# A 60 x 40 matrix of rank 3, two thirds of its entries seen, with noise. Too weak a nuclear norm fits the noise, too
# strong a one shrinks what is there.

# %%
full = rng.standard_normal((60, 3)) @ rng.standard_normal((3, 40))
seen = jnp.asarray(rng.random((60, 40)) < 2 / 3)
noisy = full + 0.5 * np.random.default_rng(2).standard_normal((60, 40))


def seen_error(m):
    return 0.5 * jnp.sum(jnp.where(seen, m - noisy, 0) ** 2)


def complete(strength):
    solution = minimize(seen_error, jnp.zeros((60, 40)), prox=prox.nuclear_norm(strength))
    wrong, all_of_it = (jnp.linalg.norm(jnp.where(seen, 0, m)) for m in (solution.params - full, full))
    return wrong / all_of_it, solution


strengths = jnp.geomspace(0.1, 100, 16)
relative, solutions = jax.jit(jax.lax.map, static_argnums=0)(complete, strengths)
singular = np.linalg.svd(np.asarray(solutions.params), compute_uv=False)
ranks = (singular > 1e-9).sum(1)
chosen = int(jnp.argmin(relative))
print(f"strength {strengths[chosen]:.2g}: rank {ranks[chosen]}, error on unseen entries {relative[chosen]:.3f}")
assert 0 < chosen < len(strengths) - 1 and relative[chosen] < 0.9 * relative[0] < 0.5 < relative[-1]
fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.0))
left.semilogx(strengths, relative, ".-", color=BLUE, label="error on unseen entries")
left.semilogx(strengths, ranks / 40, ".-", color=PINK, label="rank / 40")
left.axvline(strengths[chosen], ls="--", lw=0.8, color=BLACK, label=f"chosen: {strengths[chosen]:.2g}")
right.semilogy(singular[chosen] + 1e-16, ".-", color=BLUE, label="completed")
right.semilogy(np.linalg.svd(full, compute_uv=False) + 1e-16, "k+", label="true")
finish(left, "Strength of the nuclear norm", "", "strength", "upper left", ylim=(-0.05, 1.6))
finish(right, f"Singular values, chosen strength: rank {ranks[chosen]}", "", "index", ylim=(1e-17, 1e3))
show(fig)

# %% [markdown]
# ## 6. A gradient through the solution
#
# The validation loss of a LASSO as a function of its strength, and its derivative by the implicit function theorem: no
# unrolled iterations, no finite differences. Gradient descent on the logarithm of the strength then tunes it.

# %%
features = rng.standard_normal((80, 100))
weights = np.where(rng.random(100) < 0.1, rng.standard_normal(100), 0)
labels = features @ weights + 0.5 * rng.standard_normal(80)
train, held_out = (features[:50], labels[:50]), (features[50:], labels[50:])


def mean_squares(w, data):
    return 0.5 * jnp.mean((data[0] @ w - data[1]) ** 2)


@jax.jit
def validation_loss(log_strength):
    fitted = minimize(mean_squares, jnp.zeros(100), args=(train,), prox=prox.l1(jnp.exp(log_strength)), tol=1e-10)
    return mean_squares(fitted.params, held_out)


slope = jax.jit(jax.value_and_grad(validation_loss))
axis = jnp.linspace(-5, 0.5, 60)
curve = jax.lax.map(validation_loss, axis)
for at in (-4.0, -2.0, -1.0):
    difference = (validation_loss(at + 1e-4) - validation_loss(at - 1e-4)) / 2e-4
    np.testing.assert_allclose(slope(at)[1], difference, rtol=1e-4, atol=1e-6)
path = [(-0.5, float(validation_loss(-0.5)))]
for _ in range(25):
    _, derivative = slope(path[-1][0])
    following = path[-1][0] - 1.5 * float(derivative)
    path.append((following, float(validation_loss(following))))
assert path[-1][1] < path[0][1] / 2 and abs(float(slope(path[-1][0])[1])) < 0.05
fig, ax = plt.subplots(figsize=(8.2, 2.9))
ax.plot(axis, curve, color=BLACK, label="validation loss")
ax.plot(*zip(*path, strict=True), ".-", color=GREY, label="gradient descent on the strength")
finish(ax, "Tuning the strength by its own gradient", "mean squared error / 2", "log of the strength")
show(fig)

# %% [markdown]
# ## 7. A certified path
#
# A loss that knows its conjugate makes a duality gap: the value is certainly no farther from the minimum. Here along a
# whole path, stopped when the gap is a millionth of the value, on the few columns that a sparse solution needs
# (`screen=True`). The true suboptimality, against solutions to 1e-12, is far below its certificate.

# %%
wide = jnp.asarray(rng.standard_normal((100, 2000)))
active = np.where(rng.random(2000) < 0.005, rng.standard_normal(2000), 0)
answers = wide @ active + 0.1 * rng.standard_normal(100)
loss = losses.squared(answers)
largest = float(jnp.abs(wide.T @ answers).max())
strengths = largest * jnp.geomspace(0.9, 0.05, 20)
options = {"linear": wide, "stop": "gap", "screen": True}
certified = regularisation_path(loss, jnp.zeros(2000), strengths, tol=1e-6, **options)
exact = regularisation_path(loss, jnp.zeros(2000), strengths, tol=1e-12, **options)
above = (certified.value - exact.value) / exact.value
gaps = certified.gap / certified.value
assert jnp.all(above <= gaps + 1e-12) and jnp.all(gaps <= 1e-6)
fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.0))
moving = np.flatnonzero(np.any(np.asarray(certified.params) != 0, axis=0))
for group, color, label in ((active[moving] == 0, GREY, "others"), (active[moving] != 0, BLUE, "true")):
    lines = left.semilogx(strengths / largest, certified.params[:, moving[group]], color=color, lw=0.8)
    lines[0].set_label(label)
right.loglog(strengths / largest, gaps, ".-", color=BLUE, label="certificate: the gap")
right.loglog(strengths / largest, jnp.maximum(above, 1e-16), ".-", color=BLACK, label="true suboptimality")
finish(left, f"{len(moving)} of 2000 weights ever move", "weight", "strength / largest")
finish(right, "Relative distance to the minimum", "", "strength / largest", ylim=(1e-17, 1e-4))
show(fig)
