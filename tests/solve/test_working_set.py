"""minimize(screen=True): the same certified solutions from few columns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

from nag_optax import Status, losses, minimize, path, prox
from nag_optax.solve import working_set

pytestmark = pytest.mark.usefixtures("float64")

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 2000))
Y = X[:, :5] @ np.ones(5) + 0.1 * rng.standard_normal(60)
STRENGTH = 0.3 * float(abs(X.T @ Y).max())


@pytest.fixture
def sizes(monkeypatch):
    """How many columns were taken, each time."""
    seen, take = [], working_set._taker

    def watching(matrix):
        of_matrix = take(matrix)

        def taken(rows):
            seen.append(len(rows))
            return of_matrix(rows)

        return taken

    monkeypatch.setattr(working_set, "_taker", watching)
    return seen


@pytest.mark.parametrize("form", ["array", "BCOO"])
@pytest.mark.parametrize("stop", ["error", "gap"])
def test_the_same_solution_from_few_columns(form, stop, sizes):
    linear = jnp.asarray(X) if form == "array" else BCOO.fromdense(jnp.asarray(X))
    options = {"prox": prox.l1(STRENGTH), "linear": linear, "stop": stop, "tol": 1e-9}
    plain = minimize(losses.squared(Y), jnp.zeros(2000), **options)
    found = minimize(losses.squared(Y), jnp.zeros(2000), screen=True, **options)
    np.testing.assert_allclose(found.params, plain.params, atol=1e-7)
    assert found.status == Status.CONVERGED and 0 <= found.gap <= 1e-7 * found.value
    assert sizes and max(sizes) <= 256


def test_what_is_missing_is_found(sizes, monkeypatch):
    """From a working set that is far too small."""
    monkeypatch.setattr(working_set, "SMALLEST", 2)
    strength = STRENGTH / 10
    found = minimize(
        losses.squared(Y), jnp.zeros(2000), prox=prox.l1(strength), linear=X, stop="gap", tol=1e-9, screen=True
    )
    plain = minimize(losses.squared(Y), jnp.zeros(2000), prox=prox.l1(strength), linear=X, stop="gap", tol=1e-9)
    assert len(sizes) > 2 and found.status == Status.CONVERGED
    np.testing.assert_allclose(found.value, plain.value, rtol=2e-9)


def test_groups_and_other_losses():
    targets = jnp.asarray(np.stack([Y, -Y, Y**2], 1))
    labels = 1.0 * (Y > 0)
    cases = [
        (losses.squared(targets), jnp.zeros((2000, 3)), prox.group_lasso(2 * STRENGTH)),
        (losses.logistic(labels), jnp.zeros(2000), prox.elastic_net(5.0, 0.1)),
        (losses.squared(Y), jnp.zeros(2000), prox.l1(jnp.linspace(1, 2, 2000) * STRENGTH)),
        (losses.squared(Y), jnp.zeros(2000), prox.non_negative_l1(STRENGTH)),
    ]
    for loss, start, penalty in cases:
        options = {"prox": penalty, "linear": jnp.asarray(X), "stop": "gap", "tol": 1e-9}
        found, plain = (minimize(loss, start, screen=screen, **options) for screen in (True, False))
        assert found.status == Status.CONVERGED
        np.testing.assert_allclose(found.value, plain.value, rtol=2e-9)


def test_a_path_begins_with_the_columns_of_the_last_solution():
    strengths = STRENGTH * jnp.array([2.0, 1.0, 0.5])
    options = {"linear": jnp.asarray(X), "stop": "gap", "tol": 1e-8}
    along = path(losses.squared(Y), jnp.zeros(2000), strengths, screen=True, **options)
    plain = path(losses.squared(Y), jnp.zeros(2000), strengths, **options)
    np.testing.assert_allclose(np.asarray(along.value), np.asarray(plain.value), rtol=2e-8)


def test_steps_history_and_limits_are_those_of_the_whole_run():
    options = {"prox": prox.l1(STRENGTH), "linear": jnp.asarray(X), "stop": "gap", "tol": 1e-9, "screen": True}
    whole = minimize(losses.squared(Y), jnp.zeros(2000), history=True, **options)
    assert whole.state.history is not None
    values = np.asarray(whole.state.history.value)
    assert np.all(np.isfinite(values[: whole.steps])) and np.all(np.isnan(values[whole.steps :]))
    few = minimize(losses.squared(Y), jnp.zeros(2000), max_steps=5, **options)
    assert few.status == Status.MAX_STEPS and few.steps == 5
    best = minimize(losses.squared(Y), jnp.zeros(2000), **(options | {"screen": False}))
    assert few.value - best.value <= few.gap + 1e-12
    stopped = minimize(losses.squared(Y), jnp.zeros(2000), callback=lambda step, *_: step >= 3, **options)
    assert stopped.status == Status.STOPPED and stopped.steps == 3
    assert stopped.value - best.value <= stopped.gap + 1e-12


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"linear": None}, "needs linear, an array or a BCOO"),
        ({"linear": lambda w: X @ jnp.pad(w, (0, 1940))}, "needs linear, an array or a BCOO"),
        ({"method": "ac_fgm"}, "method='full_backtracking'"),
        ({"prox": prox.total_variation_1d(1.0)}, "prox does not know its conjugate"),
        ({"prox": prox.l2_norm(1.0)}, "keeps rows apart"),
        ({"prox": prox.simplex(1.0)}, "keeps rows apart"),
        ({"prox": prox.translated(prox.l1(1.0), jnp.ones(2000))}, "keeps rows apart, and those that are 0 at 0"),
        ({"prox": prox.group_lasso(1.0)}, "keeps rows apart"),
    ],
)
def test_refusals(options, words):
    given = {"prox": prox.l1(STRENGTH), "linear": jnp.asarray(X)} | options
    start = jnp.zeros(60) if not isinstance(given["linear"], jax.Array) else jnp.zeros(2000)
    with pytest.raises(ValueError, match=words):
        minimize(losses.squared(Y), start, screen=True, **given)


def test_it_is_for_calls_from_outside_of_jit():
    with pytest.raises(ValueError, match="screen is for calls from outside"):
        jax.jit(
            lambda s: minimize(losses.squared(Y), jnp.zeros(2000), prox=prox.l1(s), linear=jnp.asarray(X), screen=True)
        )(STRENGTH)


@pytest.mark.parametrize("steps", [22, 80])
def test_the_gap_of_a_run_that_ends_on_a_working_set_is_one_on_all_columns(steps):
    draw = np.random.default_rng(0)
    correlated = draw.standard_normal((60, 2000))
    correlated[:, 1:] += 0.9 * correlated[:, :1]
    truth = np.where(draw.random(2000) < 0.075, 3 * draw.standard_normal(2000), 0)
    target = correlated @ truth + draw.standard_normal(60)
    options = {"prox": prox.l1(0.01 * float(abs(correlated.T @ target).max())), "linear": correlated}
    lower = minimize(losses.squared(target), jnp.zeros(2000), max_steps=1000, **options)
    found = minimize(losses.squared(target), jnp.zeros(2000), max_steps=steps, screen=True, **options)
    assert found.status == Status.MAX_STEPS and found.gap >= found.value - lower.value


def test_a_callback_is_called_after_every_step_and_only_then():
    seen = []

    def watch(step, value, error):
        seen.append(int(step))

    found = minimize(
        losses.squared(Y), jnp.zeros(2000), prox=prox.l1(STRENGTH), linear=X, screen=True, callback=watch, tol=1e-3
    )
    assert seen == list(range(1, int(found.steps) + 1))


def test_a_matrix_without_columns_and_one_with_a_batch():
    empty = minimize(losses.squared(Y), jnp.zeros(0), prox=prox.l1(1.0), linear=X[:, :0], screen=True)
    assert empty.status == Status.CONVERGED
    batched = BCOO.fromdense(jnp.asarray(X), n_batch=1)
    with pytest.raises(ValueError, match="without batch or dense"):
        minimize(losses.squared(Y), jnp.zeros(2000), prox=prox.l1(1.0), linear=batched, screen=True)
