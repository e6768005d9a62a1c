"""Restart tests as arguments: published ones with parameters, and those of others."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import eval_params, fista, minimize, momenta, nag, ogm, pogm, prox, restart
from nag_optax.extend import RestartTest, Verdict, full_backtracking

CURVATURE = jnp.asarray([1.0, 0.01])


def loss(x):
    return 0.5 * jnp.sum(CURVATURE * x**2)


def run(tx, steps=60, start=(1.0, 1.0)):
    """Params, base iterates and ages after every update."""

    def body(carry, _):
        params, state = carry
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = tx.update(gradient, state, params, value=value)
        params = optax.apply_updates(params, updates)
        return (params, state), (params, eval_params(state, params), optax.tree.get(state, "age"))

    params = jnp.asarray(start)
    return jax.jit(lambda: jax.lax.scan(body, (params, tx.init(params)), length=steps))()[1]


def times(ages):
    return [k + 1 for k, age in enumerate(np.asarray(ages)) if age == 0]


METHODS = {
    "nag": lambda test: nag(1.0, momenta.nesterov(), restart=test),
    "ogm": lambda test: ogm(1.0, restart=test),
    "fista": lambda test: fista(1.0, prox.none(), restart=test),
    "pogm": lambda test: pogm(1.0, prox.none(), restart=test),
}
every_method = pytest.mark.parametrize("method", METHODS)


@every_method
@pytest.mark.parametrize(("name", "test"), [(name, make()) for name, make in restart.NAMED.items()])
def test_names_are_shorthands(method, name, test):
    ours, theirs = run(METHODS[method](test)), run(METHODS[method](name))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    assert name == "value" or times(ours[2])


@every_method
def test_every_restarts_after_so_many_updates_onto_the_base_iterate(method):
    params, base, ages = run(METHODS[method](restart.every(7)))
    assert times(ages) == list(range(7, 61, 7))
    for k in times(ages):
        np.testing.assert_allclose(params[k - 1], base[k - 1], atol=1e-7)
    again = run(METHODS[method](None), 7, start=tuple(map(float, params[6])))
    np.testing.assert_allclose(params[7:13], again[0][:6], rtol=1e-5, atol=1e-7)


def test_every_may_be_traced():
    def first(period):
        return run(nag(1.0, momenta.nesterov(), restart=restart.every(period)), 5)[2]

    np.testing.assert_array_equal(jax.vmap(first)(jnp.asarray([2, 3])), [[1, 0, 1, 0, 1], [1, 2, 0, 1, 2]])


@every_method
def test_speed_waits_for_its_first_update(method):
    early, late = (times(run(METHODS[method](restart.speed(first=first)))[2]) for first in (3, 30))
    assert early[0] < 30 <= late[0]


def test_fista_and_nag_without_prox_restart_alike():
    for test in (restart.gradient(), restart.speed(), restart.every(9)):
        ours, theirs = (run(METHODS[method](test)) for method in ("fista", "nag"))
        assert times(ours[2]) == times(theirs[2])
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-6)


def test_fista_judges_the_whole_objective_by_value():
    tx, params = fista(0.5, prox.l1(0.1), restart="value"), jnp.ones(2)
    state = tx.init(params)
    updates, state = tx.update(jax.grad(loss)(params), state, params, value_fn=loss)
    base = eval_params(state, optax.apply_updates(params, updates))
    np.testing.assert_allclose(state.value, loss(base) + 0.1 * jnp.abs(base).sum(), rtol=1e-6)
    with pytest.raises(ValueError, match="value_fn=f"):
        tx.update(params, state, params)


# Somebody else's test: the angle between gradient and move, and a memory of how often it has failed.


def patient(patience):
    def judge(evidence):
        failures = jnp.where(evidence.slope() > 0, evidence.reference + 1, 0)
        return Verdict(failures >= patience, jnp.where(failures >= patience, 0, failures))

    return RestartTest(judge)


@every_method
def test_a_foreign_test_works_from_outside(method):
    np.testing.assert_array_equal(run(METHODS[method](patient(1)))[0], run(METHODS[method]("gradient"))[0])
    first, third = (times(run(METHODS[method](patient(n)))[2])[0] for n in (1, 3))
    assert third == first + 2


def test_a_foreign_test_works_inside_of_minimize():
    def rosenbrock(x):
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    steps = {}
    for name, test in {"gradient": "gradient", "patient": patient(1), "every": restart.every(50), None: None}.items():
        solution = minimize(rosenbrock, jnp.zeros(2), method=full_backtracking(restart=test))
        np.testing.assert_allclose(solution.params, 1, atol=2e-2)
        steps[name] = int(solution.steps)
    assert steps["gradient"] == steps["patient"] != steps[None]
    assert steps["gradient"] == int(minimize(rosenbrock, jnp.zeros(2)).steps)


SEEN = {}


def curious(evidence):
    SEEN.update(evidence._asdict())
    return Verdict(jnp.asarray(False), evidence.reference)


def test_a_foreign_test_sees_the_update_that_it_judges():
    tx = nag(0.1, 0.9, restart=RestartTest(curious, reference=2.5))
    params, gradient = jnp.asarray([1.0, -2.0]), jnp.asarray([0.5, 1.0])
    state = tx.init(params)
    for _ in range(2):
        _, state = tx.update(gradient, state, params, value=3.0, loss="mine")
    assert (int(SEEN["updates"]), int(SEEN["age"]), float(SEEN["reference"])) == (1, 1, 2.5)
    assert SEEN["extra"] == {"value": 3.0, "loss": "mine"} and SEEN["value"]() == 3.0
    assert SEEN["gradients"] is gradient and SEEN["params"] is params
    move = -0.1 * (1 + 0.9) * gradient  # of the base iterate, which moves by the velocity
    np.testing.assert_allclose(SEEN["slope"](), gradient @ move, rtol=1e-6)
    np.testing.assert_allclose(SEEN["squared_speed"](), move @ move, rtol=1e-6)


def seen_by_full_backtracking(test, steps):
    """Ages, references and moves that a test has seen, step by step, on a least-squares problem with a penalty."""
    seen = []

    def judge(evidence):
        jax.debug.callback(
            lambda *numbers: seen.append(numbers),
            evidence.updates, evidence.age, evidence.slope(), evidence.squared_speed(), evidence.value(),
        )  # fmt: skip
        return test.judge(evidence)

    points = []
    solution = minimize(
        loss,
        jnp.asarray([1.0, 5.0]),
        prox=prox.l1(0.01),
        method=full_backtracking(restart=test._replace(judge=judge)),
        tol=1e-30,
        max_steps=steps,
        callback=lambda step, value, error: points.append(float(value)),
    )
    jax.block_until_ready(solution)
    jax.effects_barrier()
    return seen, points


def test_a_foreign_test_sees_the_step_of_the_line_search():
    seen, values = seen_by_full_backtracking(restart.every(4), 10)
    updates, ages, slopes, speeds, values_seen = np.array(seen, float).T
    np.testing.assert_array_equal(updates, np.arange(10))
    np.testing.assert_array_equal(ages, np.arange(10) % 4)
    np.testing.assert_allclose(values_seen, values, rtol=1e-6)  # f + g
    assert (speeds >= 0).all() and (slopes[ages == 0] <= 0).all()  # from rest, a step leads downhill
    # From rest the move is the gradient mapping times the step size: <mapping, move> = -|move|^2.
    np.testing.assert_allclose(-slopes[ages == 0], speeds[ages == 0], rtol=1e-4, atol=1e-12)


def test_lateness_is_heard_by_the_line_search():
    late = [seen_by_full_backtracking(restart.every(5)._replace(late=late), 12)[1] for late in (False, True)]
    assert late[0][:5] == late[1][:5] and late[0][5] != late[1][5]


@pytest.mark.parametrize(
    ("judge", "error", "message"),
    [
        (lambda evidence: Verdict(None, 0.0), ValueError, "restart of a Verdict must be a scalar, got None"),
        (lambda evidence: True, TypeError, "judge of a RestartTest must return a Verdict, got bool"),
        (lambda evidence: Verdict(jnp.ones(2) > 0, 0.0), ValueError, "restart of a Verdict must be a scalar"),
        (lambda evidence: Verdict(True, jnp.ones(2)), ValueError, "reference of a Verdict must be a scalar"),
    ],
)
def test_a_verdict_is_checked(judge, error, message):
    tx = nag(0.1, restart=RestartTest(judge))
    with pytest.raises(error, match=message):
        tx.update(jnp.ones(2), tx.init(jnp.ones(2)))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nag(0.1, restart=RestartTest(3)), TypeError, "judge of a RestartTest must be a function"),
        (
            lambda: nag(0.1, restart=RestartTest(curious, jnp.zeros(3))),
            ValueError,
            "reference of a RestartTest must be a scalar",
        ),
        (lambda: restart.every(0), ValueError, "period must be finite, at least 1, got 0"),
        (lambda: restart.every(2.5), TypeError, "period must be an integer"),
        (lambda: restart.speed(first=0), ValueError, "first must be finite, at least 1, got 0"),
        (lambda: nag(0.1, restart=restart.gradient), ValueError, "a function that makes a test must be called"),
        (lambda: fista(0.1, prox.none(), restart="slope"), ValueError, "restart must be one of"),
        (
            lambda: fista(0.1, prox.none(), restart="value", monotone=True),
            ValueError,
            "restart must be 'gradient' or None where monotone=True",
        ),
    ],
)
def test_bad_tests_are_refused_by_name(make, error, message):
    with pytest.raises(error, match=message):
        make()
