"""Methods that move by a map of a velocity, as their papers or their authors' code print them, in matrices
[outputs, inputs] as PyTorch has them.
"""

import itertools

import numpy as np

QUINTIC = (3.4445, -4.7750, 2.0315)


def newton_schulz(G, steps=5):
    """Jordan et al., their code: five times the same polynomial, of the wide form of the matrix."""
    a, b, c = QUINTIC
    X = G.T if G.shape[0] > G.shape[1] else G
    X = X / (np.linalg.norm(X) + 1e-7)
    for _ in range(steps):
        A = X @ X.conj().T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if G.shape[0] > G.shape[1] else X


def muon(gradient, W, L, rate, mu, decay=0.0, nesterov=True):
    """Jordan et al., their code, for one matrix."""
    buffer, (outputs, inputs) = 0 * W, W.shape
    for k in itertools.count():
        g = gradient(W, k)
        buffer = buffer + (1 - mu) * (g - buffer)
        update = g + mu * (buffer - g) if nesterov else buffer
        update = newton_schulz(update) * max(1, outputs / inputs) ** 0.5
        W = W * (1 - rate * decay) - rate * update
        yield W, None, None


def normuon(gradient, W, L, rate, b1, b2, nesterov=True):
    """Li et al., Algorithm 1, with the Nesterov step of their code; v is divided by the sum of its weights, and rates
    are those of the orthogonalised matrix without a factor of the shape.
    """
    buffer, v, weight = 0 * W, np.zeros((W.shape[0], 1)), 0.0
    for k in itertools.count():
        g = gradient(W, k)
        buffer = b1 * buffer + (1 - b1) * g
        orthogonal = newton_schulz(b1 * buffer + (1 - b1) * g if nesterov else buffer)
        v = b2 * v + (1 - b2) * np.mean(orthogonal**2, axis=1, keepdims=True)
        weight = b2 * weight + (1 - b2)
        even = orthogonal / np.sqrt(v / weight)
        W = W - rate * even * np.linalg.norm(orthogonal) / np.linalg.norm(even)
        yield W, None, None


def lion(gradient, y, L, rate, b1, b2, decay=0.0):
    """Chen et al., Algorithm 2."""
    m = 0 * y
    for k in itertools.count():
        g = gradient(y, k)
        c = b1 * m + (1 - b1) * g
        y = y - rate * (np.sign(c) + decay * y)
        m = b2 * m + (1 - b2) * g
        yield y, y, None


def signum(gradient, y, L, rate, mu):
    """Bernstein et al., Algorithm 2."""
    m = 0 * y
    for k in itertools.count():
        m = mu * m + (1 - mu) * gradient(y, k)
        y = y - rate * np.sign(m)
        yield y, y, None


def ema_nesterov(gradient, x, L, rate, beta, gamma):
    """EMA-Nesterov, https://arxiv.org/abs/2605.25395, around gradient descent; beta is a function of the step."""
    m = 0 * x
    for k in itertools.count():
        y = x + beta(k) * m
        new = y - rate / L * gradient(y, k)
        m = gamma * m + (1 - gamma) * (new - x)
        x = new
        yield x + beta(k + 1) * m, x, None


def mars(gradient, y, L, rate, b1, gamma):
    """MARS without clipping, https://arxiv.org/abs/2411.10438, from a last gradient of 0; it moves by its velocity."""
    m, last = 0 * y, 0 * y
    for k in itertools.count():
        g = gradient(y, k)
        c = g + gamma * b1 / (1 - b1) * (g - last)
        m, last = b1 * m + (1 - b1) * c, g
        y = y - rate / L * m
        yield y, y, None


def best_odd_quintic(lower, upper):
    """(a, b, c) of the a x + b x^3 + c x^5 that is nearest to 1 on [lower, upper], by Remez' exchange."""
    x = (lower + upper - (upper - lower) * np.cos(np.pi * np.arange(4) / 3)) / 2
    a = b = c = np.nan
    for _ in range(100):
        a, b, c, _ = np.linalg.solve(np.column_stack([x, x**3, x**5, (-1.0) ** np.arange(4)]), np.ones(4))
        inner = np.sqrt(np.sort(np.roots([5 * c, 3 * b, a]).real))
        x = np.array([lower, *inner, upper])
    return a, b, c
