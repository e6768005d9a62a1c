"""What minimize runs: methods of others, and the named ones, which evaluate nothing twice."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import Status, minimize, nag, prox
from nag_optax.extend import Method, Point, by_transformation, start

X = jnp.asarray([[1.0, 0.5], [0.0, 1.0], [1.0, 1.0]])
Y = jnp.asarray([3.0, 0.0, 3.0])


def least_squares(w):
    return 0.5 * jnp.sum((X @ w - Y) ** 2)


def proximal_gradient(step_size):
    """Plain proximal gradient, as somebody would write it who has read one page."""

    def init(problem, params, warm):
        return start(params, carry=(), dtype=problem.dtype, step_size=step_size)

    def advance(problem, point: Point):
        _, gradient = problem.value_and_gradient(point.params)
        x = problem.prox(point.params - step_size * gradient, step_size)
        mapping = jnp.linalg.norm(x - point.params) / step_size
        value, length = problem.value(x) + problem.prox_value(x), jnp.linalg.norm(gradient)
        return point._replace(params=x, value=value, mapping=mapping, gradient=length, gradients=point.gradients + 1)

    return Method(init, advance)


def test_a_foreign_method_works_from_outside():
    penalty = prox.l1(1.0)
    ours = minimize(least_squares, jnp.zeros(2), prox=penalty)
    theirs = minimize(least_squares, jnp.zeros(2), prox=penalty, method=proximal_gradient(0.2), history=True)
    np.testing.assert_allclose(theirs.params, ours.params, atol=1e-4)
    assert theirs.status == Status.CONVERGED and theirs.params[1] == 0
    assert int(theirs.steps) == int(theirs.state.gradients) > int(ours.steps)
    history = theirs.state.history
    assert history is not None and np.isfinite(history.value[: int(theirs.steps)]).all()


def test_a_foreign_method_is_differentiable_and_batched():
    def solution(strength):
        return minimize(least_squares, jnp.zeros(2), prox=prox.l1(strength), method=proximal_gradient(0.2)).params

    slope = jax.jacrev(solution)(0.5)
    np.testing.assert_allclose(slope, (solution(0.6) - solution(0.4)) / 0.2, atol=1e-3)
    np.testing.assert_allclose(jax.vmap(solution)(jnp.asarray([0.4, 0.6]))[0], solution(0.4), atol=1e-4)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (optax.sgd(0.1), "a transformation knows no prox"),
        (nag(0.1), "a transformation knows no prox"),
        (proximal_gradient, "method must be a name, a Method or a gradient transformation, got function"),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(method, message):
    with pytest.raises((TypeError, ValueError), match=message):
        minimize(least_squares, jnp.zeros(2), prox=prox.l1(1.0), method=method)


def test_a_transformation_that_knows_no_prox_is_refused_however_it_comes():
    for method in (optax.adam(0.1), by_transformation(optax.adam(0.1))):
        with pytest.raises(ValueError, match="a transformation knows no prox"):
            minimize(least_squares, jnp.zeros(2), prox=prox.l1(0.5), method=method)
        assert minimize(least_squares, jnp.zeros(2), method=method, tol=1e-4).status == Status.CONVERGED
    with pytest.raises(TypeError, match="tx must be a gradient transformation"):
        by_transformation(3)


def test_a_method_in_low_precision_keeps_the_loop_s_dtypes():
    start_at = jnp.zeros(2, jnp.bfloat16)
    solution = minimize(least_squares, start_at, prox=prox.l1(1.0), method=proximal_gradient(0.2), max_steps=50)
    assert solution.params.dtype == jnp.bfloat16 and solution.value.dtype == jnp.float32


def test_a_method_that_returns_something_else_is_named():
    lost = proximal_gradient(0.2)._replace(advance=lambda problem, point: None)
    with pytest.raises(TypeError, match="advance of a Method must return a Point, got NoneType"):
        minimize(least_squares, jnp.zeros(2), method=lost)


@pytest.mark.parametrize(("method", "of_a_step"), [("fista", 1), ("pogm", 2), ("ac_fgm", 2)])
def test_the_prox_is_applied_once_at_a_point(method, of_a_step):
    """FISTA's own proximal step is the point that it reports; the others take one from another point."""
    calls = []

    def counted(params, step_size):
        jax.debug.callback(lambda: calls.append(1))
        return prox.l1(1.0)(params, step_size)

    step_size = {"step_size": 0.2} if method != "ac_fgm" else {}
    solution = minimize(least_squares, jnp.zeros(2), prox=counted, method=method, tol=1e-30, max_steps=20, **step_size)
    jax.block_until_ready(solution)
    jax.effects_barrier()
    steps = int(solution.steps)
    search = 0 if method != "ac_fgm" else len(calls) - of_a_step * steps  # AC-FGM looks for its first step size
    assert 0 <= search < 20 and len(calls) - search == of_a_step * steps == of_a_step * 20
