"""Running a transformation on a function, the way every test does it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nag_optax import eval_params


@functools.partial(jax.jit, static_argnames=("tx", "gradient", "steps"))
def run(tx, gradient, start, steps, *arguments):
    """Params and base iterates after 0, 1, ..., ``steps`` updates, and the state's ``age`` after each: leaves [steps +
    1, ...].

    ``gradient(params, k, *arguments)`` is the oracle of update k.
    """

    def body(carry, k):
        params, state = carry
        updates, state = tx.update(gradient(params, k, *arguments), state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), (params, eval_params(state, params), ages(state))

    state = tx.init(start)
    _, later = jax.lax.scan(body, (start, state), jnp.arange(steps))
    first = (start, eval_params(state, start), ages(state))
    return jax.tree.map(lambda a, b: jnp.concatenate([jnp.asarray(a)[None], b]), first, later)


def point(state, params, **arguments):
    """The base iterate; params behind a map, where there is none, as the error must say."""
    try:
        return eval_params(state, params, **arguments)
    except ValueError as error:
        if "no base iterate behind a nonlinear map" not in str(error):
            raise
        return params


def ages(state):
    """Updates since the last restart."""
    return optax.tree.get(state, "age")


def trajectory(tx, gradient, start, factors, loss=None):
    """Params, base iterate and the other outputs by name after every update, leaves [steps, ...]; each gradient is
    multiplied by its factor. A loss goes along as ``value=`` and ``value_fn=``.
    """

    def body(carry, factor):
        params, state = carry
        extra = {"value": loss(params), "value_fn": loss} if loss else {}
        updates, state = tx.update(factor * gradient(params), state, params, **extra)
        params = optax.apply_updates(params, updates)
        names = getattr(state, "outputs", {})
        outputs = {name: eval_params(state, params, output=name) for name in names}
        return (params, state), (params, point(state, params), outputs)

    start = jnp.asarray(start)
    return jax.jit(lambda f: jax.lax.scan(body, (start, tx.init(start)), f)[1])(jnp.asarray(factors))


def close(ours, theirs, tolerance=1e-10):
    """Asserts that two arrays agree, relative to the second one's largest element."""
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())
