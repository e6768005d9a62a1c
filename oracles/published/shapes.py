"""The three shapes in which papers write their recursions."""

import itertools


def two_sequences(gradient, x, L, momenta, corrections=None):
    """Two sequences of Nesterov's form: x a gradient step from y, y ahead of x by momentum and correction."""
    y = x
    for k, (beta, gamma) in enumerate(zip(momenta, corrections or itertools.repeat(0.0), strict=False)):
        x_next = y - gradient(y, k) / L
        y = x_next + beta * (x_next - x) + gamma * (x_next - y)
        x = x_next
        yield y, x, None


def three_sequences(gradient, x, numbers):
    """Three sequences of the coupled form; ``numbers`` yields tau, mixing, long step and short step of every update."""
    z = x
    for k, ((tau, mixing, long, short), (tau_next, *_)) in enumerate(itertools.pairwise(numbers)):
        y = (1 - tau) * x + tau * z
        g = gradient(y, k)
        x, z = y - short * g, (1 - mixing) * z + mixing * y - long * g
        yield (1 - tau_next) * x + tau_next * z, x, z


def two_steps(gradient, xi, L, alpha, beta, gamma, delta):
    """The recursion of control theory: gradients at gamma, output at delta; base iterate the gradient step."""
    before = xi
    for k in itertools.count():
        y = xi + gamma * (xi - before)
        g = gradient(y, k)
        xi, before = xi + beta * (xi - before) - alpha * g, xi
        yield xi + gamma * (xi - before), y - g / L, xi + delta * (xi - before)
