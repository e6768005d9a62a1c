"""How large an error is at most, and on which functions: ``worst(q, steps)``."""

import itertools

import numpy as np

from oracles.functions import huber, kinks, quadratic
from oracles.lines import on_lines
from oracles.published import accelerated


def on_quadratic(closed_form, *others):
    """A worst case by its closed form, attained on x^2 / 2, and on ``others(q, steps)``."""

    def worst(q, steps):
        return closed_form(q, steps), [quadratic(1.0, q), *(other(q, steps) for other in others)]

    return worst


def nag_on_the_line(a):
    """The worst case of momentum (k - 1) / (k + a) by its recursion."""
    return on_lines(lambda q, gradient, x: accelerated.polynomial_nag(gradient, x, 1.0, a))


def polynomial_case(a):
    """The same by its closed form."""

    def worst(q, steps):
        largest = (a + 2) / (2 * (steps**2 + (2 * a + 1) * steps + a + 4))
        return largest, [huber(2 * largest)]

    return worst


def on_kink(weight):
    """The worst case of a method that moves by the sum of its proximal steps, ``weight(steps)``, along slope |x|: half
    the way, at the slope of which that is the worst.
    """

    def worst(q, steps):
        total = weight(steps)
        return 1 / (4 * total), [kinks(1 / (2 * total))]

    return worst


of_nag = on_lines(lambda q, gradient, x: accelerated.nag(gradient, x, 1.0))


def of_halpern(scale):
    """The worst case scale / (N + 1)^2 of an anchored method, which ends where the Huber function has its kink."""
    return lambda q, steps: (scale / (steps + 1) ** 2, [huber(1 / (steps + 1))])


def nag_weight(steps):
    """S_N, with f(x_N) - f* <= 1 / (4 S_N + 2) of Nesterov's method."""
    return (1 / of_nag(0.0, steps)[0] - 2) / 4


def of_nag_g(q, steps):
    """Four times what Nesterov's method has; from f(x_0) - f* = 1, the kink is where the slope is the gradient."""
    largest = 4 / (4 * nag_weight(steps) + 2)
    return largest, [huber(largest / (1 + largest / 2))]


def of_steps(sequence):
    """Of gradient descent with long steps: the worse of a Huber function on whose line it stays, and a parabola."""

    def worst(q, steps):
        h = np.array(sequence(steps))
        on_line, on_parabola = 1 / (4 * h.sum() + 2), np.prod(1 - h) ** 2 / 2
        cases = [(on_line, huber(2 * on_line)), (on_parabola, quadratic(1.0))]
        largest = max(on_line, on_parabola)
        return largest, [f for value, f in cases if value > largest * (1 - 1e-9)]

    return worst


def whole_silver(steps):
    """The silver steps are judged after 2^k - 1 of them only."""
    return 2 ** int(np.log2(steps + 1)) - 1


def rho(q):
    """The rate of the triple momentum method."""
    return 1 - q**0.5


def nth(iterator, n):
    """Its n-th element."""
    return next(itertools.islice(iterator, n, None))


def theta(steps):
    """theta_N of OGM's ordinary sequence."""
    return nth(accelerated.t_sequence(), steps)


def item_at(q, steps):
    """(A_N, beta_N) of ITEM."""
    A, beta, _ = nth(accelerated.item_sequence(q), steps)
    return A, beta


def convex(method):
    """A published method, as `on_lines` calls it."""
    return lambda q, gradient, x: method(gradient, x, 1.0)


def with_q(method):
    """The same of a method that knows q."""
    return lambda q, gradient, x: method(gradient, x, 1.0, q)


BOTH = ("right", "left")
