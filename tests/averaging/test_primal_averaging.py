"""Averages around inner optimizers are the published sequences, and what they equal."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no
from tests.support.problems import noisy_problems
from tests.support.running import close, trajectory

pytestmark = pytest.mark.usefixtures("float64", "strict_ranks")

STEPS = 60


def test_gpa_around_gradient_descent_is_nag():
    for problem, factors in noisy_problems(300, 0.5):
        rate, mu = 0.5 / problem.smoothness, 0.9
        ours = trajectory(no.gpa(optax.sgd(rate / (1 - mu)), mu, mu), problem.gradient, problem.start, factors)
        theirs = trajectory(no.nag(rate, mu), problem.gradient, problem.start, factors)
        close(ours[0], theirs[0])
        close(ours[1], theirs[1])


def averages_around_adamw(gradients, start, weights, interpolation, rate=0.1, b2=0.99, decay=0.1):
    """Primal averaging's three sequences around AdamW without momentum, in NumPy; ``weights`` are those of z in x."""
    x = y = z = start
    v = 0 * start
    for k, (g, c) in enumerate(zip(gradients, weights, strict=True)):
        v = b2 * v + (1 - b2) * g**2
        z = z - rate * (g / (np.sqrt(v / (1 - b2 ** (k + 1))) + 1e-8) + decay * y)
        x = (1 - c) * x + c * z
        y = (1 - interpolation) * z + interpolation * x
        yield y, x, z


AROUND_ADAMW = {
    "gpa": (lambda inner: no.gpa(inner, 0.9, 0.6), [0.1] * STEPS, 0.6),
    "schedule_free": (lambda inner: no.schedule_free(inner, 0.1), 1 / np.arange(1, STEPS + 1), 0.9),
    "schedule_free, decaying rate": (  # the largest rate counts
        lambda inner: no.schedule_free(inner, lambda k: 0.1 / (k + 1)),
        1 / np.arange(1, STEPS + 1),
        0.9,
    ),
    "primal_averaging, schedule": (
        lambda inner: no.primal_averaging(inner, no.momenta.polynomial(3), 1.0),
        1 - np.arange(STEPS) / (np.arange(1, STEPS + 1) + 3),
        1.0,
    ),
}


@pytest.mark.parametrize("name", AROUND_ADAMW)
def test_averages_around_adamw_are_the_published_sequences(name):
    make, weights, interpolation = AROUND_ADAMW[name]
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(5), rng.standard_normal((STEPS, 5))
    tx = make(optax.adamw(0.1, b1=0.0, b2=0.99, weight_decay=0.1))
    params, state = jnp.asarray(start), tx.init(jnp.asarray(start))
    for g, (y, x, z) in zip(gradients, averages_around_adamw(gradients, start, weights, interpolation), strict=True):
        updates, state = tx.update(jnp.asarray(g), state, params)
        params = optax.apply_updates(params, updates)
        close(params, y, 1e-12)
        close(no.eval_params(state, params), x, 1e-12)
        close(no.eval_params(state, params, output="z"), z, 1e-12)


def test_schedule_free_is_the_one_of_its_authors():
    torch, schedulefree = pytest.importorskip("torch"), pytest.importorskip("schedulefree")
    problem, factors = next(noisy_problems(100, 0.5))
    rate, warm_up = 0.5 / problem.smoothness, 10

    def learning_rate(k):
        return rate * jnp.minimum(1.0, (k.astype(float) + 1) / warm_up)  # Optax counts in int32

    theirs = torch.tensor(problem.start, requires_grad=True)
    optimizer = schedulefree.SGDScheduleFree([theirs], lr=rate, momentum=0.9, warmup_steps=warm_up)
    points = []
    for factor in factors:
        optimizer.train()
        theirs.grad = torch.tensor(factor * problem.gradient(theirs.detach().numpy()))
        optimizer.step()
        optimizer.eval()
        points.append(theirs.detach().numpy().copy())
    tx = no.schedule_free(optax.sgd(learning_rate), learning_rate)
    close(trajectory(tx, problem.gradient, problem.start, factors)[1], np.array(points))


def test_schedule_free_in_bfloat16_keeps_averaging():
    """Optax's weight, kept in the dtype of the parameters, freezes; here 1 / 3000 is 1 / 3000."""
    tx = no.schedule_free(optax.sgd(0.01), 0.01)
    params = jnp.ones(3, jnp.bfloat16)
    state, _ = jax.lax.scan(lambda s, _: (tx.update(params, s, params)[1], None), tx.init(params), length=3000)
    momentum = optax.tree.get(state, "carry")[0]
    assert momentum.dtype == jnp.float32
    np.testing.assert_allclose(1 - momentum, 1 / 3000, rtol=1e-3)
