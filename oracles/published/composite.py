"""Methods for composite problems, as their papers print them, and those that estimate the curvature themselves.

Generators like the others, but for their arguments; a gradient here is a function of the point alone.
"""

import itertools

import numpy as np

from oracles.published.accelerated import last_theta, t_sequence


def nesterov_momenta():
    """Beck & Teboulle: (t_k - 1) / t_{k+1} from t_1 = 1."""
    return ((a - 1) / b for a, b in itertools.pairwise(t_sequence()))


def chambolle_pock_momenta(s, mu_f, mu_g):
    """Algorithm 5 of Chambolle & Pock 2016: beta_k for k = 1, 2, ... from t_0 = 0."""
    mu = mu_f + mu_g
    q, t = s * mu / (1 + s * mu_g), 1.0
    while True:
        t_next = (1 - q * t**2 + np.sqrt((1 - q * t**2) ** 2 + 4 * t**2)) / 2
        yield (t - 1) / t_next * (1 + s * mu_g - t_next * s * mu) / (1 - s * mu_f)
        t = t_next


def fista(gradient, prox, x, s, momenta, restart=False):
    """Beck & Teboulle, with O'Donoghue & Candes' restart; ``momenta()`` starts them anew. Yields y and x."""
    y, betas = x, momenta()
    while True:
        x_next = prox(y - s * gradient(y), s)
        if restart and (y - x_next) @ (x_next - x) > 0:
            y, betas = x_next, momenta()
        else:
            y = x_next + next(betas) * (x_next - x)
        x = x_next
        yield y, x


def monotone_fista(value, gradient, prox, x, s):
    """Beck & Teboulle's MFISTA. Yields y, x, and whether the new point was rejected."""
    y = x
    for t, t_next in itertools.pairwise(t_sequence()):
        z = prox(y - s * gradient(y), s)
        x_next = z if value(z) <= value(x) else x
        y = x_next + t / t_next * (z - x_next) + (t - 1) / t_next * (x_next - x)
        rejected, x = x_next is x, x_next
        yield y, x, rejected


def optista_thetas(horizon):
    """theta_0, ..., theta_N of Jang, Das Gupta & Ryu: those of OGM, the last one included."""
    return [*itertools.islice(t_sequence(), horizon), last_theta(horizon)]


def optista(gradient, prox, x, L, horizon):
    """Jang, Das Gupta & Ryu's OptISTA, in its three sequences. Yields x and y; it ends after ``horizon`` updates."""
    thetas = optista_thetas(horizon)
    square = thetas[-1] ** 2
    y = z = x
    for theta, following in itertools.pairwise(thetas):
        gamma = 2 * theta * (square - 2 * theta**2 + theta) / square
        y_next = prox(y - gamma / L * gradient(x), gamma / L)
        z_next = x + (y_next - y) / gamma
        x = z_next + (theta - 1) / following * (z_next - z) + theta / following * (z_next - x)
        y, z = y_next, z_next
        yield x, y


def pogm(gradient, prox, x, s, horizon=None, restart=False):
    """Taylor, Hendrickx & Glineur's POGM, in the notation and with the restart of Kim & Fessler. Yields x,
    and whether it restarts there.
    """
    t, zeta = 1.0, s
    u = y = z = x
    for k in itertools.count(1):
        t_next = (1 + np.sqrt(1 + (8 if k == horizon else 4) * t**2)) / 2
        beta, gamma = (t - 1) / t_next, t / t_next
        g = gradient(x)
        u_next = x - s * g
        z_next = u_next + beta * (u_next - u) + gamma * (u_next - x) - beta * s / zeta * (x - z)
        zeta = s * (1 + beta + gamma)
        x_next = prox(z_next, zeta)
        mapping = g - (x_next - z_next) / zeta
        y_next = x - s * mapping
        restarts = restart and -mapping @ (y_next - y) < 0
        t = 1.0 if restarts else t_next
        u, x, y, z = u_next, x_next, y_next, z_next
        yield x, restarts


def proximal_gradient(gradient, prox, x, steps):
    """Forward and backward, with the steps of an iterable. Yields x."""
    for s in steps:
        x = prox(x - s * gradient(x), s)
        yield x


def adanag(value, gradient, x, L):
    """Suh & Ma's three sequences. Yields x."""

    def tau(k):
        return (k + 14) / 12

    def alpha(k):
        return 0.5 * ((tau(k + 1) - 1) / tau(k)) ** 2

    def A(k):
        return 0.0 if k < 0 else (k + 3) * (k + 4) ** 2 / (288 * (k + 15))

    def B(k):
        return (alpha(k) * tau(k)) ** 2

    s = A(0) * 27 / (2 * 15 * (2 * 144 + 8 * 12 + 17)) / (alpha(0) * tau(0) * alpha(1) * L)
    z = x
    for k in itertools.count():
        g = gradient(x)
        y = x - s * g
        z = z - alpha(k) * tau(k) * s * g
        x_next = (1 - 1 / tau(k + 1)) * y + z / tau(k + 1)
        g_next = gradient(x_next)
        L = ((g_next - g) ** 2).sum() / (2 * (value(x) - value(x_next) - g_next @ (x - x_next)))
        s = min((A(k - 1) + alpha(k) * tau(k)) / A(k) * s, 1 / (L * (A(k) / B(k) + 2 * B(k + 1) / A(k))))
        x = x_next
        yield x


def ac_fgm(value, gradient, prox, x, L, beta=1 - 6**0.5 / 3, alpha=0.1):
    """Li & Lan's loop, as their code has it. Yields x."""
    eta, y = 1 / (2.5 * L), x
    x_new = prox(x - eta * gradient(x), eta)
    yield x_new
    f, g, x = value(x_new), gradient(x_new), x_new
    eta, tau_old, tau = min((1 - beta) * eta, 1 / (4 * L)), 0.0, 1.0
    while True:
        eta = min(4 / 3 * eta, (tau_old + 1) / tau * eta, tau / (4 * L))
        tau_old, tau = tau, tau + 2 * (1 - alpha) * eta * L / tau + alpha / 2
        z = prox(y - eta * g, eta)
        y = (1 - beta) * y + beta * z
        x_new = (z + tau * x) / (1 + tau)
        f_new, g_new = value(x_new), gradient(x_new)
        L = ((g_new - g) ** 2).sum() / (2 * (f - f_new - g_new @ (x - x_new)))
        f, g, x = f_new, g_new, x_new
        yield x


def graal(value, gradient, x, L, theta, gamma):
    """Accelerated GRAAL of Borodich & Kovalev, from eta_0 = nu / L. Yields xt and xb.

    While step sizes grow as they may, beta is 1, and xb is xt: rounding must not come between them.
    """
    nu = gamma / (4 * theta * (1 + gamma) ** 2)

    def Lambda(a, b):
        change = gradient(a) - gradient(b)
        if not change.any():
            return np.inf
        return 2 * (value(a) - value(b) - gradient(b) @ (a - b)) / (change @ change)

    eta = eta_old = H = H_old = nu / L
    beta, xt, xb = 1.0, x, x
    while True:
        alpha = (1 + gamma) * eta / (H + (1 + gamma) * eta)
        x, x_old = x - eta * gradient(xt), x
        xb = beta * xt + (1 - beta) * xb
        xt, xt_old = alpha * (x + theta * (x - x_old)) + (1 - alpha) * xb, xt
        yield xt, xb
        shortest = min(Lambda(xb, xt_old), Lambda(xb, xt))
        eta, eta_old = min((1 + gamma) * eta, nu * H_old * shortest / eta_old), eta
        H, H_old = H + eta, H
        beta = 1.0 if eta == (1 + gamma) * eta_old else eta / (alpha * H)
