"""step_matrix reads any linear method, and refuses all others; h_dual transposes what it reads."""

import itertools

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no
from nag_optax import momenta, theory
from nag_optax.methods.nag import nag_rule
from nag_optax.methods.ogm import ogm_rule
from oracles.published import accelerated, composite
from tests.catalogue import CATALOGUE

N = 7

NESTEROV = nag_rule(1.0, momenta.nesterov(), 1.0, "gradient")


def by_unit_vectors(method, steps=N):
    """Rows of y_k and of x_k, out of a published recursion."""
    points = list(itertools.islice(method(lambda y, k: np.eye(steps)[k], np.zeros(steps)), steps))
    return -np.array([y for y, *_ in points]), -np.array([x for _, x, *_ in points])


@pytest.mark.parametrize(
    ("tx", "published"),
    [
        (no.nag(1.0, momenta.nesterov()), lambda g, x: accelerated.nag(g, x, 1.0)),
        (NESTEROV, lambda g, x: accelerated.nag(g, x, 1.0)),
        (no.ogm(0.5), lambda g, x: accelerated.ogm(g, x, 2.0)),
        (no.triple_momentum(1.0, 0.1), lambda g, x: accelerated.triple_momentum(g, x, 1.0, 0.1)),
    ],
)
def test_rows_are_those_of_the_recursion(tx, published):
    y, x = by_unit_vectors(published)
    H = theory.step_matrix(tx, N, output="base")
    np.testing.assert_allclose(H.params[1:], y, atol=1e-12)
    np.testing.assert_allclose(H.output, x[-1], atol=1e-12)
    assert not H.params[0].any() and H.proximal.shape == (0, N)


def test_the_columns_of_a_composite_method_are_gradients_and_subgradients():
    H = theory.step_matrix(lambda prox: no.fista(0.5, prox, restart=None), N, output="base")
    unit, seen, called = np.eye(2 * N), itertools.count(), itertools.count(N)
    points = itertools.islice(
        composite.fista(
            lambda y: unit[next(seen)],
            lambda v, s: v - s * unit[next(called)],
            np.zeros(2 * N),
            0.5,
            composite.nesterov_momenta,
        ),
        N,
    )
    y, x = map(np.array, zip(*points, strict=True))
    np.testing.assert_allclose(H.params[1:], -y, atol=1e-12)
    np.testing.assert_allclose(H.proximal, -x, atol=1e-12)
    np.testing.assert_array_equal(H.output, H.proximal[-1])


LINEAR = {
    "optax.sgd": optax.sgd(0.1),
    "optax.sgd, momentum": optax.sgd(0.1, 0.9),
    "optax.sgd, nesterov": optax.sgd(0.1, 0.9, nesterov=True),
    "optax.contrib.schedule_free": optax.contrib.schedule_free(optax.sgd(0.1), 0.1, b1=0.9),
    "a chain": optax.chain(optax.scale(2.0), optax.trace(0.9), optax.scale_by_learning_rate(lambda k: 1 / (k + 1))),
}


@pytest.mark.parametrize("name", LINEAR)
def test_linear_methods_of_others_have_one(name):
    assert np.isfinite(theory.step_matrix(LINEAR[name], N).params).all()


NO_MATRIX = {
    "adam": optax.adam(0.1),
    "adagrad": optax.adagrad(0.1),
    "rmsprop": optax.rmsprop(0.1),
    "a clip that is far away": optax.chain(optax.clip(1e7), optax.sgd(1e-8)),
    "a mean over rows": optax.chain(optax.centralize(), optax.sgd(0.1)),
    "clipping": optax.chain(optax.clip_by_global_norm(100.0), optax.sgd(0.1)),
    "sign": optax.sign_sgd(0.1),
    "a mean": optax.chain(optax.stateless(lambda g, params: g - jnp.mean(g)), optax.sgd(0.1)),
    "a width": optax.chain(no.links.scale_by_inverse_sqrt_size(), optax.sgd(0.1)),
    "noise": optax.chain(optax.add_noise(0.1, 0.5, 0), optax.sgd(0.1)),
    "weight decay": no.nag(0.1, weight_decay=0.1),
    "restart": no.nag(0.1, momenta.nesterov(), restart="gradient"),
    "int8": no.nag(0.1, accumulator_dtype=jnp.int8),
    "bfloat16": no.nag(0.1, accumulator_dtype=jnp.bfloat16),
    "muon": no.muon(0.1, axes=lambda path, leaf: None),
    "lion": no.lion(0.1),
    "nadam": no.nadam(0.1),
    "adan": no.adan(0.1),
    "soft threshold": no.fista(0.1, no.prox.l1(0.1), restart=None),
}


@pytest.mark.parametrize("name", NO_MATRIX)
def test_methods_that_are_not_linear_are_refused(name):
    with pytest.raises(ValueError, match="tx must have updates that are linear in the gradients"):
        theory.step_matrix(NO_MATRIX[name], 4)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_method_of_the_catalogue_has_one_or_is_refused_in_words(name):
    """Whatever it says is true of two updates with gradients that it has not seen."""
    tx = CATALOGUE[name].make()
    try:
        H = theory.step_matrix(tx, 2)
    except ValueError as error:
        assert str(error).startswith(("tx must", "adanag needs", "ac_fgm needs", "graal needs", "restart=", "value"))
        return
    gradients = np.random.default_rng(3).normal(0, 0.3, (2, 5))
    params = jnp.ones(5)
    state = tx.init(params)
    for g in gradients:
        updates, state = tx.update(jnp.asarray(g), state, params)
        params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(params, 1 - H.params[-1] @ gradients, atol=1e-9)


def begins_with_a_proximal_step(prox):
    return optax.GradientTransformation(lambda p: prox(p, 0.5), lambda g, s, p: (s - p - 0.5 * g, s))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: theory.step_matrix(0.1, 3), TypeError, "tx must be"),
        (lambda: theory.step_matrix(lambda: None, 3), TypeError, "tx must be"),
        (lambda: theory.step_matrix(lambda prox: 3, 3), TypeError, "tx must be"),
        (lambda: theory.step_matrix(optax.sgd, 3), TypeError, "tx must need nothing but gradients and params"),
        (lambda: theory.step_matrix(no.halpern, 3), TypeError, "tx must be called first, or take an operator"),
        (lambda: theory.step_matrix(optax.polyak_sgd(), 3), TypeError, "tx must need nothing but gradients and params"),
        (lambda: theory.step_matrix(begins_with_a_proximal_step, 3), ValueError, "no proximal step in init"),
        (lambda: theory.step_matrix(optax.sgd(0.1), 0), ValueError, "steps must be"),
        (lambda: theory.step_matrix(no.nag(0.1), 3, output="z"), ValueError, "output must be one of 'base'"),
        (lambda: theory.step_matrix(optax.sgd(0.1), 3, output="base"), ValueError, "holds no accelerated"),
        (lambda: theory.h_dual(no.nag(0.1), 3), TypeError, "rule must be"),
        (lambda: theory.h_dual(NESTEROV, 0), ValueError, "horizon must be"),
        (lambda: theory.h_dual(NESTEROV, 3, output="z"), ValueError, "output must be one of 'base', 'params'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(make, error, words):
    with pytest.raises(error, match=words):
        make()


# Duals


def moves(H):
    """The steps from point to point, the last of which leads to the output."""
    return np.diff(np.concatenate([H.params[:-1], H.output[None]]), axis=0)


DUALS = {
    "nag": (NESTEROV, "base"),
    "nag, params": (NESTEROV, "params"),
    "nag, constant": (nag_rule(0.3, 0.9, 0.5, "step"), "base"),
    "ogm": (ogm_rule(1.0), "last_step"),
    "descent": (no.Rule(tuple, lambda count, age, carry: (no.Coefficients(0, 0, 0, 1 + count, 0), carry)), "params"),
}


@pytest.mark.parametrize("name", DUALS)
@pytest.mark.parametrize("steps", [1, 2, 9, 40])
def test_the_dual_is_the_transposed_method_and_its_dual_is_the_method(name, steps):
    rule, output = DUALS[name]
    primal = moves(theory.step_matrix(rule, steps, output=output))
    dual = theory.h_dual(rule, steps, output=output)
    np.testing.assert_allclose(moves(theory.step_matrix(dual, steps)), primal[::-1, ::-1].T, atol=1e-11)
    again = theory.h_dual(dual, steps)
    np.testing.assert_allclose(moves(theory.step_matrix(again, steps)), primal, atol=1e-11)


@pytest.mark.parametrize("steps", [1, 2, 5, 30])
def test_the_dual_of_ogm_is_ogm_g(steps):
    published, _ = by_unit_vectors(lambda g, x: accelerated.ogm_g(g, x, 1.0, steps), steps)
    dual = theory.h_dual(ogm_rule(1.0), steps, output="last_step")
    for tx in (dual, no.ogm_g(1.0, steps)):
        np.testing.assert_allclose(theory.step_matrix(tx, steps).params[1:], published, atol=1e-12 * steps)


def test_after_its_horizon_a_dual_stays():
    tx = no.accelerate(theory.h_dual(NESTEROV, 2))
    params, state = jnp.ones(3), tx.init(jnp.ones(3))
    for _ in range(2):
        updates, state = tx.update(params, state, params)
        params = params + updates
    updates, _ = tx.update(params, state, params)
    assert not np.any(updates)
