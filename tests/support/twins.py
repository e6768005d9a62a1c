"""NumPy float64 twins: the methods as their papers print them, in all their sequences, independent of the library."""

import itertools

import numpy as np

from oracles.published.accelerated import t_sequence


def sutskever(gradient, theta, momentum, learning_rate, lookahead, steps):
    """NAG of Sutskever et al. 2013, (3)-(4), with a lookahead strength. Arguments are functions of t; returns thetas
    and gradient points.
    """
    velocity = np.zeros_like(theta)
    thetas, points = [theta], [theta]
    for t in range(steps):
        g = gradient(theta + lookahead(t) * momentum(t) * velocity, t)
        velocity = momentum(t) * velocity - learning_rate(t) * g
        theta = theta + velocity
        thetas.append(theta)
        points.append(theta + lookahead(t + 1) * momentum(t + 1) * velocity)
    return np.array(thetas), np.array(points)


def keras_nesterov(gradient, variable, momentum, learning_rate, steps):
    """The update of keras.optimizers.SGD(nesterov=True), as its source computes it."""
    m = np.zeros_like(variable)
    variables = [variable]
    for t in range(steps):
        g = gradient(variable, t)
        m = m * momentum - g * learning_rate(t)
        variable = variable + m * momentum - g * learning_rate(t)
        variables.append(variable)
    return np.array(variables)


def torch_nesterov(gradient, param, momentum, learning_rate, steps):
    """The update of torch.optim.SGD(nesterov=True), as its source computes it."""
    buffer, params = None, [param]
    for t in range(steps):
        grad = gradient(param, t)
        buffer = grad if buffer is None else momentum * buffer + grad
        param = param - learning_rate(t) * (grad + momentum * buffer)
        params.append(param)
    return np.array(params)


def fista_momentum(steps):
    """beta_1, beta_2, ... of Beck & Teboulle: (t_k - 1) / t_{k+1}, t_1 = 1."""
    t = itertools.islice(t_sequence(), steps + 1)
    return [(before - 1) / after for before, after in itertools.pairwise(t)]


def restarted_fista(gradient, start, step_length, steps, restart, value=lambda x: 0.0):
    """Algorithm 1 of O'Donoghue & Candes 2012 (q = 0, so beta as in FISTA) with their function or gradient scheme.

    On a restart after x_{k+1} the algorithm begins again from x_{k+1}: y_{k+1} = x_{k+1}, theta = 1. Returns xs and
    restart times (k + 1).
    """
    betas = fista_momentum(steps + 1)
    x, y, j, xs, times = start, start, 0, [start], []
    for k in range(steps):
        g = gradient(y)
        x_next = y - step_length * g
        if (restart == "gradient" and g @ (x_next - x) > 0) or (restart == "value" and value(x_next) > value(x)):
            y, j = x_next, 0
            times.append(k + 1)
        else:
            y, j = x_next + betas[j] * (x_next - x), j + 1
        x = x_next
        xs.append(x)
    return np.array(xs), times


def speed_restarted(gradient, start, step_length, steps, k_min=10):
    """Algorithm 1 of Su, Boyd & Candes 2015: speed restart of the (j - 1) / (j + 2) sequence. Returns xs and restart
    times.
    """
    x, y, j, xs, times, last_speed = start, start, 1, [start], [], 0.0
    for k in range(steps):
        x_next = y - step_length * gradient(y)
        y = x_next + (j - 1) / (j + 2) * (x_next - x)
        speed = np.linalg.norm(x_next - x)
        if speed < last_speed and j >= k_min:
            j = 1
            times.append(k + 1)
        else:
            j += 1
        x, last_speed = x_next, speed
        xs.append(x)
    return np.array(xs), times
