"""The library's side of the exact worst cases of `oracles.worst_cases`: its methods, run on the worst functions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

import nag_optax as no
from nag_optax import momenta, step_sizes
from nag_optax.theory import worst_case as by_semidefinite_program
from oracles import errors
from oracles.functions import huber, kinks, one_sided, quadratic

# ``make(q, steps)``, at smoothness 1; the number of steps for those that must know it. A composite method is a function
# of its operator.
METHODS = {
    "gradient descent": lambda q, n: no.nag(1.0, momentum=0.0),
    "NAG t_k": lambda q, n: no.nag(1.0, momenta.nesterov()),
    "NAG (k-1)/(k+2)": lambda q, n: no.nag(1.0, momenta.polynomial(2)),
    "NAG (k-1)/(k+3)": lambda q, n: no.nag(1.0, momenta.polynomial(3)),
    "OGM": lambda q, n: no.ogm(1.0),
    "OGM-G": lambda q, n: no.ogm_g(1.0, n),
    "dual NAG": lambda q, n: no.nag_g(1.0, n),
    "silver steps": lambda q, n: optax.sgd(step_sizes.silver()),
    "long steps": lambda q, n: optax.sgd(step_sizes.long_steps(n)),
    "FISTA": lambda q, n: lambda prox: no.fista(1.0, prox, restart=None),
    "OptISTA": lambda q, n: lambda prox: no.optista(1.0, n, prox),
    "Guler's second": lambda q, n: no.ogm(1.0),
    "Halpern": lambda q, n: no.halpern(),
    "APPM": lambda q, n: no.halpern(2.0),
    "NAG constant": lambda q, n: no.strongly_convex_nag(1.0, q, stationary=True),
    "NAG non-stationary": lambda q, n: no.strongly_convex_nag(1.0, q),
    "TMM": lambda q, n: no.triple_momentum(1.0, q),
    "ITEM": lambda q, n: no.item(1.0, q),
}
OUTPUTS = {"x_N": "base", "z_N": "z", "last step": "last_step", "y_N": "params"}

RESIDUALS = {
    "proximal": lambda functions, x: x - functions.prox(x, 1.0),
    "nonexpansive": lambda functions, x: 2 * functions.gradient(x),
}
"""What takes the place of gradients."""

JUDGED = {
    errors.value: ("value", "distance"),
    errors.squared_distance: ("distance", "distance"),
    errors.squared_gradient: ("gradient", "value"),
    errors.squared_residual: ("gradient", "distance"),
    errors.squared_move: ("gradient", "distance"),
    errors.normalised_value: ("value", "potential"),
}
"""What `nag_optax.theory.worst_case` calls them: measure and start."""


def measured(row, q, steps, functions, make=None):
    """The errors that the row's method, or another, leaves on the functions, [functions]."""
    q = 0.0 if row.convex else q
    steps = row.rounded(steps)
    horizon = steps if row.fixed_horizon else None
    return np.asarray(_measure(row, make or METHODS[row.method], horizon, q, steps, functions))


def by_program(row, q, steps):
    """The worst case of the row's method by a semidefinite program."""
    q, steps = 0.0 if row.convex else q, row.rounded(steps)
    measure, start = JUDGED[row.error]
    feedback = {"composite": "gradient", "resolvent": "proximal"}.get(row.fed, row.fed)
    of_class = {"smoothness": 1.0, "strong_convexity": q} if feedback == "gradient" else {"feedback": feedback}
    tx, output = METHODS[row.method](q, steps), OUTPUTS[row.point]
    return by_semidefinite_program(tx, steps, measure=measure, start=start, output=output, **of_class).value


@functools.partial(jax.jit, static_argnames=("row", "make", "horizon"))
def _measure(row, make, horizon, q, steps, functions):
    fed = RESIDUALS.get(row.fed, lambda functions, x: functions.gradient(x))
    tx = make(q, horizon)
    tx = tx(functions.prox) if row.fed == "composite" else tx

    def update(_, carry):
        params, state = carry
        updates, state = tx.update(fed(functions, params), state, params)
        return optax.apply_updates(params, updates), state

    start = jnp.ones_like(functions.value(0.0))
    params, state = jax.lax.fori_loop(0, steps, update, (start, tx.init(start)))
    point = params if row.point == "y_N" else no.eval_params(state, params, output=OUTPUTS[row.point])
    return row.error(functions, point)


def largest_on_a_grid(row, q, steps, worst):
    """The largest error on a grid of all families, dense near the worst functions' kinks."""
    q = 0.0 if row.convex else q
    if row.fed in ("composite", "proximal"):
        return max(measured(row, q, steps, functions).max() for functions in _composites(row, worst))
    kinks = np.concatenate([f.left[np.isfinite(f.left)] for f in worst])
    deltas = np.concatenate([np.geomspace(1e-4, 1, 300), *(kink * np.linspace(0.9, 1.1, 41) for kink in kinks)])
    grids = (huber(deltas, q), one_sided(deltas, q), quadratic(np.linspace(q, 1, 300), q))
    return max(measured(row, q, steps, functions).max() for functions in grids)


def _composites(row, worst):
    """Kinks, dense near the worst ones, some of them bent; for composite methods, beside smooth functions."""
    slopes = np.concatenate([np.geomspace(1e-4, 1, 300), *(f.slope * np.linspace(0.9, 1.1, 41) for f in worst)])
    yield from (kinks(slopes, bend) for bend in (0.0, 0.01, 0.1, 1.0))
    if row.fed == "composite":
        ones = np.ones_like(slopes)
        yield from (kinks(slopes, 0.0, f) for f in (huber(slopes), *(huber(d * ones) for d in (0.01, 0.1, 0.5))))
        yield from (kinks(slopes, 0.0, quadratic(c * ones)) for c in (0.01, 0.1, 0.5, 1.0))
