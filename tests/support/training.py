"""Training with a transformation of the catalogue: two problems, and a step."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from tests.catalogue import CATALOGUE
from tests.support.running import point


def evaluate(name, state, params, later_links=None):
    """The base iterate, with the learning rate that a scale_by_* link lacks; params behind a map, which has none."""
    lacks = name in ("scale_by_nag", "sign", "orthogonalize", "normalize_neurons")
    arguments = {"learning_rate": CATALOGUE[name].arguments["learning_rate"]} if lacks else {}
    return point(state, params, later_links=later_links, **arguments)


def quadratic(dtype):
    """A pytree with a scalar leaf, and one that is worth quantising; condition number 20. Its loss is a sum over the
    leaves, so that of a part of them, as a mask leaves it, is their share.
    """
    start = {"w": jnp.ones((8, 128), dtype), "b": jnp.asarray(-1.0, dtype), "v": (jnp.full((4,), 2.0, dtype),)}
    curvatures = {"b": 1, "v": 0.05, "w": 0.2}

    def loss(params):
        return sum(
            curvatures[path[0].key] * jnp.sum(jnp.abs(p) ** 2) / 2
            for path, p in jax.tree_util.tree_leaves_with_path(params)
        )

    return start, loss, 0.0


def logistic(dtype):
    """A regularised logistic regression with an intercept."""
    x = jnp.asarray(np.random.default_rng(0).standard_normal((40, 3)), dtype)
    y = jnp.sign(x @ jnp.asarray([1.0, -2.0, 0.5], dtype))
    start = {"w": jnp.zeros(3, dtype), "b": jnp.asarray(0.0, dtype)}

    def loss(params):
        margins = y * (x @ params["w"] + params["b"]).real
        return jnp.mean(jnp.log1p(jnp.exp(-margins))) + 0.05 * sum(
            jnp.sum(jnp.abs(p) ** 2) for p in jax.tree.leaves(params)
        )

    optimum = jax.jit(
        lambda: jax.lax.fori_loop(
            0, 3000, lambda _, p: jax.tree.map(lambda a, g: a - 0.5 * g, p, jax.grad(loss)(p)), start
        )
    )()
    return start, loss, float(loss(optimum))


def gradient(loss, params):
    """Conjugated for complex parameters, where JAX's gradient is the conjugate of the direction of ascent."""
    return jax.tree.map(jnp.conj, jax.grad(loss)(params))


def step(tx, loss):
    def one(params, state):
        arguments = {"value": loss(params), "value_fn": loss, "an_unknown_argument": None}
        updates, state = tx.update(gradient(loss, params), state, params, **arguments)
        return optax.apply_updates(params, updates), state

    return one


@functools.cache
def plain_step(name):
    """One step of a transformation on the quadratic, compiled once for all tests."""
    return jax.jit(step(CATALOGUE[name].make(), quadratic(jnp.float32)[1]))


def advance(one, carry, steps):
    """Params and state after some steps."""
    for _ in range(steps):
        carry = one(*carry)
    return carry


def signature(tree):
    return jax.tree.map(lambda x: (np.shape(x), jnp.result_type(x), getattr(x, "weak_type", False)), tree)
