"""Schedules in Python, which look at their count: in an eager loop it has a value."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import adan, agnes, fista, heavy_ball, nadam, nag, prox, scale_by_nag

TABLE = np.linspace(0.1, 0.5, 20)
SCHEDULES = {
    "if": lambda count: 0.1 if count < 2 else 0.5,
    "table": lambda count: TABLE[count],
    "int": lambda count: TABLE[int(count)],
    "list": lambda count: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6][count],
    "np.interp": lambda count: np.interp(count, [0, 5], [0.1, 0.5]),
    "float": lambda count: float(jnp.minimum(count, 5)) / 10,
}
METHODS = {
    "nag": lambda s: nag(s, s, lookahead=s),
    "nag, weight decay": lambda s: nag(s, weight_decay=s),
    "nag, restart": lambda s: nag(s, restart="speed"),
    "scale_by_nag": lambda s: scale_by_nag(s),
    "heavy_ball": lambda s: heavy_ball(s, s),
    "agnes": lambda s: agnes(s, 0.5),
    "nadam": lambda s: nadam(s),
    "adan": lambda s: adan(s, weight_decay=s),
    "fista": lambda s: fista(s, prox.none(), momentum=s),
}


@pytest.mark.parametrize("init", [lambda tx: tx.init, lambda tx: jax.jit(tx.init)], ids=["eager", "jit"])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("method", METHODS)
def test_they_work_in_an_eager_loop(method, schedule, init):
    tx, params = METHODS[method](SCHEDULES[schedule]), jnp.ones(2)
    updates, state = params, init(tx)(params)
    for _ in range(3):
        updates, state = tx.update(params, state, params)
    assert jnp.isfinite(updates).all()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_nag_stays_that_of_optax(schedule):
    params = jnp.ones(2)
    ours, theirs = (make(SCHEDULES[schedule]) for make in (nag, lambda s: optax.sgd(s, 0.9, nesterov=True)))
    state, their_state = ours.init(params), theirs.init(params)
    for _ in range(3):
        updates, state = ours.update(params, state)
        expected, their_state = theirs.update(params, their_state)
        np.testing.assert_allclose(updates, expected, rtol=1e-6)
