"""The library's side of the exact worst cases of `oracles.worst_cases`: its methods, run on the worst functions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

import nag_optax as no
from nag_optax import momenta
from oracles.functions import huber, one_sided, quadratic

# ``make(q, steps)``, at smoothness 1; the number of steps for those that must know it.
METHODS = {
    "gradient descent": lambda q, n: no.nag(1.0, momentum=0.0),
    "NAG t_k": lambda q, n: no.nag(1.0, momenta.nesterov()),
    "NAG (k-1)/(k+2)": lambda q, n: no.nag(1.0, momenta.polynomial(2)),
    "NAG (k-1)/(k+3)": lambda q, n: no.nag(1.0, momenta.polynomial(3)),
    "OGM": lambda q, n: no.ogm(1.0),
    "OGM-G": lambda q, n: no.ogm_g(1.0, n),
    "NAG constant": lambda q, n: no.strongly_convex_nag(1.0, q, stationary=True),
    "NAG non-stationary": lambda q, n: no.strongly_convex_nag(1.0, q),
    "TMM": lambda q, n: no.triple_momentum(1.0, q),
    "ITEM": lambda q, n: no.item(1.0, q),
}
OUTPUTS = {"x_N": "base", "z_N": "z", "last step": "last_step"}  # y_N is params


def measured(row, q, steps, functions, make=None):
    """The errors that the row's method, or another, leaves on the functions, [functions]."""
    q = 0.0 if row.convex else q
    horizon = steps if row.fixed_horizon else None
    return np.asarray(_measure(row, make or METHODS[row.method], horizon, q, steps, functions))


@functools.partial(jax.jit, static_argnames=("row", "make", "horizon"))
def _measure(row, make, horizon, q, steps, functions):
    tx = make(q, horizon)

    def update(_, carry):
        params, state = carry
        updates, state = tx.update(functions.gradient(params), state, params)
        return optax.apply_updates(params, updates), state

    start = jnp.ones_like(functions.curvature)
    params, state = jax.lax.fori_loop(0, steps, update, (start, tx.init(start)))
    point = params if row.point == "y_N" else no.eval_params(state, params, output=OUTPUTS[row.point])
    return row.error(functions, point)


def largest_on_a_grid(row, q, steps, worst):
    """The largest error on a grid of all families, dense near the worst functions' kinks."""
    q = 0.0 if row.convex else q
    kinks = np.concatenate([f.left[np.isfinite(f.left)] for f in worst])
    deltas = np.concatenate([np.geomspace(1e-4, 1, 300), *(kink * np.linspace(0.9, 1.1, 41) for kink in kinks)])
    grids = (huber(deltas, q), one_sided(deltas, q), quadratic(np.linspace(q, 1, 300), q))
    return max(measured(row, q, steps, functions).max() for functions in grids)
