"""Quantities that the convergence proofs decrease at every step do decrease, on two real problems."""

import jax.numpy as jnp
import numpy as np
import pytest

import nag_optax as no
from nag_optax import Rule, accelerate, from_coupling
from tests.support.problems import Logistic, Quadratic
from tests.support.running import trajectory

STEPS = 300
PROBLEMS = [Quadratic, Logistic]


def run(tx, problem):
    """Params before each update, and base iterate and z after it, relative to the minimiser."""
    params, base, outputs = trajectory(tx, problem.gradient, problem.start, np.ones(STEPS))
    before = np.concatenate([problem.start[None], params[:-1]])
    return tuple(np.asarray(x) - problem.minimiser for x in (before, base, outputs["z"]))


def square(x):
    return (x**2).sum(-1)


@pytest.mark.parametrize("make", PROBLEMS)
@pytest.mark.parametrize("slower", [0.0, 0.3])
def test_the_lyapunov_function_of_robust_momentum_contracts_by_rho_squared(make, slower):
    # Cyrus, Hu, Van Scoy & Lessard, arXiv:1710.04753, proof of theorem 1; the fast end is triple momentum.
    problem = make()
    L, mu = problem.smoothness, problem.strong_convexity
    kappa = L / mu
    rho = 1 - kappa**-0.5 + slower * (kappa**-0.5 - 1 / kappa)
    method = no.robust_momentum(L, mu, rho) if slower else no.triple_momentum(L, mu)
    y, _, z = run(method, problem)
    g = np.array([problem.gradient(problem.minimiser + point) for point in y])
    f = np.array([problem.value(problem.minimiser + point) for point in y]) - problem.value(problem.minimiser)
    weight = mu**2 * (kappa - kappa * rho**2 - 1) / (2 * rho * (1 - rho))
    v = weight * square(z) + (L - mu) * (f - mu / 2 * square(y)) - square(g - mu * y) / 2
    resolved = v[1:] > 1e-11 * v[0]  # f - f* loses its digits
    assert resolved.sum() > 50
    assert np.all(v[1:][resolved] <= rho**2 * v[:-1][resolved] * (1 + 1e-6))


def general_scheme(L, mu, gamma_0):
    """Nesterov 2004, scheme (2.2.8), as a rule of the engine."""

    def alpha(gamma):
        return ((mu - gamma) + jnp.sqrt((gamma - mu) ** 2 + 4 * L * gamma)) / (2 * L)

    def numbers(count, age, gamma):
        a = alpha(gamma)
        gamma_next = (1 - a) * gamma + a * mu
        tau, tau_next = (
            a_k * gamma_k / (gamma_k + a_k * mu) for a_k, gamma_k in ((a, gamma), (alpha(gamma_next), gamma_next))
        )
        return from_coupling(tau, tau_next, a * mu / gamma_next, a / gamma_next, 1 / L), gamma_next

    return accelerate(Rule(lambda: gamma_0, numbers))


def potentials(problem, method, gammas):
    """f(x_k) - f* + gamma_k / 2 |z_k - x*|^2 for k = 0, 1, ..."""
    _, x, z = run(method, problem)
    start = problem.start - problem.minimiser
    x, z = (np.concatenate([start[None], points]) for points in (x, z))
    f = np.array([problem.value(problem.minimiser + point) for point in x]) - problem.value(problem.minimiser)
    return f + gammas / 2 * square(z)


@pytest.mark.parametrize("make", PROBLEMS)
@pytest.mark.parametrize("gamma_0", ["mu", "L", "3 L"])
def test_the_estimate_sequence_of_nesterov_contracts_by_one_minus_alpha(make, gamma_0):
    problem = make()
    L, mu = problem.smoothness, problem.strong_convexity
    gamma = {"mu": mu, "L": L, "3 L": 3 * L}[gamma_0]
    method = no.strongly_convex_nag(L, mu, stationary=True) if gamma_0 == "mu" else general_scheme(L, mu, gamma)
    gammas, alphas = [gamma], []
    for _ in range(STEPS):
        alphas.append(((mu - gammas[-1]) + np.sqrt((gammas[-1] - mu) ** 2 + 4 * L * gammas[-1])) / (2 * L))
        gammas.append((1 - alphas[-1]) * gammas[-1] + alphas[-1] * mu)
    phi = potentials(problem, method, np.array(gammas))
    resolved = phi[1:] > 1e-11 * phi[0]
    assert np.all((phi[1:] <= (1 - np.array(alphas)) * phi[:-1] * (1 + 1e-6))[resolved])
    lam = np.cumprod(1 - np.array(alphas))
    k = np.arange(1, STEPS + 1)
    bound = np.minimum((1 - np.sqrt(mu / L)) ** k, 4 * L / (2 * np.sqrt(L) + k * np.sqrt(gamma)) ** 2)
    assert np.all(lam <= bound * (1 + 1e-9))


@pytest.mark.parametrize("make", PROBLEMS)
def test_the_potential_of_linear_coupling_does_not_increase(make):
    # Allen-Zhu & Orecchia: alpha_{k+1}^2 L (f(x_k) - f*) + |z_k - x*|^2 / 2 with alpha_{k+1} = (k + 2) / (2 L)
    problem = make()
    L = problem.smoothness
    weights = (np.arange(STEPS + 1) + 1.0) * (np.arange(STEPS + 1) + 1.0) / (4 * L)
    weights[0] = 0
    phi = potentials(problem, no.linear_coupling(1 / L), 1 / np.maximum(weights, 1e-300)) * weights
    phi[0] = square(problem.start - problem.minimiser) / 2
    assert np.all(phi[1:] <= phi[:-1] * (1 + 1e-9))
