"""Slow weights and averages around inner optimizers: what equals what, and replicas against a loop over them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from problems import oracles
from running import close, trajectory

import nag_optax as no

STEPS = 60


@pytest.mark.parametrize("inner", [optax.sgd(0.1), optax.adam(0.1), no.nag(0.1, 0.9)], ids=["sgd", "adam", "nag"])
def test_a_unit_outer_step_every_update_is_the_inner_optimizer(inner):
    wrapped = no.slow_weights(inner, optax.sgd(1.0), period=1)
    for problem, factors in oracles(STEPS, 0.5):

        def step(carry, factor, problem=problem):
            (ours, state), (theirs, inner_state) = carry
            updates, state = wrapped.update(factor * problem.gradient(ours), state, ours)
            ours = optax.apply_updates(ours, updates)
            updates, inner_state = inner.update(factor * problem.gradient(theirs), inner_state, theirs)
            theirs = optax.apply_updates(theirs, updates)
            return ((ours, state), (theirs, inner_state)), (ours, theirs)

        start = jnp.asarray(problem.start)
        begin = (start, wrapped.init(start)), (start, inner.init(start))
        ((_, state), (_, inner_state)), (ours, theirs) = jax.jit(partial(jax.lax.scan, step))(begin, factors)
        close(ours, theirs, 1e-13)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-12), state.inner, inner_state)


def test_snoo_without_momentum_is_lookahead():
    for problem, factors in oracles(STEPS, 0.5):
        inner = optax.adam(0.1)
        ours = trajectory(no.snoo(inner, 0.3, 0.0, period=4), problem.gradient, problem.start, factors)
        theirs = trajectory(no.lookahead(inner, 4, 0.3), problem.gradient, problem.start, factors)
        close(ours[0], theirs[0])


def test_the_outer_transformation_sees_the_slow_weights():
    decay, period = 0.1, 3
    tx = no.slow_weights(optax.sgd(0.1), optax.chain(optax.add_decayed_weights(decay), optax.sgd(0.5)), period)
    slow = fast = params = np.ones(2)
    state = tx.init(jnp.asarray(params))
    for k, gradient in enumerate(np.random.default_rng(0).standard_normal((12, 2))):
        updates, state = tx.update(jnp.asarray(gradient), state, jnp.asarray(params))
        params = params + np.asarray(updates)
        fast = fast - 0.1 * gradient
        if (k + 1) % period == 0:
            slow = fast = slow - 0.5 * (slow - fast + decay * slow)
        close(params, fast, 1e-13)


def test_gpa_around_gradient_descent_is_nag():
    for problem, factors in oracles(300, 0.5):
        rate, mu = 0.5 / problem.smoothness, 0.9
        ours = trajectory(no.gpa(optax.sgd(rate / (1 - mu)), mu, mu), problem.gradient, problem.start, factors)
        theirs = trajectory(no.nag(rate, mu), problem.gradient, problem.start, factors)
        close(ours[0], theirs[0])
        close(ours[1], theirs[1])


def replicas_in_a_loop(gradients, start, inner, period, eta, mu):
    """DiLoCo as its Algorithm 1 is printed, in NumPy but for the inner optimizer: params of all replicas, by step."""
    theta, b = start, 0 * start
    fast, states = [start] * len(gradients[0]), [inner.init(jnp.asarray(start)) for _ in gradients[0]]
    for k, of_replicas in enumerate(gradients):
        for r, gradient in enumerate(of_replicas):
            updates, states[r] = inner.update(jnp.asarray(gradient), states[r], jnp.asarray(fast[r]))
            fast[r] = fast[r] + np.asarray(updates)
        if (k + 1) % period == 0:
            delta = np.mean([theta - f for f in fast], axis=0)
            b = mu * b + delta
            theta = theta - eta * (mu * b + delta)
            fast = [theta] * len(fast)
        yield np.stack(fast)


@pytest.mark.parametrize("inner", [optax.sgd(0.1), optax.adamw(0.1)], ids=["sgd", "adamw"])
def test_diloco_is_a_loop_over_replicas(inner):
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(5), rng.standard_normal((20, 3, 5))
    tx = no.diloco(inner, axis_name="replica", period=6)
    params = jnp.tile(start, (3, 1))
    state = jax.vmap(tx.init)(params)
    update = jax.jit(jax.vmap(tx.update, axis_name="replica"))
    for g, expected in zip(gradients, replicas_in_a_loop(gradients, start, inner, 6, 0.7, 0.9), strict=True):
        updates, state = update(jnp.asarray(g), state, params)
        params = optax.apply_updates(params, updates)
        close(params, expected, 1e-13)


def averages_around_adamw(gradients, start, weights, interpolation, rate=0.1, b2=0.99, decay=0.1):
    """Primal averaging's three sequences around AdamW without momentum, in NumPy; ``weights`` are those of z in x."""
    x = y = z = start
    v = 0 * start
    for k, (g, c) in enumerate(zip(gradients, weights, strict=True)):
        v = b2 * v + (1 - b2) * g**2
        z = z - rate * (g / (np.sqrt(v / (1 - b2 ** (k + 1))) + 1e-8) + decay * y)
        x = (1 - c) * x + c * z
        y = (1 - interpolation) * z + interpolation * x
        yield y, x, z


AROUND_ADAMW = {
    "gpa": (lambda inner: no.gpa(inner, 0.9, 0.6), [0.1] * STEPS, 0.6),
    "schedule_free": (lambda inner: no.schedule_free(inner, 0.1), 1 / np.arange(1, STEPS + 1), 0.9),
    "schedule_free, decaying rate": (  # the largest rate counts
        lambda inner: no.schedule_free(inner, lambda k: 0.1 / (k + 1)),
        1 / np.arange(1, STEPS + 1),
        0.9,
    ),
    "primal_averaging, schedule": (
        lambda inner: no.primal_averaging(inner, no.schedules.polynomial(3), 1.0),
        1 - np.arange(STEPS) / (np.arange(1, STEPS + 1) + 3),
        1.0,
    ),
}


@pytest.mark.parametrize("name", AROUND_ADAMW)
def test_averages_around_adamw_are_the_published_sequences(name):
    make, weights, interpolation = AROUND_ADAMW[name]
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(5), rng.standard_normal((STEPS, 5))
    tx = make(optax.adamw(0.1, b1=0.0, b2=0.99, weight_decay=0.1))
    params, state = jnp.asarray(start), tx.init(jnp.asarray(start))
    for g, (y, x, z) in zip(gradients, averages_around_adamw(gradients, start, weights, interpolation), strict=True):
        updates, state = tx.update(jnp.asarray(g), state, params)
        params = optax.apply_updates(params, updates)
        close(params, y, 1e-12)
        close(no.eval_params(state, params), x, 1e-12)
        close(no.eval_params(state, params, output="z"), z, 1e-12)


def test_schedule_free_is_the_one_of_its_authors():
    torch, schedulefree = pytest.importorskip("torch"), pytest.importorskip("schedulefree")
    problem, factors = next(oracles(100, 0.5))
    rate, warm_up = 0.5 / problem.smoothness, 10

    def learning_rate(k):
        return rate * jnp.minimum(1.0, (k.astype(float) + 1) / warm_up)  # Optax counts in int32

    theirs = torch.tensor(problem.start, requires_grad=True)
    optimizer = schedulefree.SGDScheduleFree([theirs], lr=rate, momentum=0.9, warmup_steps=warm_up)
    points = []
    for factor in factors:
        optimizer.train()
        theirs.grad = torch.tensor(factor * problem.gradient(theirs.detach().numpy()))
        optimizer.step()
        optimizer.eval()
        points.append(theirs.detach().numpy().copy())
    tx = no.schedule_free(optax.sgd(learning_rate), learning_rate)
    close(trajectory(tx, problem.gradient, problem.start, factors)[1], np.array(points))


def test_schedule_free_in_bfloat16_keeps_averaging():
    """Optax's weight, kept in the dtype of the parameters, freezes; here 1 / 3000 is 1 / 3000."""
    tx = no.schedule_free(optax.sgd(0.01), 0.01)
    params = jnp.ones(3, jnp.bfloat16)
    state, _ = jax.lax.scan(lambda s, _: (tx.update(params, s, params)[1], None), tx.init(params), length=3000)
    momentum = optax.tree.get(state, "carry")[0]
    assert momentum.dtype == jnp.float32
    np.testing.assert_allclose(1 - momentum, 1 / 3000, rtol=1e-3)
