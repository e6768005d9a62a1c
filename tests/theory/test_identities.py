"""Methods that are the same method under two names."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nag_optax as no
from nag_optax import momenta
from oracles.published import maps, outer
from tests.support.problems import noisy_problems
from tests.support.running import close, trajectory

STEPS = 300

SAME_PARAMS_AND_BASE_ITERATE = {
    "AGNES is SNAG with rho = 1 + sigma^2": (
        lambda L: no.agnes(**no.agnes_constants(L, 0.01 * L, 1.5)),
        lambda L: no.snag(L, 0.01 * L, 1 + 1.5**2),
    ),
    "linear coupling is nag with Su, Boyd & Candes' momentum": (
        lambda L: no.linear_coupling(1 / L),
        lambda L: no.nag(1 / L, momenta.polynomial(2)),
    ),
    "robust momentum at its fast end is triple momentum": (
        lambda L: no.robust_momentum(L, 0.01 * L, 0.9),
        lambda L: no.triple_momentum(L, 0.01 * L),
    ),
    "ITEM without strong convexity is OGM": (lambda L: no.item(L, 0.0), lambda L: no.ogm(1 / L)),
    "the non-stationary scheme without strong convexity is FISTA's": (
        lambda L: no.strongly_convex_nag(L, 0.0),
        lambda L: no.nag(1 / L, momenta.nesterov()),
    ),
    "the stationary scheme is nag with a constant momentum": (
        lambda L: no.strongly_convex_nag(L, 0.01 * L, stationary=True),
        lambda L: no.nag(1 / L, momenta.strongly_convex(100.0)),
    ),
    "SNAG without growth is FISTA's": (lambda L: no.snag(L), lambda L: no.nag(1 / L, momenta.nesterov())),
    "MaSS without memory is nag": (lambda L: no.mass(1 / L, 0.05, 1.0), lambda L: no.nag(1 / L, 0.95 / 1.05)),
    "AGNES is MaSS with eta_2 = momentum (correction - learning rate)": (
        lambda L: no.agnes(0.5 / L * (1 - (1 - 1 / 12) / 0.95), 0.5 / L, 0.95 / 1.05),
        lambda L: no.mass(0.5 / L, 0.05, 12.0),
    ),
    "heavy ball is nag without lookahead": (
        lambda L: no.heavy_ball(0.3 / L, 0.9),
        lambda L: no.nag(0.3 / L, 0.9, lookahead=0.0),
    ),
    "a mean of gradients is their sum at another learning rate": (
        lambda L: no.nag(3 / L, 0.9, velocity="mean"),
        lambda L: no.nag(0.3 / L, 0.9),
    ),
    "EMA-Nesterov without memory is nag": (
        lambda L: no.ema_nesterov(optax.sgd(0.3 / L), 0.9, 0.0),
        lambda L: no.nag(0.3 / L, 0.9),
    ),
    "AggMo with one velocity is nag without lookahead": (
        lambda L: no.agg_mo(0.3 / L, (0.9,)),
        lambda L: no.nag(0.3 / L, 0.9, lookahead=0.0),
    ),
}


def test_optimal_composite_methods_without_a_prox_are_ogm():
    none = no.prox.none()
    for problem, factors in noisy_problems(STEPS, 0.5):
        L = problem.smoothness

        def of(tx, problem=problem, factors=factors):
            return trajectory(tx, problem.gradient, problem.start, factors)

        params, _, outputs = of(no.ogm(1 / L))
        size = np.abs(params).max()
        close(of(no.pogm(1 / L, none, restart=None))[0], params, 1e-12)
        for horizon in (1, 2, 37, STEPS):
            for tx in (no.optista(L, horizon, none), no.pogm(1 / L, none, horizon=horizon, restart=None)):
                to_the_last, at_the_end, _ = of(tx)
                np.testing.assert_allclose(to_the_last[: horizon - 1], params[: horizon - 1], rtol=0, atol=1e-12 * size)
                close(to_the_last[horizon - 1], outputs["last_step"][horizon - 1], 1e-12)
                close(at_the_end[horizon - 1], outputs["last_step"][horizon - 1], 1e-12)


def test_what_they_keep_besides_is_the_base_iterate_of_ogm():
    problem, _ = next(iter(noisy_problems(STEPS, 0.5)))
    start, L = jnp.asarray(problem.start), problem.smoothness
    methods = [
        (no.ogm(1 / L), lambda state, params: no.eval_params(state, params)),
        (no.pogm(1 / L, no.prox.none(), restart=None), lambda state, params: state.y),
        (no.optista(L, 50, no.prox.none()), lambda state, params: state.z),
    ]
    points = []
    for tx, read in methods:
        params, state = start, tx.init(start)
        for _ in range(20):
            updates, state = tx.update(problem.gradient(params), state, params)
            params = optax.apply_updates(params, updates)
        points.append(read(state, params))
    close(points[1], points[0], 1e-12)
    close(points[2], points[0], 1e-12)


def test_proximal_gradient_without_a_prox_is_sgd():
    for problem, factors in noisy_problems(STEPS, 0.5):
        rate = 1 / problem.smoothness
        sgd, ours = optax.sgd(rate), no.proximal_gradient(rate, no.prox.none())
        close(params_of(ours, problem, factors), params_with(sgd, problem, factors), 1e-12)


@pytest.mark.parametrize("identity", SAME_PARAMS_AND_BASE_ITERATE)
def test_methods_coincide(identity):
    one, other = SAME_PARAMS_AND_BASE_ITERATE[identity]
    for problem, factors in noisy_problems(STEPS, 0.5):
        L = problem.smoothness
        ours = trajectory(one(L), problem.gradient, problem.start, factors)
        theirs = trajectory(other(L), problem.gradient, problem.start, factors)
        close(ours[0], theirs[0])
        close(ours[1], theirs[1])


# Every constant rule is QHM in its params: Ma & Yarats, section 4, and GPA, which is later than their paper.

KAPPA, RHO = 100.0, 0.95
AS_QHM = {
    "nag": (lambda L: no.nag(1 / L, 0.9), lambda L: (10 / L, 0.9, 0.9)),
    "acc_sgd": (
        lambda L: no.acc_sgd(0.5 / L),
        lambda L: (
            0.5 / L * 0.7 * (1 + 10) / (1 + 0.7),
            (1000 - 0.7**2 * 10) / (1000 + 0.7 * 10),
            (0.7 * 10 - 1) / (0.7 * (1 + 10)),
        ),
    ),
    "robust_momentum": (
        lambda L: no.robust_momentum(L, L / KAPPA, RHO),
        lambda L: synthesized_nesterov(
            KAPPA * (1 - RHO) ** 2 * (1 + RHO) / L,
            KAPPA * RHO**3 / (KAPPA - 1),
            RHO**3 / ((KAPPA - 1) * (1 - RHO) ** 2 * (1 + RHO)),
        ),
    ),
}


def synthesized_nesterov(alpha, b1, b2):
    """(learning rate, momentum, nu) of Lessard, Recht & Packard's three numbers."""
    return alpha / (1 - b1), b1, 1 - b2 * (1 - b1) / b1


@pytest.mark.parametrize("name", AS_QHM)
def test_method_is_a_qhm_in_params(name):
    make, as_qhm = AS_QHM[name]
    for problem, factors in noisy_problems(STEPS, 0.5):
        L = problem.smoothness
        ours, qhm = (
            trajectory(tx, problem.gradient, problem.start, factors)[0] for tx in (make(L), no.qhm(*as_qhm(L)))
        )
        close(ours, qhm)


def test_generalized_primal_averaging_is_a_qhm_in_params():
    rate, mu_x, mu_y = 0.8, 0.9967, 0.7
    for problem, factors in noisy_problems(STEPS, 0.5):
        L, gradient = problem.smoothness, lambda x, k, p=problem, f=factors: f[k] * p.gradient(x)
        points = itertools.islice(outer.gpa(gradient, problem.start, L, rate, mu_x, mu_y), STEPS)
        qhm = trajectory(no.qhm(rate / L, mu_x, mu_y), problem.gradient, problem.start, factors)[0]
        close(qhm, np.array([y for y, _, _ in points]))


# Methods with a map, and around any optimizer.


def params_of(tx, problem, factors):
    return trajectory(tx, problem.gradient, problem.start, factors)[0]


def test_ema_nesterov_is_gpa_in_params():
    beta, decay = 0.6, 0.95
    for problem, factors in noisy_problems(STEPS, 0.5):
        rate = 0.3 / problem.smoothness
        ema = no.ema_nesterov(optax.sgd(rate), beta, decay)
        gpa = no.gpa(optax.sgd(rate / (1 - beta)), decay + (1 - decay) * beta, beta)
        close(params_of(ema, problem, factors), params_of(gpa, problem, factors), 1e-12)


def test_mars_is_a_qhm():
    """Without clipping; it needs no buffer for the last gradient."""
    rate, b1, gamma = 0.5, 0.95, 0.025
    for problem, factors in noisy_problems(STEPS, 0.5):
        L, gradient = problem.smoothness, lambda x, k, p=problem, f=factors: f[k] * p.gradient(x)
        points = itertools.islice(maps.mars(gradient, problem.start, L, rate, b1, gamma), STEPS)
        qhm = params_of(no.qhm(rate / L, b1, 1 - gamma), problem, factors)
        close(qhm, np.array([y for y, _, _ in points]), 1e-12)


def signs_of(rate, **arguments):
    return optax.chain(no.scale_by_nag(**arguments), no.maps.sign(), optax.scale_by_learning_rate(rate))


def test_lion_is_the_sign_of_nag_far_ahead():
    rate, b1, b2 = 1e-3, 0.9, 0.99
    for problem, factors in noisy_problems(STEPS, 0.5):
        nag = signs_of(rate, momentum=b2, lookahead=(b2 - b1) / (b2 * (1 - b2)))
        lion = no.lion(rate, b1, b2, weight_decay=None)
        close(params_with(nag, problem, factors), params_of(lion, problem, factors), 1e-12)


def test_signum_is_the_sign_of_a_mean():
    for problem, factors in noisy_problems(STEPS, 0.5):
        nag = signs_of(1e-3, momentum=0.9, lookahead=0.0, velocity="mean")
        close(params_with(nag, problem, factors), params_of(no.signum(1e-3, 0.9), problem, factors), 1e-12)


def test_nesterovs_signum_is_lion():
    for problem, factors in noisy_problems(STEPS, 0.5):
        signum, lion = no.signum(1e-3, 0.9, lookahead=1.0), no.lion(1e-3, 0.81, 0.9, weight_decay=None)
        close(params_of(signum, problem, factors), params_of(lion, problem, factors), 1e-12)


def params_with(tx, problem, factors):
    """Params of a chain whose state does not know the learning rate, and so is not asked for a point."""

    def body(carry, factor):
        params, state = carry
        updates, state = tx.update(factor * problem.gradient(params), state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    start = jnp.asarray(problem.start)
    return jax.jit(lambda f: jax.lax.scan(body, (start, tx.init(start)), f)[1])(jnp.asarray(factors))
