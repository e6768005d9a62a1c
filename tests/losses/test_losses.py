"""Losses: their values are Optax's, their conjugates Fenchel's, and their curvature has the bound that they say."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import losses, minimize

pytestmark = pytest.mark.usefixtures("float64")

rng = np.random.default_rng(0)
REAL, LABELS, SIGNS = rng.standard_normal(7), rng.integers(0, 2, 7), 2.0 * rng.integers(0, 2, 7) - 1
COUNTS, CLASSES, WEIGHTS = 1 + rng.poisson(2.0, 7), rng.integers(0, 3, 7), rng.uniform(0.1, 2, 7)

LOSSES = {
    "squared": losses.squared(REAL),
    "squared, weighted": losses.squared(REAL, WEIGHTS),
    "logistic": losses.logistic(LABELS),
    "logistic of probabilities": losses.logistic(rng.random(7), WEIGHTS),
    "multinomial": losses.multinomial(CLASSES),
    "multinomial of probabilities": losses.multinomial(rng.dirichlet(np.ones(3), 7), WEIGHTS),
    "huber": losses.huber(REAL, 0.7, WEIGHTS),
    "poisson": losses.poisson(COUNTS, 0.3),
    "squared_hinge": losses.squared_hinge(SIGNS, WEIGHTS),
}
each = pytest.mark.parametrize("name", LOSSES)


def predictions(name, seed, size=2.0):
    shape = (7, 3) if "multinomial" in name else (7,)
    return jnp.asarray(size * np.random.default_rng(seed).standard_normal(shape))


@each
def test_value_and_conjugate_meet_at_the_slope(name):
    loss = LOSSES[name]
    for seed in range(5):
        z = predictions(name, seed)
        value, u = jax.value_and_grad(loss)(z)
        np.testing.assert_allclose(value + loss.conjugate(u), jnp.sum(u * z), atol=1e-11)


@each
def test_nothing_is_above_the_conjugate_and_it_is_finite_down_to_zero(name):
    loss = LOSSES[name]
    for seed in range(10):
        z, scale = predictions(name, seed, 5.0), np.random.default_rng(seed).random()
        u = scale * jax.grad(loss)(predictions(name, seed + 100))
        assert np.isfinite(loss.conjugate(u))
        assert jnp.sum(u * z) - loss(z) <= loss.conjugate(u) + 1e-11
    np.testing.assert_allclose(loss.conjugate(jnp.zeros_like(predictions(name, 0))), -minimum_of(name), atol=1e-8)


def minimum_of(name):
    """The smallest value, where predictions are free."""
    z = minimize(LOSSES[name], predictions(name, 0), tol=1e-12, max_steps=3000).params
    return LOSSES[name](z)


@each
def test_curvature_is_a_bound_and_no_idle_one(name):
    loss = LOSSES[name]
    if loss.curvature is None:
        assert name == "poisson"
        return
    seen = []
    for seed in range(20):
        z = predictions(name, seed, 0.3)
        hessian = jax.hessian(lambda x, z=z: loss(x.reshape(z.shape)))(z.reshape(-1))
        seen.append(np.linalg.eigvalsh(hessian).max())
    assert 0.6 * loss.curvature <= max(seen) <= loss.curvature + 1e-12


def test_values_are_those_of_optax_and_of_numpy():
    z, Z = predictions("", 3), predictions("multinomial", 3)
    of = optax.losses
    pairs = [
        (losses.squared(REAL)(z), 0.5 * np.sum((z - REAL) ** 2)),
        (losses.logistic(LABELS)(z), jnp.sum(jnp.logaddexp(0, z) - LABELS * z)),
        (losses.multinomial(CLASSES)(Z), of.softmax_cross_entropy_with_integer_labels(Z, jnp.asarray(CLASSES)).sum()),
        (losses.huber(REAL, 0.7)(z), of.huber_loss(z, jnp.asarray(REAL), delta=0.7).sum()),
        (losses.poisson(COUNTS)(z), np.sum(np.exp(z) - COUNTS * z)),
        (losses.squared_hinge(SIGNS)(z), np.sum(np.maximum(0, 1 - SIGNS * z) ** 2) / 2),
        (losses.squared(REAL, WEIGHTS)(z), 0.5 * np.sum(WEIGHTS * (z - REAL) ** 2)),
    ]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_outside_of_its_domain_a_conjugate_is_infinite():
    one = jnp.ones(7)
    assert losses.logistic(LABELS).conjugate(2 * one) == np.inf
    assert losses.huber(REAL, 0.5).conjugate(0.6 * one) == np.inf
    assert losses.poisson(COUNTS).conjugate(-100 * one) == np.inf
    assert losses.squared_hinge(np.ones(7)).conjugate(one) == np.inf
    assert losses.multinomial(CLASSES).conjugate(jnp.ones((7, 3))) == np.inf
    assert losses.squared(REAL, np.zeros(7)).conjugate(one) == np.inf


def test_booleans_and_lists_are_labels():
    z = predictions("", 3)
    np.testing.assert_allclose(losses.logistic(LABELS > 0)(z), losses.logistic(LABELS.tolist())(z))
    classes = jnp.stack([jnp.zeros_like(z), z], axis=-1)
    np.testing.assert_allclose(losses.multinomial(LABELS > 0)(classes), losses.logistic(LABELS)(z), rtol=1e-6)


def test_predictions_are_one_array():
    with pytest.raises(TypeError, match="predictions of this loss must be one array, got dict"):
        losses.squared(REAL)({"a": REAL})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: losses.logistic(SIGNS), "labels .* at least 0 and at most 1"),
        (lambda: losses.squared_hinge(2.0 * SIGNS), "labels must be -1 or 1"),
        (lambda: losses.squared_hinge(LABELS), "labels must be -1 or 1"),
        (lambda: losses.poisson(-COUNTS - 1), "counts .* at least 0"),
        (lambda: losses.huber(REAL, 0.0), "delta .* above 0"),
        (lambda: losses.squared(REAL, -WEIGHTS), "weights .* at least 0"),
        (lambda: losses.squared(REAL)(jnp.zeros(6)), "targets must broadcast against predictions"),
        (lambda: losses.squared(REAL, WEIGHTS)(jnp.zeros((7, 2))), "broadcast"),
        (lambda: losses.multinomial(CLASSES)(jnp.zeros((7, 2))), "labels must be below 2"),
        (lambda: losses.multinomial(CLASSES)(jnp.zeros(())), "classes"),
        (lambda: losses.multinomial(CLASSES.astype(float))(jnp.zeros((7, 3))), "targets must broadcast"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("total", [0.3, 1.0, 2.0])
def test_the_conjugate_of_classes_holds_whatever_labels_sum_to(total):
    labels = total * rng.dirichlet(np.ones(3), 7)

    def apart(labels, z):
        loss = losses.multinomial(labels)
        value, u = jax.value_and_grad(loss)(z)
        return value + loss.conjugate(u) - jnp.sum(u * z)

    np.testing.assert_allclose(jax.jit(apart)(labels, predictions("multinomial", 0)), 0, atol=1e-11)


def test_labels_are_looked_at_in_every_call():
    X = rng.standard_normal((7, 2))
    minimize(losses.multinomial(CLASSES), jnp.zeros((2, 3)), linear=X, max_steps=3)
    with pytest.raises(ValueError, match="labels must be below 3"):
        minimize(losses.multinomial(CLASSES + 1), jnp.zeros((2, 3)), linear=X, max_steps=3)
