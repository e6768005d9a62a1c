"""Calls of minimize from outside of jit share a program, and nothing but numbers is shared with it."""

import gc
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import minimize, prox
from nag_optax.solve import compiled

X = jnp.asarray(np.random.default_rng(0).normal(size=(30, 20)), jnp.float32)
Y = X @ jnp.linspace(-1.0, 1.0, 20)


@pytest.fixture(autouse=True)
def empty(monkeypatch):
    monkeypatch.setattr(compiled, "_programs", compiled.OrderedDict())


@pytest.fixture
def compilations():
    """How many programs XLA has compiled, each time it is called, since the last call."""
    seen = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: seen.append(event) if "backend_compile" in event else None
    )

    def count():
        number = len(seen)
        seen.clear()
        return number

    return count


def squares(w, X, y):
    return 0.5 * jnp.sum((X @ w - y) ** 2)


def lasso(strength, y=Y, **options):
    return minimize(squares, jnp.zeros(20), args=(X, y), prox=prox.l1(strength), **options)


def jitted(strength):
    return jax.jit(lambda s: minimize(squares, jnp.zeros(20), args=(X, Y), prox=prox.l1(s)).params)(strength)


def test_numbers_make_no_program(compilations):
    lasso(0.5)
    compilations()
    for strength in (0.7, jnp.asarray(0.9), np.float32(1.1)):
        np.testing.assert_allclose(lasso(strength).params, jitted(strength), atol=1e-5)
        lasso(strength, y=2 * Y, tol=1e-3)
        compilations()
    lasso(1.3, tol=1e-5)
    assert compilations() == 0


OPERATORS = {
    "l1": lambda s: prox.l1(s),
    "elastic_net": lambda s: prox.elastic_net(s, 2 * s),
    "group_lasso": lambda s: prox.group_lasso(s),
    "l2_norm": lambda s: prox.l2_norm(s),
    "linf_norm": lambda s: prox.linf_norm(s),
    "box": lambda s: prox.box(-s, s),
    "simplex": lambda s: prox.simplex(s),
    "total_variation_1d": lambda s: prox.total_variation_1d(s),
    "l1_ball": lambda s: prox.from_projection(optax.projections.projection_l1_ball, s),
    "calculus": lambda s: prox.scaled(prox.translated(prox.masked(prox.l1(s), True), jnp.full(20, s)), s),
    "sum": lambda s: prox.sum_over_leaves(prox.l2_norm(s)),
    "conjugate": lambda s: prox.conjugate(prox.l1(s)),
    "a function": lambda s: lambda x, step: x / (1 + step * jnp.asarray(s)),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_strengths_make_no_program_and_are_heeded(name, compilations):
    make = OPERATORS[name]

    def solve(s):
        return minimize(squares, jnp.zeros(20), args=(X, Y), prox=make(s), max_steps=30)

    first, _ = solve(0.5), compilations()
    other = solve(0.8)
    assert compilations() == 0 or name == "a function"  # whose strength is a literal of its trace
    under_jit = jax.jit(lambda: solve(0.8).params)()
    np.testing.assert_allclose(other.params, under_jit, atol=1e-4)
    assert np.abs(other.params - first.params).max() > 1e-3


def test_what_a_function_closes_over_may_change():
    data = {"y": np.asarray(Y)}

    def fun(w):
        return squares(w, X, data["y"])

    before = minimize(fun, jnp.zeros(20)).params
    data["y"] = 2 * data["y"]
    np.testing.assert_allclose(minimize(fun, jnp.zeros(20)).params, 2 * before, atol=1e-3)
    data["y"] *= 2  # in place
    np.testing.assert_allclose(minimize(fun, jnp.zeros(20)).params, 4 * before, atol=1e-3)


def test_a_function_that_reads_the_same_shares_a_program_of_another(compilations):
    more = 3 * Y
    one = minimize(lambda w: squares(w, X, Y), jnp.zeros(20))
    compilations()
    other = minimize(lambda w: squares(w, X, more), jnp.zeros(20))
    assert compilations() == 0
    np.testing.assert_allclose(other.params, 3 * one.params, atol=1e-2)


def by_jit(t):
    return jax.jit(lambda w: jnp.sum((w - t) ** 2))


def by_inner_jit_of_numpy(t):
    of_numpy = np.asarray(t)
    moved = jax.jit(lambda w: w - of_numpy)
    return lambda w: jnp.sum(moved(w) ** 2)


def by_vjp(t):
    f = jax.custom_vjp(lambda w: jnp.sum((w - t) ** 2))
    f.defvjp(lambda w: (f(w), w), lambda w, slope: (2 * slope * (w - t),))
    return f


def by_jvp(t):
    f = jax.custom_jvp(lambda w: jnp.sum((w - t) ** 2))
    f.defjvp(lambda primals, tangents: (f(*primals), jnp.sum(2 * (primals[0] - t) * tangents[0])))
    return f


@pytest.mark.parametrize("method", ["full_backtracking", "adanag"])
@pytest.mark.parametrize("make", [by_jit, by_inner_jit_of_numpy, by_vjp, by_jvp])
def test_what_functions_inside_of_a_function_close_over_is_heeded(make, method):
    """Their traces read the same, and their arrays are no argument of the whole."""
    for target in (1.0, 2.0):
        found = minimize(make(jnp.asarray([target])), jnp.zeros(1), method=method)
        np.testing.assert_allclose(found.params, target, atol=1e-3)


@pytest.mark.parametrize("wrap", [lambda p: p, prox.from_projection, lambda p: prox.scaled(p, 0.5)])
def test_what_a_jitted_prox_closes_over_is_heeded(wrap):
    for bound in (1.0, 2.0):
        top = jnp.asarray([bound])
        operator = wrap(jax.jit(lambda x, s=1.0, top=top: jnp.minimum(x, top)))
        found = minimize(lambda w: jnp.sum((w - 9) ** 2), jnp.zeros(1), prox=operator)
        np.testing.assert_allclose(found.params, bound, atol=1e-5)


def test_rules_of_derivatives_that_read_the_same_are_told_apart():
    def absolute(slope):
        @jax.custom_jvp
        def f(x):
            return jnp.abs(x)

        f.defjvp(lambda primals, tangents: (f(*primals), slope * jnp.sign(primals[0]) * tangents[0]))
        return f

    def end(f):
        return minimize(lambda x: jnp.sum(f(x - 1)), jnp.zeros(()), max_steps=1)

    ends = end(absolute(1.0)), end(absolute(-1.0))
    assert float(ends[0].params) > 0 and not float(ends[1].params) > 0


def test_another_option_is_another_program():
    few, many = lasso(0.5, max_steps=2), lasso(0.5)
    assert int(few.steps) == 2 < int(many.steps)
    assert lasso(0.5, history=True).state.history is not None and many.state.history is None
    by_sgd = minimize(squares, jnp.zeros(20), args=(X, Y), method=optax.sgd(0.01), max_steps=5)
    slower = minimize(squares, jnp.zeros(20), args=(X, Y), method=optax.sgd(0.001), max_steps=5)
    assert float(slower.value) > float(by_sgd.value)
    known = [
        minimize(squares, jnp.zeros(20), args=(X, Y), method="fista", step_size=s, max_steps=5) for s in (0.01, 0.001)
    ]
    assert float(known[1].value) > float(known[0].value)


def test_the_precision_of_a_call_is_its_own():
    lasso(0.5)
    with jax.enable_x64(True):
        wide = minimize(squares, jnp.zeros(20), args=(X.astype(jnp.float64), Y.astype(jnp.float64)), prox=prox.l1(0.5))
    assert wide.params.dtype == jnp.float64 and lasso(0.5).params.dtype == jnp.float32


def test_what_is_being_traced_is_no_shared_program():
    inside = jax.jit(jax.grad(lambda s: jnp.sum(lasso(s).params)))(0.5)
    by_jacobian = jnp.sum(jax.jacrev(lambda s: lasso(s).params)(0.5))
    mapped = jax.vmap(lambda s: lasso(s).params)(jnp.asarray([0.5, 0.7]))
    np.testing.assert_allclose(inside, by_jacobian, rtol=1e-4)
    np.testing.assert_allclose(mapped[1], lasso(0.7).params, atol=1e-4)
    closed_over = jax.jit(lambda y: minimize(lambda w: squares(w, X, y), jnp.zeros(20)).params)(Y)
    np.testing.assert_allclose(closed_over, minimize(lambda w: squares(w, X, Y), jnp.zeros(20)).params, atol=1e-4)


def test_nothing_of_a_function_is_kept():
    class Data:
        def __init__(self):
            self.y = Y

        def loss(self, w):
            return squares(w, X, self.y)

    data = Data()
    gone = weakref.ref(data)
    minimize(data.loss, jnp.zeros(20), prox=prox.l1(0.5))
    del data
    gc.collect()
    assert gone() is None and len(compiled._programs) == 1


def test_programs_are_forgotten_in_the_end(monkeypatch):
    monkeypatch.setattr(compiled, "KEPT", 2)
    for n in (1, 2, 3):
        minimize(lambda w: jnp.sum((w - 1) ** 2), jnp.zeros(n))
    for factor in (2.0, 3.0):
        minimize(lambda w, factor=factor: factor * jnp.sum((w - 1) ** 2), jnp.zeros(2))
    assert len(compiled._programs) == 2
