"""Functions to minimise: the theory's worst cases in one dimension, and two larger problems with and without noise.

One-dimensional functions have smoothness 1, their minimum 0 at 0, and are started from 1.
"""

import numpy as np


def huber(x, delta, strong_convexity=0.0, xp=np):
    """x^2 / 2 up to delta, then a line of slope delta (growing by the strong convexity)."""
    outside = xp.maximum(xp.abs(x) - delta, 0)
    inside = xp.minimum(xp.abs(x), delta)
    return inside**2 / 2 + delta * outside + strong_convexity * outside**2 / 2


def huber_gradient(x, delta, strong_convexity=0.0, xp=np):
    """Derivative of `huber`."""
    outside = xp.maximum(xp.abs(x) - delta, 0)
    return xp.sign(x) * (xp.minimum(xp.abs(x), delta) + strong_convexity * outside)


def one_sided(x, delta, strong_convexity=0.0, xp=np):
    """x^2 / 2 to the right of -delta, a line of slope -delta (growing by the strong convexity) to the left."""
    return xp.where(x > -delta, x**2 / 2, huber(x, delta, strong_convexity, xp))


def one_sided_gradient(x, delta, strong_convexity=0.0, xp=np):
    """Derivative of `one_sided`."""
    return xp.where(x > -delta, x, huber_gradient(x, delta, strong_convexity, xp))


def quadratic(x, curvature, xp=np):
    """A parabola, curvature x^2 / 2."""
    return curvature * x**2 / 2


def quadratic_gradient(x, curvature, xp=np):
    """Derivative of `quadratic`."""
    return curvature * x


class Quadratic:
    """x -> (x - x*) H (x - x*) / 2, 40 random directions, condition number 1e4, smoothness 7.3."""

    smoothness, condition_number, size = 7.3, 1e4, 40

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        basis, _ = np.linalg.qr(rng.standard_normal((self.size, self.size)))
        eigenvalues = self.smoothness * np.geomspace(1 / self.condition_number, 1, self.size)
        self.hessian = (basis * eigenvalues) @ basis.T
        self.minimiser = rng.standard_normal(self.size)
        self.start = rng.standard_normal(self.size)

    def value(self, x):
        return 0.5 * (x - self.minimiser) @ self.hessian @ (x - self.minimiser)

    def gradient(self, x):
        return self.hessian @ (x - self.minimiser)


class Logistic:
    """l2-regularised logistic regression, 120 samples, 15 features."""

    size, samples, regularisation = 15, 120, 1e-3

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        self.features = rng.standard_normal((self.samples, self.size)) * np.geomspace(1, 10, self.size)
        self.signs = np.sign(self.features @ rng.standard_normal(self.size) + rng.standard_normal(self.samples))
        self.start = np.zeros(self.size)
        self.smoothness = np.linalg.norm(self.features, 2) ** 2 / (4 * self.samples) + self.regularisation

    def gradient(self, x):
        # Written for NumPy and JAX arrays alike: x decides.
        margins = self.signs * (self.features @ x)
        sigmoid = 1 / (1 + 2.718281828459045**margins)
        return -self.features.T @ (self.signs * sigmoid) / self.samples + self.regularisation * x


def oracles(steps, noise, seed=1):
    """(name, gradient(x, k, factors), start, smoothness, factors): both problems, with multiplicative noise in each
    gradient.
    """
    for problem in (Quadratic(), Logistic()):
        factors = 1 + noise * np.random.default_rng(seed).standard_normal(steps)
        yield problem, factors
