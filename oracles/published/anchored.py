"""Methods for fixed points, proximal points and games, as their papers print them.

The first argument of most is a residual, (point, update) -> point - map(point).
"""

import itertools

from oracles.published.accelerated import t_sequence


def halpern(residual, x):
    """Halpern with Lieder's constants: back to the start by 1 / (k + 2)."""
    anchor = x
    for k in itertools.count():
        x = anchor / (k + 2) + (k + 1) / (k + 2) * (x - residual(x, k))
        yield x, x, None


def of_gradients(gradient, x, L):
    """The same for the map that goes 2 / L along the gradient."""
    return halpern(lambda x, k: 2 / L * gradient(x, k), x)


def appm(residual, y):
    """Kim's accelerated proximal point method. Yields y and x, the resolvent at the last y."""
    x, y_before = y, y
    for k in itertools.count():
        x_next = y - residual(y, k)
        y_next = x_next + k / (k + 2) * (x_next - x) - k / (k + 2) * (x - y_before)
        x, y_before, y = x_next, y, y_next
        yield y, x, None


def guler(residual, y):
    """Guler's second accelerated proximal point method. Yields y and x, the proximal map at the last y."""
    x = y
    for k, (t, t_next) in enumerate(itertools.pairwise(t_sequence())):
        x_next = y - residual(y, k)
        y = x_next + (t - 1) / t_next * (x_next - x) + t / t_next * (x_next - y)
        x = x_next
        yield y, x, None


def feg(operator, z, L):
    """Lee & Kim's FEG for monotone operators. Yields the point after every evaluation, and the last whole z_k."""
    z_0 = z
    for k in itertools.count():
        b = 1 / (k + 1)
        ahead = z + b * (z_0 - z) - (1 - b) / L * operator(z, 2 * k)
        yield ahead, z, None
        z = z + b * (z_0 - z) - operator(ahead, 2 * k + 1) / L
        yield z, z, None
