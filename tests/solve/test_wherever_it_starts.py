"""minimize: what "converged" and "stalled" say does not depend on where a run began."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import Status, minimize, prox

rng = np.random.default_rng(0)
X = rng.standard_normal((50, 20))
Y = 2 * X[:, 0] + 0.05 * rng.standard_normal(50)
COUNTS = rng.poisson(np.exp(X[:, :3] @ [0.3, -0.2, 0.1] + 0.5))
DIRECTION = np.where(np.arange(20) % 3 == 0, 1.0, 0.7)


def squares(w):
    return 0.5 * jnp.sum((jnp.asarray(X, w.dtype) @ w - jnp.asarray(Y, w.dtype)) ** 2)


def robust(w):
    return jnp.sum(jnp.sqrt(1 + (jnp.asarray(X, w.dtype) @ w - jnp.asarray(Y, w.dtype)) ** 2))


def logistic(w):
    return jnp.sum(jnp.logaddexp(0.0, -jnp.asarray(np.sign(Y), w.dtype) * (jnp.asarray(X, w.dtype) @ w)))


def constant_and_squares(w):
    return 5 + 0.5 * jnp.sum((jnp.asarray(X, w.dtype) @ w) ** 2)


def quartic(w):
    return 1 + jnp.sum((w - 1) ** 4)


PROBLEMS = {
    "least squares": (squares, None),
    "ridge": (squares, prox.l2_squared(1.0)),
    "lasso": (squares, prox.l1(2.0)),
    "non-negative": (squares, prox.non_negative()),
    "simplex": (squares, prox.simplex()),
    "robust": (robust, None),
    "logistic": (logistic, prox.l2_squared(1.0)),
    "solution at zero": (constant_and_squares, None),
    "quartic": (quartic, None),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_converged_means_the_same_value_from_anywhere(name):
    fun, penalty = PROBLEMS[name]
    solve = jax.jit(lambda start: minimize(fun, start, prox=penalty))
    near = solve(jnp.zeros(20))
    assert near.status == Status.CONVERGED
    for distance in (1.0, 1e3, 1e6, -1e6):
        far = solve(jnp.asarray(distance * DIRECTION, jnp.float32))
        if far.status == Status.CONVERGED:
            np.testing.assert_allclose(far.value, near.value, rtol=1e-5)
        assert name == "quartic" or far.status == Status.CONVERGED


@pytest.mark.parametrize("name", ["least squares", "lasso", "non-negative", "robust"])
def test_and_at_a_loose_tolerance_to_ten_times_that(name):
    fun, penalty = PROBLEMS[name]
    best = minimize(fun, jnp.zeros(20), prox=penalty).value
    solve = jax.jit(lambda start, tol: minimize(fun, start, prox=penalty, tol=tol), static_argnums=1)
    for tol in (1e-2, 1e-3):
        for distance in (0, 1, 1e6):
            found = solve(jnp.asarray(distance * DIRECTION, jnp.float32), tol)
            assert found.status == Status.CONVERGED and found.value <= best * (1 + 10 * tol)


@pytest.mark.parametrize(
    "method",
    ["fista", "pogm", "ac_fgm", "adanag", optax.lbfgs()],
    ids=["fista", "pogm", "ac_fgm", "adanag", "lbfgs"],
)
def test_and_with_every_method(method):
    step_size = 1 / np.linalg.norm(X, 2) ** 2 if method in ("fista", "pogm") else None
    solve = jax.jit(lambda start: minimize(squares, start, method=method, step_size=step_size))
    near = solve(jnp.zeros(20))
    assert near.status == Status.CONVERGED
    for distance in (1.0, 1e3, 1e6):
        far = solve(jnp.asarray(distance * DIRECTION, jnp.float32))
        assert far.status != Status.CONVERGED or abs(far.value / near.value - 1) < 1e-5


@pytest.mark.parametrize("intercept", [20.0, -20.0, 40.0])
def test_a_start_or_an_offset_that_is_exponentially_far(intercept):
    def loss(p, offset):
        eta = jnp.asarray(X[:, :3], jnp.float32) @ p["w"] + p["b"] + offset
        return jnp.mean(jnp.exp(eta) - jnp.asarray(COUNTS, jnp.float32) * eta)

    near = minimize(loss, {"w": jnp.zeros(3), "b": jnp.asarray(0.0)}, args=(0.0,))
    for start, offset in ((intercept, 0.0), (0.0, intercept)):
        far = minimize(loss, {"w": jnp.zeros(3), "b": jnp.asarray(start)}, args=(offset,))
        assert far.status != Status.CONVERGED or abs(far.value - near.value) < 1e-4


def test_a_warm_start_takes_no_unit_along():
    def loss(w, scale):
        return 0.5 * jnp.sum((jnp.asarray(X, jnp.float32) @ w - scale * jnp.asarray(Y, jnp.float32)) ** 2)

    cold = minimize(loss, jnp.zeros(20), args=(1.0,))
    for scale in (1e6, 1e-6):
        other = minimize(loss, jnp.zeros(20), args=(scale,))
        warm = minimize(loss, other, args=(1.0,))
        assert warm.status == Status.CONVERGED
        np.testing.assert_allclose(warm.value, cold.value, rtol=1e-5)
    assert minimize(loss, cold, args=(1.0,)).steps <= 3


def test_a_badly_scaled_problem_does_not_stall_while_it_falls():
    """Columns from 1 to 1e4, as raw data have them, in float32."""
    raw = jnp.asarray(np.abs(X) * np.geomspace(1, 1e4, 20), jnp.float32)

    def loss(w):
        return jnp.sum(jnp.logaddexp(0.0, -jnp.asarray(np.sign(Y), jnp.float32) * (raw @ w)))

    short, long = (minimize(loss, jnp.zeros(20), max_steps=n) for n in (3000, 6000))
    assert short.status != Status.STALLED or long.value > 0.99 * short.value


class TestStopping:
    @pytest.mark.parametrize("reason", [StopIteration, TimeoutError])
    @pytest.mark.parametrize("jit", [False, True])
    def test_a_callback_ends_the_run_with_the_best_point(self, reason, jit):
        seen = []

        def callback(step, value, error):
            seen.append(float(value))
            if step == 3:
                raise reason

        def run():
            return minimize(squares, jnp.zeros(20), callback=callback)

        found = (jax.jit(run) if jit else run)()
        assert found.status == Status.STOPPED and found.steps == 3 == len(seen)
        np.testing.assert_allclose(found.value, min(seen), rtol=1e-5)
        assert str(found).startswith("stopped on request after 3 steps")

    def test_members_of_a_batch_stop_alone(self):
        def callback(step, value, error):
            if value > 1e3:
                raise StopIteration

        found = jax.vmap(lambda start: minimize(squares, start, callback=callback))(
            jnp.stack([jnp.zeros(20), jnp.full(20, 1e5)])
        )
        assert found.status.tolist() == [Status.CONVERGED, Status.STOPPED]
