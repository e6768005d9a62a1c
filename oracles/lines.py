"""Where a worst case lies: on a straight line, most often, and there it is the vertex of a parabola.

A worst function often keeps all gradients but the first on one line, g = q y + (1 - q) delta with the kink at delta.
The final point is then affine in delta, its value a parabola in delta, and the worst delta the parabola's vertex. In
float64 all this is good to about 1e-20 of the initial error.
"""

import functools
import itertools

import numpy as np

from oracles.functions import huber, one_sided


def on_lines(published_method, sides=("right",), point=1, normalised=False):
    """The worst case on a function whose kink, at delta, is on one side: ``worst(q, steps)`` gives the largest error
    and the functions that attain it.

    On the right, a Huber function, every gradient is the line's. On the left, a one-sided function, the first one is
    that of the parabola, whose full step lands on the minimum, and momentum carries all others over the kink.
    ``point`` picks from what the published method, ``published_method(q, gradient, start)``, yields; ``normalised``
    divides by f(1) - f* + q/2.
    """
    families = {"right": huber, "left": one_sided}

    def worst(q, steps):
        cases = []
        for side in sides if steps > 1 else ("right",):
            error = _parabola(*_on_the_line(functools.partial(published_method, q), q, steps, side, point), q)
            start = np.array([1.0, 0.0, 0.0])
            if normalised:
                start = _parabola(1.0, 0.0, q) if side == "right" else np.array([0.5, 0.0, 0.0])
                start[0] += q / 2
            cases += [(largest, families[side](delta, q)) for largest, delta in _largest_quotient(error, start)]
        if not cases:
            raise ValueError(f"the worst case at q = {q:g} after {steps} steps is too small for float64.")
        largest, function = max(cases, key=lambda case: case[0])
        return largest, [function]

    return worst


def _on_the_line(published_method, q, steps, side, point):
    """(a, b) with |x_N| = a + b delta."""
    kink, sign = np.array([0.0, 1.0]), 1 if side == "right" else -1

    def gradient(y, k):
        return y if side == "left" and k == 0 else q * y + sign * (1 - q) * kink

    *_, final = itertools.islice(published_method(gradient, np.ones(2)), steps)
    at_0, at_1 = sign * final[point]
    return at_0, at_1 - at_0


def _parabola(a, b, q):
    """(c0, c1, c2) of f = c0 + c1 delta + c2 delta^2 at a point |x| = a + b delta on the line beyond delta."""
    return np.array([q * a**2 / 2, a * (1 + q * (b - 1)), 0.5 + (b - 1) + q * (b - 1) ** 2 / 2])


def _largest_quotient(n, d):
    """(value, delta) where the quotient of two parabolas is stationary in (0, 1)."""
    roots = np.roots([n[2] * d[1] - n[1] * d[2], 2 * (n[2] * d[0] - n[0] * d[2]), n[1] * d[0] - n[0] * d[1]])
    deltas = [root.real for root in roots if abs(root.imag) < 1e-9 * abs(root) and 0 < root.real < 1]
    return [(np.polyval(n[::-1], delta) / np.polyval(d[::-1], delta), delta) for delta in deltas]
