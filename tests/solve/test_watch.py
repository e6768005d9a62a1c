"""minimize outside of jit: limits, callbacks, Ctrl-C, bars; and that inside of jit they are refused."""

import signal
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import Status, minimize, prox

ENDLESS = {"method": optax.sgd(1e-7), "max_steps": 10**9, "tol": 1e-9}


def quadratic(w):
    return jnp.sum(jnp.linspace(0.1, 1.0, 5) * (w - 1.0) ** 2)


def test_a_limit_of_seconds_ends_with_the_best_point():
    begin = time.monotonic()
    found = minimize(quadratic, jnp.zeros(5), max_seconds=0.5, **ENDLESS)
    assert found.status == Status.STOPPED and 0 < found.steps < 10**9
    assert 0.5 <= time.monotonic() - begin < 20
    assert found.value < quadratic(jnp.zeros(5)) and np.all(np.isfinite(found.params))
    assert minimize(quadratic, jnp.zeros(5), max_seconds=1e9).status == Status.CONVERGED


@pytest.mark.parametrize("traced", [False, True])
def test_a_callback_may_end_it_by_true(traced):
    seen = []

    def callback(step, value, error):
        seen.append((int(step), float(value), float(error)))
        return jnp.asarray(step == 3) if traced else step >= 3

    def solve(start):
        return minimize(quadratic, start, callback=callback)

    found = jax.block_until_ready((jax.jit(solve) if traced else solve)(jnp.zeros(5)))
    assert found.status == Status.STOPPED and [step for step, _, _ in seen] == [1, 2, 3] and found.steps == 3
    assert float(found.value) == pytest.approx(min(value for _, value, _ in seen))


def test_a_callback_that_answers_something_else_does_not_end_it():
    assert minimize(quadratic, jnp.zeros(5), callback=lambda *seen: seen).status == Status.CONVERGED


def test_an_error_of_a_callback_is_its_own():
    class Mine(Exception):
        pass

    def callback(*_):
        raise Mine("as it is")

    with pytest.raises(Mine, match="as it is"):
        minimize(quadratic, jnp.zeros(5), callback=callback)


def test_a_callback_sees_the_last_step_too():
    steps = []
    found = minimize(quadratic, jnp.zeros(5), callback=lambda step, *_: steps.append(int(step)))
    assert found.status == Status.CONVERGED and steps == list(range(1, int(found.steps) + 1))


def test_ctrl_c_ends_with_the_best_point():
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 3.0)
        found = minimize(quadratic, jnp.zeros(5), **ENDLESS)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert found.status == Status.STOPPED and found.value < quadratic(jnp.zeros(5))
    assert "stopped" in str(found)


def test_a_bar_and_lines(capsys):
    minimize(quadratic, jnp.zeros(5), prox=prox.l1(0.1), progress=True, verbose=True)
    printed = capsys.readouterr()
    assert "value " in printed.err and "step" in printed.err
    assert printed.out.startswith("step ") and "error " in printed.out


@pytest.mark.parametrize("option", [{"max_seconds": 1.0}, {"progress": True}, {"verbose": True}])
@pytest.mark.parametrize("transform", [jax.jit, jax.vmap, lambda f: jax.jacrev(lambda x: f(x).params)])
def test_inside_of_a_transformation_they_are_refused(option, transform):
    (name,) = option
    with pytest.raises(ValueError, match=f"{name} is for calls from outside of jax.jit"):
        transform(lambda start: minimize(quadratic, start, **option))(
            jnp.zeros((5, 5)) if transform is jax.vmap else jnp.zeros(5)
        )


@pytest.mark.parametrize("seconds", [0, -1.0, np.nan, "1", True])
def test_a_limit_that_is_none_is_refused(seconds):
    with pytest.raises((TypeError, ValueError), match="max_seconds"):
        minimize(quadratic, jnp.zeros(5), max_seconds=seconds)
