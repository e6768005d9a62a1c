"""Methods that are the same method under two names."""

import itertools

import numpy as np
import pytest

import nag_optax as no
from nag_optax import momenta
from oracles.published import outer
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
    "AggMo with one velocity is nag without lookahead": (
        lambda L: no.agg_mo(0.3 / L, (0.9,)),
        lambda L: no.nag(0.3 / L, 0.9, lookahead=0.0),
    ),
}


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
