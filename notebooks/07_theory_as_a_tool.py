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
# # Theory as a tool
#
# How bad can an optimizer be? Not on this problem or that one, but on the worst of all convex functions, in any
# dimension? For every method that is linear in the gradients the answer is a number that a computer finds, together
# with the function and a proof. You need no theory for it, only `worst_case(tx, steps)`. Claims are asserted in place:
# executing the notebook checks them. It needs the extra `theory`.

# %%
import itertools

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from scipy.optimize import linprog
from support import keep, show

from benchmarks.pictures import BLACK, BLUE, GREEN, GREY, PINK, SKY, VERMILION, finish
from nag_optax import Rule, from_momentum_and_correction, minimize, momenta, nag, nag_g, ogm, step_sizes, theory

jax.config.update("jax_enable_x64", True)

# %% [markdown]
# ## 1. A method is a matrix
#
# Feed an optimizer unit vectors instead of gradients, the first in the first step, the second in the second. Params
# then show how much each gradient counts: row k of the matrix is the way from the start to params after k updates.
# That is all there is to know of a linear method, and `step_matrix` reads it from any Optax transformation.

# %%
steps = 12
methods = {
    "gradient descent": optax.sgd(1.0),
    "momentum 0.8": optax.sgd(0.4, 0.8),
    "NAG, $t_k$": nag(1.0, momenta.nesterov()),
    "its dual": nag_g(1.0, steps),
}
fig, axes = plt.subplots(1, 4, figsize=(8.2, 2.4), sharey=True)
for ax, (name, tx) in zip(axes, methods.items(), strict=True):
    image = ax.imshow(theory.step_matrix(tx, steps).params, cmap="Blues", vmin=0, vmax=4)
    ax.set(title=name, xlabel="gradient", yticks=(0, 4, 8, 12), xticks=(0, 4, 8))
    ax.grid(visible=False)
axes[0].set_ylabel("updates")
fig.colorbar(image, ax=axes, label="weight", shrink=0.9)
show(fig)

# %% [markdown]
# ## 2. One question, one call
#
# Optax's Nesterov with a constant momentum, ten steps on functions of smoothness 1, started at distance 1: the largest
# loss that it can leave. Nobody has published these numbers. The best momentum for ten steps is none that one would
# guess.

# %%
mus = np.array([0, 0.2, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 0.99])
left_over = [theory.worst_case(optax.sgd(1 - mu / 2, mu, nesterov=True), 10, smoothness=1.0).value for mu in mus]
nesterov = theory.worst_case(nag(1.0, momenta.nesterov()), 10, smoothness=1.0, output="base")
fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.2))
left.plot(mus, left_over, "o-", ms=4, color=SKY, label="optax.sgd, nesterov=True")
left.axhline(nesterov.value, color=BLUE, label="nag, $t_k$")
finish(left, "Ten steps, learning rate $1 - \\mu / 2$", "largest $f - f^*$", "momentum $\\mu$", yscale="log")
(f,) = nesterov.functions
order = np.argsort(f.points[:, 0])
(direction,) = np.linalg.svd(f.points)[2][:1]
places = f.points @ direction * np.sign(f.points[0] @ direction)
right.plot(places, f.values - f.values[-1], "o", ms=4, color=BLUE, label="where NAG meets it")
delta, x = 2 * nesterov.value, np.linspace(-0.1, 1.05, 300)
huber = np.where(abs(x) < delta, x**2 / 2, delta * abs(x) - delta**2 / 2)
right.plot(x, huber, lw=1, color=BLACK, label="Huber's function")
finish(right, "The worst function for ten steps of NAG", "$f - f^*$", "$x$")
assert abs(np.interp(places, x, huber) - (f.values - f.values[-1])).max() < 1e-4
assert abs(nesterov.value - 0.01233511203) < 1e-8
show(fig)

# %% [markdown]
# The points are those of a semidefinite program in ten dimensions that has never heard of Huber. They lie on a line,
# and on it on Huber's function: NAG walks down a slope that is too gentle to get anywhere.
#
# ## 3. Acceleration without momentum
#
# Gradient descent with a long step now and then, at times that form a fractal, beats the order 1 / N without any
# buffer. NAG is still better in the long run.

# %%
counts = np.array([1, 2, 3, 5, 7, 10, 15])
silver_counts = np.array([1, 3, 7, 15])
contestants = {
    "gradient descent": (lambda n: optax.sgd(1.0), "params", counts, GREY, "o-"),
    "silver steps": (lambda n: optax.sgd(step_sizes.silver()), "params", silver_counts, PINK, "s:"),
    "long steps": (lambda n: optax.sgd(step_sizes.long_steps(int(n))), "params", counts, PINK, "o-"),
    "NAG, $t_k$": (lambda n: nag(1.0, momenta.nesterov()), "base", counts, BLUE, "o-"),
    "OGM": (lambda n: ogm(1.0), "last_step", counts, GREEN, "o-"),
}
found = {
    name: [theory.worst_case(make(n), int(n), smoothness=1.0, output=output).value for n in at]
    for name, (make, output, at, _, _) in contestants.items()
}
fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.4), width_ratios=(1, 1.2))
h = [float(step_sizes.long_steps(31)(k)) for k in range(31)]
left.bar(range(31), h, color=PINK, label="long steps")
finish(left, "31 long steps", "step size, in units of 1 / L", "step", xlim=(-0.6, 30.6))
for name, (_, _, at, color, style) in contestants.items():
    right.loglog(at, found[name], style, ms=4, color=color, label=name)
right.set_xticks(counts, [str(n) for n in counts], minor=False)
right.minorticks_off()
right.margins(x=0.04)
finish(right, "Exact worst cases", "largest $f - f^*$ for $L = R = 1$", "gradients $N$", "beside")
np.testing.assert_allclose(found["gradient descent"], 1 / (4 * counts + 2), rtol=1e-6)
np.testing.assert_allclose(found["silver steps"], 1 / (4 * (1 + 2**0.5) ** np.array([1, 2, 3, 4]) - 2), rtol=1e-5)
assert found["long steps"][4] < found["NAG, $t_k$"][4] and found["long steps"][-1] > found["NAG, $t_k$"][-1]
keep(show(fig), "long_steps.png")

# %% [markdown]
# ## 4. Backwards in time
#
# Transpose a method's matrix of steps along the antidiagonal, and its bound on the loss becomes one on the squared
# gradient, four times as large. `h_dual` does that in five numbers: time runs backwards, gain and lead change places.

# %%
counts = (1, 2, 4, 8)
loss = [theory.worst_case(nag(1.0, momenta.nesterov()), n, smoothness=1.0, output="base").value for n in counts]
options = {"smoothness": 1.0, "measure": "gradient", "start": "value"}
of_dual = [theory.worst_case(nag_g(1.0, n), n, **options).value for n in counts]
of_nag = [theory.worst_case(nag(1.0, momenta.nesterov()), n, **options).value for n in counts]
fig, ax = plt.subplots(figsize=(5.6, 3.0))
ax.loglog(counts, of_nag, "o-", ms=4, color=SKY, label="NAG")
ax.loglog(counts, of_dual, "o-", ms=4, color=BLUE, label="its dual")
ax.loglog(counts, 4 * np.array(loss), "x", color=BLACK, label="4 times NAG's loss")
ax.set_xticks(counts, [str(n) for n in counts])
ax.minorticks_off()
ax.margins(x=0.04)
finish(ax, "From $f(y_0) - f^* = 1$", "largest squared gradient", "gradients $N$", "beside")
np.testing.assert_allclose(of_dual, 4 * np.array(loss), rtol=1e-6)
show(fig)

# %% [markdown]
# ## 5. Design: find OGM from NAG, by descent
#
# A worst case comes with its derivatives with respect to the step matrix. So the numbers of a method can be trained.
# We begin with NAG's momentum and no correction, three steps, and let each worst function found so far add a plane
# below which the worst case cannot fall; a linear program says where to go next, within a distance that we trust.
# After some forty worst cases the numbers are those that Drori and Teboulle found, and of which Kim and Fessler made a
# method.

# %%
N = 3


def rule(numbers):
    beta, gamma = jnp.asarray(numbers).reshape(2, N)
    return Rule(tuple, lambda count, age, carry: (from_momentum_and_correction(beta[count], gamma[count], 1.0), carry))


def rows(numbers):
    """The step matrix, in JAX."""
    beta, gamma = numbers.reshape(2, N)
    x = y = jnp.zeros(N)
    points = [y]
    for k in range(N):
        x_next = y + jnp.eye(N)[k]
        x, y = x_next, x_next + beta[k] * (x_next - x) + gamma[k] * (x_next - y)
        points.append(y)
    return jnp.stack(points)


def worst_and_slope(numbers):
    found = theory.worst_case(rule(numbers), N, smoothness=1.0)
    along = found.sensitivity.params
    along[-1] += found.sensitivity.output
    return found.value, np.asarray(jax.vjp(rows, jnp.asarray(numbers))[1](jnp.asarray(along))[0])


t = [1.0]
for _ in range(N):
    t.append((1 + (1 + 4 * t[-1] ** 2) ** 0.5) / 2)
theta = [*t[:N], (1 + (1 + 8 * t[N - 1] ** 2) ** 0.5) / 2]
optimum = 1 / (2 * theta[-1] ** 2)

numbers, trusted = np.array([(a - 1) / b for a, b in itertools.pairwise(t)] + [0.0] * N), 0.3
value, slope = worst_and_slope(numbers)
planes, history, way = [(value, slope, numbers)], [value], [numbers]
for _ in range(45):
    A = np.array([np.append(g, -1.0) for _, g, _ in planes])
    b = np.array([g @ (at - numbers) - v for v, g, at in planes])
    bounds = [(-trusted, trusted)] * numbers.size + [(None, None)]
    *move, promised = linprog(np.append(np.zeros(numbers.size), 1.0), A, b, bounds=bounds).x
    there = numbers + np.array(move)
    value, slope = worst_and_slope(there)
    planes = [*planes, (value, slope, there)][-12:]
    better = value < history[-1] - 0.1 * (history[-1] - promised)
    numbers, trusted = (there, min(1.5 * trusted, 0.5)) if better else (numbers, trusted / 2)
    history.append(min(value, history[-1]) if better else history[-1])
    way.append(numbers)

pairs = list(itertools.pairwise(theta))
of_ogm = np.array([(a - 1) / b for a, b in pairs] + [a / b for a, b in pairs])
fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.2))
left.semilogy(np.array(history) / optimum - 1, color=BLUE, label="the best so far")
finish(left, "Above OGM's worst case", "share", "worst cases")
weights, ogms = np.array([rows(jnp.asarray(z))[-1] for z in way]), np.asarray(rows(jnp.asarray(of_ogm))[-1])
for i, color in enumerate((BLUE, GREEN, PINK)):
    right.plot(weights[:, i], color=color, label=f"gradient {i}")
    right.axhline(ogms[i], color=color, ls=":", lw=1)
finish(right, "Weights of the last point; dotted: OGM's", "weight", "worst cases", "beside")
assert history[0] > 1.5 * optimum > 1.49 * history[-1] and abs(weights[-1] - ogms).max() < 0.01
show(fig)

# %% [markdown]
# ## 6. Design: a schedule for a number of steps and a noise
#
# On quadratics no program is needed: a rule with gradient noise moves the second moments of params and buffer, one
# matrix a curvature, and JAX differentiates through that. Forty steps, curvatures from 0.01 to 1: which learning rates
# and which momenta leave the least expected loss?

# %%
steps, curvatures = 40, jnp.geomspace(1e-2, 1, 25)


def expected_loss(rates, mus, noise):
    """Of NAG at params after all steps, from 1, in the mean over curvatures."""

    def step(moments, numbers):
        rate, mu, mu_next = numbers
        taken, one = rate * (1 + mu_next), jnp.ones_like(curvatures)
        A = jnp.stack(
            [
                jnp.stack([1 - taken * curvatures, -rate * mu_next * mu * one], -1),
                jnp.stack([curvatures, mu * one], -1),
            ],
            -2,
        )
        b = jnp.array([-taken, 1.0])
        return A @ moments @ jnp.swapaxes(A, -1, -2) + noise**2 * jnp.outer(b, b), None

    start = jnp.zeros((curvatures.size, 2, 2)).at[:, 0, 0].set(1.0)
    moments, _ = jax.lax.scan(step, start, (rates, mus, jnp.append(mus[1:], mus[-1])))
    return jnp.mean(curvatures * moments[:, 0, 0] / 2)


def schedules(z):
    return 1.5 * jax.nn.sigmoid(z[:steps]), jax.nn.sigmoid(z[steps:])


fig, axes = plt.subplots(1, 3, figsize=(8.2, 3.0))
grid = [(jnp.full(steps, rate), mu) for rate in np.geomspace(0.01, 1, 20) for mu in (0, 0.5, 0.8, 0.9, 0.95)]
bars = {"constant": [], "NAG, $t_k$": [], "designed": []}
tk = jnp.asarray(momenta.tabulate(momenta.nesterov(), steps))
noises = {0.0: BLACK, 0.01: BLUE, 0.1: VERMILION}
evaluate = jax.jit(expected_loss)
for noise, color in noises.items():
    start = jnp.concatenate([jnp.zeros(steps), jnp.ones(steps)])
    designed = minimize(lambda z, noise: jnp.log(expected_loss(*schedules(z), noise)), start, args=(noise,), tol=1e-4)
    rates, mus = schedules(designed.params)
    axes[0].plot(rates, color=color, label=f"noise {noise:g}")
    axes[1].plot(mus, color=color, label=f"noise {noise:g}")
    bars["constant"].append(min(float(evaluate(rate, jnp.full(steps, mu), noise)) for rate, mu in grid))
    bars["NAG, $t_k$"].append(min(float(evaluate(rate, tk, noise)) for rate, _ in grid[::5]))
    bars["designed"].append(float(evaluate(rates, mus, noise)))
for i, ((name, values), color) in enumerate(zip(bars.items(), (SKY, BLUE, GREEN), strict=True)):
    axes[2].bar(np.arange(3) + 0.27 * (i - 1), values, 0.25, color=color, label=name)
axes[2].set_xticks(range(3), [f"noise\n{noise:g}" for noise in noises])
finish(axes[0], "Learning rates", "$L$ times the learning rate")
finish(axes[1], "Momenta", "$\\mu_k$", ylim=(-0.03, 1.03))
finish(axes[2], "Expected loss in the end", "$f - f^*$", "", yscale="log")
assert all(new < min(old) for new, *old in zip(bars["designed"], bars["constant"], bars["NAG, $t_k$"], strict=True))
show(fig)

# %% [markdown]
# Without noise the momentum stays, and long steps help it. With noise the designed schedules let the momentum go and
# anneal the learning rate; with much of it they warm up, too. Nobody told them to.
