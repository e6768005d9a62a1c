"""Outer methods and averages around gradient descent, as their papers or their authors' code print them."""

import itertools


def outer_nesterov(gradient, x, L, rate, period, eta, mu):
    """SNOO, https://arxiv.org/abs/2510.15830; without momentum Lookahead, https://arxiv.org/abs/1907.08610. The base
    iterate is that of the outer method.
    """
    slow, fast, b = x, x, 0 * x
    for k in itertools.count():
        fast = fast - rate / L * gradient(fast, k)
        if (k + 1) % period == 0:
            s = slow - fast
            b = mu * b + s
            slow = fast = slow - eta * (mu * b + s)
        yield fast, slow + eta * mu * b, None


def gpa(gradient, x, L, rate, mu_x, mu_y):
    """Generalized primal averaging, https://arxiv.org/abs/2512.17131, around gradient descent."""
    y = z = x
    for k in itertools.count():
        z = z - rate / L * gradient(y, k)
        x = mu_x * x + (1 - mu_x) * z
        y = mu_y * x + (1 - mu_y) * z
        yield y, x, z


def schedule_free(gradient, x, L, rate, beta, r, p, warmup):
    """Schedule-Free SGD, https://arxiv.org/abs/2405.15682, with the warm-up and the weights of the authors' code."""
    y, z, total, largest = x, x, 0.0, 0.0
    for k in itertools.count():
        step = rate / L * min(1.0, (k + 1) / warmup)
        largest = max(largest, step)
        weight = (k + 1) ** r * largest**p
        total += weight
        z = z - step * gradient(y, k)
        x = x + weight / total * (z - x)
        y = (1 - beta) * z + beta * x
        yield y, x, z
