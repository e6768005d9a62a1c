"""Deterministic acceleration, as its papers print it: the smoothness, and often the strong convexity, is known."""

import itertools

import numpy as np

from oracles.published.shapes import three_sequences, two_sequences, two_steps

# Scalars


def t_sequence():
    """t_0 = 1, t_1, ... of Nesterov 1983."""
    t = 1.0
    while True:
        yield t
        t = (1 + np.sqrt(1 + 4 * t**2)) / 2


def last_theta(steps):
    """theta_N of OGM, whose last step is a longer one; N = ``steps``."""
    *_, before = itertools.islice(t_sequence(), steps)
    return (1 + np.sqrt(1 + 8 * before**2)) / 2


def ogm_g_thetas(horizon):
    """theta_0, ..., theta_N of OGM-G, computed from the end, and a 0 behind them."""
    thetas = [0.0, 1.0]
    for k in reversed(range(horizon)):
        thetas.append((1 + np.sqrt(1 + (4 if k else 8) * thetas[-1] ** 2)) / 2)
    return thetas[::-1]


def item_sequence(q):
    """(A_k, beta_k, delta_k) of ITEM."""
    A = 0.0
    while True:
        root = np.sqrt((1 + A) * (1 + q * A))
        A_next = ((1 + q) * A + 2 * (1 + root)) / (1 - q) ** 2
        yield A, A / ((1 - q) * A_next), (1 + root) / (1 + q + q * A)
        A = min(A_next, 1e250)  # where it would overflow, the numbers have long converged


# Methods with their momentum in the open


def nag(gradient, x, L):
    """Nesterov 1983, as FISTA has it."""
    t = t_sequence()
    return two_sequences(gradient, x, L, ((a - 1) / b for a, b in itertools.pairwise(t)))


def polynomial_nag(gradient, x, L, a):
    """Su, Boyd & Candes (a = 2), Chambolle & Dossal: momentum (k - 1) / (k + a) after the k-th gradient."""
    return two_sequences(gradient, x, L, ((k - 1) / (k + a) for k in itertools.count(1)))


def constant_nag(gradient, x, L, q):
    """Nesterov 2018, (2.2.22)."""
    return two_sequences(gradient, x, L, itertools.repeat((1 - np.sqrt(q)) / (1 + np.sqrt(q))))


def ogm(gradient, x, L):
    """Kim & Fessler, OGM1, with ordinary thetas."""
    momenta, corrections = itertools.tee(itertools.pairwise(t_sequence()))
    return two_sequences(gradient, x, L, ((a - 1) / b for a, b in momenta), (a / b for a, b in corrections))


def heavy_ball(gradient, x, L, alpha, beta):
    """Polyak 1964."""
    before = x
    for k in itertools.count():
        x, before = x - alpha / L * gradient(x, k) + beta * (x - before), x
        yield x, x, None


# Methods with two steps coupled


def strongly_convex_nag(gradient, x, L, q):
    """d'Aspremont, Scieur & Taylor, section 4.5."""

    def numbers():
        A = 0.0
        while True:
            A_next = (2 * A + 1 + np.sqrt(4 * A + 4 * q * A**2 + 1)) / (2 * (1 - q))
            tau = (A_next - A) * (1 + q * A) / (A_next + 2 * q * A * A_next - q * A**2)
            delta = (A_next - A) / (1 + q * A_next)
            yield tau, q * delta, delta / L, 1 / L
            A = min(A_next, 1e120)  # A^2 must not overflow; the numbers have long converged

    return three_sequences(gradient, x, numbers())


def item(gradient, x, L, q):
    """Taylor & Drori."""
    return three_sequences(
        gradient, x, ((1 - beta, q * delta, delta / L, 1 / L) for _, beta, delta in item_sequence(q))
    )


def ogm_g(gradient, x, L, horizon):
    """Kim & Fessler, OGM-G, in the coupled form; it ends after ``horizon`` updates."""
    thetas = ogm_g_thetas(horizon)

    def numbers():
        for k, (theta, following) in enumerate(itertools.pairwise(thetas)):
            yield (1 - following**4 / theta**4 if k else 1.0), 0.0, (theta if k else (theta + 1) / 2) / L, 1 / L

    return three_sequences(gradient, x, numbers())


def nag_g(gradient, x, L, horizon):
    """Nesterov 1983, f judged after ``horizon`` steps, transposed along the antidiagonal: the H-dual of Kim, Ozdaglar,
    Park & Ryu.
    """
    points = [np.zeros(horizon)]  # of Nesterov's method, fed unit vectors
    for y, x_next, _ in itertools.islice(nag(lambda y, k: np.eye(horizon)[k], points[0], 1.0), horizon):
        points.append(x_next if len(points) == horizon else y)
    moves = np.diff(points, axis=0)[::-1, ::-1].T
    gradients = []
    for k in range(horizon):
        gradients.append(gradient(x, k))
        short = x - gradients[-1] / L
        x = x + sum(move * g for move, g in zip(moves[k], gradients, strict=False)) / L
        yield x, short, None


def linear_coupling(gradient, x, L):
    """Allen-Zhu & Orecchia, Euclidean."""
    return three_sequences(gradient, x, ((2 / (k + 2), 0, (k + 2) / (2 * L), 1 / L) for k in itertools.count()))


# Methods of control theory


def triple_momentum(gradient, x, L, q):
    """Van Scoy, Freeman & Lynch."""
    rho = 1 - np.sqrt(q)
    beta, gamma, delta = rho**2 / (2 - rho), rho**2 / ((1 + rho) * (2 - rho)), rho**2 / (1 - rho**2)
    return two_steps(gradient, x, L, (1 + rho) / L, beta, gamma, delta)


def robust_momentum(gradient, x, L, q, rho):
    """Cyrus, Hu, Van Scoy & Lessard."""
    kappa = 1 / q
    alpha, beta = kappa * (1 - rho) ** 2 * (1 + rho) / L, kappa * rho**3 / (kappa - 1)
    gamma, delta = rho**3 / ((kappa - 1) * (1 - rho) ** 2 * (1 + rho)), rho**2 / (1 - rho**2)
    return two_steps(gradient, x, L, alpha, beta, gamma, delta)
