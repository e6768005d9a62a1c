"""Methods for gradients of small batches, as their papers or their authors' code print them."""

import itertools

import numpy as np

from oracles.published.shapes import three_sequences


def qhm(gradient, y, L, alpha, beta, nu):
    """Ma & Yarats, Algorithm 1."""
    m = 0 * y
    for k in itertools.count():
        g = gradient(y, k)
        m = beta * m + (1 - beta) * g
        y = y - alpha / L * ((1 - nu) * g + nu * m)
        yield y, y, None


def agg_mo(gradient, y, L, gamma, betas):
    """Lucas et al., (4)-(5)."""
    velocities = [0 * y for _ in betas]
    for k in itertools.count():
        g = gradient(y, k)
        velocities = [beta * v - g for beta, v in zip(betas, velocities, strict=True)]
        y = y + gamma / L / len(betas) * sum(velocities)
        yield y, y, None


def acc_sgd(gradient, y, L, rate, kappa, xi, c0):
    """Kidambi et al., as their code has it."""
    alpha = 1 - c0**2 * xi / kappa
    beta, w, short = 1 - alpha, y, rate / L
    zeta = c0 / (c0 + beta)
    for k in itertools.count():
        g = gradient(y, k)
        w = alpha * w + beta * y - beta * (short * kappa / c0) * g
        x = y - short * g
        y = zeta * x + (1 - zeta) * w
        yield y, x, w


def mass(gradient, u, L, rate, alpha, kappa):
    """Liu & Belkin, as their code has it."""
    w, eta = u, rate / L
    gamma, delta = (1 - alpha) / (1 + alpha), eta / (alpha * kappa)
    compensation = (eta - alpha * delta) / (1 + alpha)
    for k in itertools.count():
        g = gradient(u, k)
        w_next = u - eta * g
        u, w = (1 + gamma) * w_next - gamma * w + compensation * g, w_next
        yield u, w, None


def agnes(gradient, x, L, alpha, eta, rho):
    """Gupta, Siegel & Wojtowytsch, as their code has it."""
    v, y = 0 * x, x
    for k in itertools.count():
        g = gradient(y, k)
        x, v = y - eta / L * g, rho * (v - g)
        y = x + alpha / L * v
        yield y, x, None


def snag(gradient, x, L, q, growth):
    """Vaswani, Bach & Schmidt, strongly convex."""
    s = np.sqrt(q) / growth
    constant = (s / (1 + s), s, 1 / (growth * np.sqrt(q) * L), 1 / (growth * L))
    return three_sequences(gradient, x, itertools.repeat(constant))


# Adaptive methods


def nadam(gradient, y, L, rate, b1, b2, eps, psi):
    """Dozat, with the first moment and the products of PyTorch."""

    def mu(t):
        return b1 * (1 - 0.5 * 0.96 ** (psi * t))

    m, n, product = 0 * y, 0 * y, 1.0
    for k in itertools.count():
        g, t = gradient(y, k), k + 1
        m, n, product = b1 * m + (1 - b1) * g, b2 * n + (1 - b2) * g**2, product * mu(t)
        direction = mu(t + 1) * m / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product)
        y = y - rate * direction / (np.sqrt(n / (1 - b2**t)) + eps)
        yield y, y, None


def adan(gradient, y, L, rate, b1, b2, b3, eps, decay):
    """Xie et al., Algorithm 1, with the authors' decays and bias corrections."""
    m, v, n, last = 0 * y, 0 * y, 0 * y, None
    for k in itertools.count():
        g, t = gradient(y, k), k + 1
        difference = g - (g if last is None else last)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * difference
        n = b3 * n + (1 - b3) * (g + b2 * difference) ** 2
        direction = m / (1 - b1**t) + b2 * v / (1 - b2**t)
        y = (y - rate * direction / (np.sqrt(n / (1 - b3**t)) + eps)) / (1 + rate * decay)
        last = g
        yield y, y, None
