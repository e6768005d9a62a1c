"""Slow weights around inner optimizers: what equals what, and replicas against a loop over them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no
from tests.support.problems import noisy_problems
from tests.support.running import close, trajectory

STEPS = 60


@pytest.mark.parametrize("inner", [optax.sgd(0.1), optax.adam(0.1), no.nag(0.1, 0.9)], ids=["sgd", "adam", "nag"])
def test_a_unit_outer_step_every_update_is_the_inner_optimizer(inner):
    wrapped = no.slow_weights(inner, optax.sgd(1.0), period=1)
    for problem, factors in noisy_problems(STEPS, 0.5):

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
    for problem, factors in noisy_problems(STEPS, 0.5):
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
