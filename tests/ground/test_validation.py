"""What is looked at before the first step, and what is left alone: arrays of JAX, schedules, functions of the user."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no
from nag_optax import momenta, prox

PARAMS = jnp.asarray([2.0, -3.0])


def first(tx):
    return tx.update(PARAMS, tx.init(PARAMS), PARAMS)[0]


@pytest.mark.parametrize("value", [1.5, -0.1, jnp.nan, jnp.inf])
@pytest.mark.parametrize("kind", [float, np.float32, np.asarray, jnp.asarray, jnp.bfloat16])
def test_concrete_numbers_of_all_kinds_are_looked_at(kind, value):
    with pytest.raises(ValueError, match="momentum must be finite, at least 0 and below 1"):
        no.nag(0.1, kind(value))


def test_a_sweep_over_arrays_works():
    for rate in jnp.logspace(-3, 0, 4):
        np.testing.assert_allclose(first(no.nag(rate, jnp.asarray(0.5))), first(no.nag(float(rate), 0.5)))


def test_a_concrete_array_is_looked_at_under_jit_and_a_traced_one_passes():
    negative = jnp.asarray(-1.0)
    with pytest.raises(ValueError, match="learning_rate must be finite, at least 0"):
        jax.jit(lambda: first(no.nag(negative)))()
    closed_over = jnp.asarray(0.1)
    assert jnp.isfinite(jax.jit(lambda: first(no.nag(closed_over)))()).all()
    assert (jax.jit(lambda rate: first(no.nag(rate)))(-0.1) > 0)[0]  # uphill, and nobody could know
    assert (jax.vmap(lambda rate: first(no.nag(rate)))(jnp.asarray([0.1, -0.1]))[1] > 0)[0]


def test_a_schedule_that_rounding_takes_below_zero_goes_on_in_eager_updates():
    tx = no.decayed(no.ogm, lambda count: jnp.asarray(0.1) - 0.2 * count, 0.1)
    _, state = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
    updates, _ = tx.update(PARAMS, state, PARAMS)
    assert jnp.isfinite(updates).all()


@pytest.mark.parametrize(
    "make",
    [
        no.nag,
        partial(no.nag, weight_decay=0.1),
        partial(no.nag, 0.1),
        lambda schedule: no.nag(0.1, weight_decay=schedule),
        lambda schedule: no.fista(schedule, prox.none()),
        lambda schedule: no.pogm(schedule, prox.none()),
        lambda schedule: no.proximal_gradient(schedule, prox.none()),
        lambda schedule: no.fista(0.1, prox.none(), momentum=schedule),
        lambda schedule: no.lookahead(optax.sgd(0.1), slow_step_size=schedule),
        lambda schedule: no.snoo(optax.sgd(0.1), schedule),
        lambda schedule: no.snoo(optax.sgd(0.1), outer_momentum=schedule),
        lambda schedule: no.gpa(optax.sgd(0.1), schedule),
        lambda schedule: no.schedule_free(optax.sgd(0.1), schedule),
        lambda schedule: no.agg_mo(0.1, [schedule]),
        lambda schedule: no.qhm(0.1, nu=schedule),
        no.adan,
        no.nadam,
    ],
)
@pytest.mark.parametrize(
    "schedule",
    [
        lambda count: jnp.ones(3),
        lambda count: "0.1",
        lambda count: -1.0,
        lambda count: jnp.nan,
        lambda: 0.1,
        momenta.nesterov,
        momenta.sutskever,
        optax.cosine_decay_schedule,
        optax.constant_schedule,
        float,
    ],
)
def test_a_schedule_is_looked_at_in_init(make, schedule):
    names = "learning_rate|weight_decay|step_size|momentum|mu_x|nu|momenta"
    with pytest.raises((TypeError, ValueError), match=names):
        make(schedule).init(PARAMS)


def test_a_schedule_in_python_runs_in_eager_updates():
    by_if, by_where = (lambda k: 0.1 if k < 1 else 0.01), (lambda k: jnp.where(k < 1, 0.1, 0.01))
    for make in (no.nag, lambda rate: no.nag(0.1, weight_decay=rate), lambda rate: no.fista(rate, prox.none())):
        ours, theirs = make(by_if), make(by_where)
        states = [ours.init(PARAMS), theirs.init(PARAMS)]
        for _ in range(3):
            (a, states[0]), (b, states[1]) = (
                tx.update(PARAMS, state, PARAMS) for tx, state in zip((ours, theirs), states, strict=True)
            )
            np.testing.assert_allclose(a, b, rtol=1e-6)


def ball(x, radius):
    return x * jnp.minimum(1, radius / jnp.linalg.norm(x))


@pytest.mark.parametrize(
    "projection",
    [
        optax.projections.projection_simplex,
        optax.projections.projection_non_negative,
        optax.projections.projection_l2_ball,
        partial(optax.projections.projection_hypercube, scale=2.0),
        prox.Prox(optax.projections.projection_l1_ball),
        ball,
        lambda x, s: jnp.clip(x, -s, s),
        lambda x: jnp.maximum(x, 0),
    ],
)
@pytest.mark.parametrize(
    "use",
    [
        lambda p: no.minimize(lambda x: jnp.sum(x**2), PARAMS, prox=p),
        lambda p: jax.jit(lambda x: no.minimize(lambda x: jnp.sum(x**2), x, prox=p).params)(PARAMS),
        lambda p: no.fista(0.1, p).init(PARAMS),
        lambda p: no.ac_fgm(p).init(PARAMS),
    ],
)
def test_a_projection_in_the_place_of_a_prox_is_refused(use, projection):
    with pytest.raises(TypeError, match=r"prox\.from_projection"):
        use(projection)


@pytest.mark.parametrize(
    "operator",
    [
        prox.l1(0.1),
        lambda x, s: x / (1 + s),
        lambda x, s: jnp.sign(x) * jnp.maximum(jnp.abs(x) - s, 0),
        lambda x, s: jnp.where(jnp.abs(x) > jnp.sqrt(2 * s), x, 0),
        lambda x, s: jnp.maximum(x, 0),
        lambda x, s: ball(x, 1.0),
        lambda x, s: ball(x, 1.0) * 0 + 5,
        lambda x, s: x,
        prox.from_projection(optax.projections.projection_l2_ball, 2.0),
    ],
)
def test_an_operator_of_ones_own_is_none(operator):
    no.minimize(lambda x: jnp.sum(x**2), PARAMS, prox=operator, max_steps=2)
    no.fista(0.1, operator).init(PARAMS)


@pytest.mark.parametrize("maker", [getattr(prox, name) for name in prox.__all__ if name not in ("Conjugate", "Prox")])
@pytest.mark.parametrize("use", [partial(no.minimize, jnp.sum, PARAMS), partial(no.fista, 0.1), no.ac_fgm])
def test_an_operator_that_was_not_called_is_named(use, maker):
    with pytest.raises(TypeError, match=f"prox must be an operator: prox.{maker.__name__} makes one, call it"):
        use(prox=maker)


def test_strengths_may_be_traced_and_their_entries_are_looked_at():
    for make in (prox.l1, prox.l2_squared, prox.huber, prox.group_lasso, prox.linf_norm, prox.nuclear_norm):
        for strength in (-1.0, jnp.asarray(-1.0), np.float32(jnp.nan)):
            with pytest.raises(ValueError, match=r"strength must be finite|strength must be.*at least 0"):
                make(strength)
    with pytest.raises(ValueError, match="strength must be finite, at least 0 in every"):
        prox.l1({"a": jnp.asarray([1.0, -1.0])})
    with pytest.raises(ValueError, match="lower must be at most upper"):
        prox.box(jnp.zeros(2), {"a": jnp.asarray([1.0, -1.0])})
    assert jax.grad(lambda s: prox.l1(s)(PARAMS, 1.0).sum())(0.5) == 0
    np.testing.assert_array_equal(prox.box(-jnp.inf, 0)(PARAMS), [0, -3])


@pytest.mark.parametrize("axis_name", [(), [], ["replica"], True, 1.0])
def test_an_axis_is_a_name(axis_name):
    with pytest.raises((TypeError, ValueError), match="axis_name must"):
        no.diloco(optax.sgd(0.1), axis_name=axis_name)


@pytest.mark.parametrize("make", [partial(no.nag, 0.1), partial(no.nadam, 0.1), partial(no.adan, 0.1)])
def test_a_mask_needs_a_decay_and_consists_of_booleans(make):
    with pytest.raises(ValueError, match="mask is for weight_decay, which is 0"):
        make(mask={"w": True})
    for mask in ({"nonsense": 1}, "no", 1.0, ()):
        with pytest.raises(TypeError, match="mask must be a pytree of booleans"):
            make(weight_decay=0.1, mask=mask)
    with pytest.raises(TypeError, match="mask must be a pytree of booleans"):
        make(weight_decay=0.1, mask=lambda params: params).init(PARAMS)


def test_a_learning_rate_that_becomes_nan_is_not_averaged_away():
    tx = no.schedule_free(optax.sgd(0.1), lambda count: jnp.where(count < 0, 0.1, jnp.nan))
    assert jnp.isnan(first(tx)).all()
