"""worst_case: what the table has, what is known of methods of others, and the derivatives."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no
from benchmarks.attained import by_program
from nag_optax import momenta, theory
from oracles.functions import one_sided
from oracles.worst_cases import ROWS, worst_case
from tests.theory.test_step_matrices import NO_MATRIX

pytest.importorskip("clarabel")

# The numbers of the table.


@pytest.mark.parametrize("steps", [2, 5])
@pytest.mark.parametrize("name", ROWS)
def test_the_program_finds_what_the_table_has(name, steps):
    np.testing.assert_allclose(by_program(ROWS[name], 0.01, steps), worst_case(ROWS[name], 0.01, steps)[0], rtol=1e-6)


def test_units_do_not_matter():
    """Smoothness and strong convexity 100 times as large, in every measure and start."""
    for measure in ("value", "gradient", "distance"):
        for start in ("distance", "value", "potential"):
            of_one = theory.worst_case(
                no.nag(1.0, 0.5), 2, smoothness=1.0, strong_convexity=0.1, measure=measure, start=start
            )
            degree = {"distance": 0, "value": 1, "potential": 1, "gradient": 2}
            of_hundred = theory.worst_case(
                no.nag(0.01, 0.5), 2, smoothness=100.0, strong_convexity=10.0, measure=measure, start=start
            )
            factor = 100.0 ** (degree[measure] - degree[start])
            np.testing.assert_allclose(of_hundred.value, factor * of_one.value, rtol=1e-6)


# Methods of others, and what is published of them.


def test_gradient_descent_has_drori_and_teboulles_bound():
    np.testing.assert_allclose(theory.worst_case(optax.sgd(0.1), 4, smoothness=10.0).value, 10 / 18, rtol=1e-6)


def test_gradient_descent_shrinks_a_strongly_convex_distance():
    found = theory.worst_case(optax.sgd(2 / 1.1), 3, smoothness=1.0, strong_convexity=0.1, measure="distance")
    np.testing.assert_allclose(found.value, (0.9 / 1.1) ** 6, rtol=1e-6)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (optax.sgd(0.5, 0.8, nesterov=True), no.nag(0.5, 0.8)),
        (optax.sgd(0.5, 0.8), no.heavy_ball(0.5, 0.8)),
        (optax.contrib.schedule_free(optax.sgd(0.5), 0.5, b1=0.9), no.schedule_free(optax.sgd(0.5), 0.5, 0.9)),
    ],
)
def test_methods_of_optax_have_the_worst_case_of_ours(theirs, ours):
    values = [theory.worst_case(tx, 4, smoothness=1.0).value for tx in (theirs, ours)]
    np.testing.assert_allclose(*values, rtol=1e-7)


def test_what_nobody_can_look_up():
    """Optax' Nesterov, ten steps: a parabola that ends on one side is as bad as any function."""
    tx, steps = optax.sgd(1.0, 0.5, nesterov=True), 10
    functions = one_sided(np.geomspace(1e-3, 1, 4000))
    params = jnp.ones(4000)
    state = tx.init(params)
    for _ in range(steps):
        updates, state = tx.update(functions.gradient(params), state, params)
        params = params + updates
    found = theory.worst_case(tx, steps, smoothness=1.0).value
    np.testing.assert_allclose(found, functions.value(params).max(), rtol=1e-5)


# The worst function.


def test_the_worst_function_is_one_and_the_method_leaves_the_error_on_it():
    tx, L = no.nag(0.5, momenta.nesterov()), 2.0
    found = theory.worst_case(tx, 4, smoothness=L, output="base")
    (f,) = found.functions
    points, gradients, values = f.points, f.answers, f.values
    assert points.shape[0] == 6 and not points[-1].any() and np.abs(gradients[-1]).max() < 1e-6
    np.testing.assert_allclose(np.sum(points[0] ** 2), 1, rtol=1e-6)
    np.testing.assert_allclose(values[4] - values[-1], found.value, rtol=1e-5)
    x, g = points[:, None] - points[None], gradients[:, None] - gradients[None]
    slack = values[:, None] - values[None] - np.einsum("jd,ijd->ij", gradients, x) - np.sum(g**2, -1) / (2 * L)
    assert slack.min() > -1e-7
    np.testing.assert_allclose(f.multipliers * slack, 0, atol=1e-7)
    params = jnp.asarray(points[0])
    state = tx.init(params)
    for k in range(4):
        np.testing.assert_allclose(params, points[k], atol=1e-7)
        updates, state = tx.update(jnp.asarray(gradients[k]), state, params)
        params = params + updates
    np.testing.assert_allclose(no.eval_params(state, params), points[4], atol=1e-7)


# Derivatives.


def descent(h):
    return optax.sgd(lambda k: jnp.asarray(h, jnp.result_type(float))[k])


def proximal_descent(h):
    return lambda prox: no.fista(lambda k: jnp.asarray(h)[k], prox, momentum=0.0, restart=None)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (descent, {"smoothness": 10.0}),
        (descent, {"smoothness": 10.0, "measure": "gradient", "start": "value"}),
        (descent, {"smoothness": 10.0, "strong_convexity": 1.0, "measure": "distance"}),
        (descent, {"feedback": "nonexpansive", "measure": "gradient"}),
        (descent, {"feedback": "proximal", "measure": "gradient"}),
        (proximal_descent, {"smoothness": 10.0, "output": "base"}),
    ],
)
def test_sensitivity_is_the_derivative(make, options):
    h, n = np.array([0.12, 0.17, 0.09]), 3
    slope = theory.worst_case(make(h), n, **options).sensitivity
    along = [
        sum(
            slope.params[i + 1 :, column].sum() + slope.output[column] + slope.proximal[i:, column].sum()
            for column in range(i, slope.output.size, n)
        )
        for i in range(n)
    ]
    steps = 1e-3 * np.eye(n)
    values = [[theory.worst_case(make(h + sign * step), n, **options).value for sign in (1, -1)] for step in steps]
    differences = np.array([(up - down) / 2e-3 for up, down in values])
    np.testing.assert_allclose(along, differences, rtol=2e-3, atol=1e-4)


# What is refused.


@pytest.mark.parametrize("name", NO_MATRIX)
def test_adaptive_methods_are_refused(name):
    with pytest.raises(ValueError, match="tx must have updates that are linear in the gradients"):
        theory.worst_case(NO_MATRIX[name], 3, smoothness=1.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "smoothness must be given where feedback is 'gradient'"),
        ({"smoothness": 1.0, "feedback": "proximal"}, "smoothness must be given where"),
        ({"smoothness": 0.0}, "smoothness must be finite, above 0"),
        ({"smoothness": 1.0, "strong_convexity": 1.0}, "strong_convexity must be"),
        ({"feedback": "proximal", "strong_convexity": 0.1}, "strong_convexity must be 0"),
        ({"smoothness": 1.0, "measure": "loss"}, "measure must be one of"),
        ({"smoothness": 1.0, "start": "gradient"}, "start must be one of"),
        ({"smoothness": 1.0, "feedback": "subgradient"}, "feedback must be one of"),
        ({"feedback": "nonexpansive"}, "a map has none"),
        ({"feedback": "proximal"}, "output must be a point to which a proximal step leads"),
        ({"smoothness": 1.0, "measure": "distance", "start": "value"}, "no bound"),
        ({"feedback": "proximal", "strong_convexity": None}, "strong_convexity must be 0"),
    ],
)
def test_what_has_no_answer_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        theory.worst_case(optax.sgd(0.5), 3, **arguments)


@pytest.mark.parametrize(
    ("tx", "steps", "options"),
    [
        (optax.sgd(10.0), 5, {"measure": "gradient"}),  # 9^10 = 3.5e9; the solver says 4.2e9
        (optax.sgd(8.0), 5, {"measure": "gradient"}),  # it calls its answer optimal, 3e-4 off
        (optax.sgd(0.8), 3, {"strong_convexity": 0.98, "start": "value"}),  # 1.0156e-4; it says 1.0155e-4
    ],
)
def test_an_answer_of_few_digits_is_refused(tx, steps, options):
    with pytest.raises(ValueError, match="to five digits"):
        theory.worst_case(tx, steps, smoothness=1.0, **options)


def test_uncertainty_is_about_the_error():
    for tx, steps, exact in ((optax.sgd(3.0), 3, 32.0), (optax.sgd(1.0), 5, 1 / 22)):
        found = theory.worst_case(tx, steps, smoothness=1.0)
        assert abs(found.value - exact) <= found.uncertainty < 1e-5 * exact


def test_a_composite_method_is_not_judged_where_g_may_be_infinite():
    make = partial(no.fista, 1.0, restart=None)  # of the operator
    with pytest.raises(ValueError, match="output must be a point to which a proximal step leads"):
        theory.worst_case(make, 3, smoothness=1.0)
    with pytest.raises(ValueError, match="tx may use an operator only where"):
        theory.worst_case(make, 3, smoothness=1.0, output="base", measure="gradient")


def test_what_is_missing_is_named(monkeypatch):
    find = theory.worst_case.__globals__["importlib"].util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "clarabel" else find(name))
    with pytest.raises(ImportError, match=r'worst_case needs clarabel: pip install "nag_optax\[theory\]"'):
        theory.worst_case(optax.sgd(0.5), 3, smoothness=1.0)
