"""Two problems to minimise, with and without multiplicative noise in the gradient.

Their functions are written for NumPy and JAX arrays alike: the point decides.
"""

import functools

import numpy as np


class Quadratic:
    """x -> (x - x*) H (x - x*) / 2, 40 random directions, condition number 1e4, smoothness 7.3."""

    smoothness, condition_number, size = 7.3, 1e4, 40
    strong_convexity = smoothness / condition_number

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

    size, samples, strong_convexity = 15, 120, 1e-3

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        self.features = rng.standard_normal((self.samples, self.size)) * np.geomspace(1, 10, self.size)
        self.signs = np.sign(self.features @ rng.standard_normal(self.size) + rng.standard_normal(self.samples))
        self.start = np.zeros(self.size)
        self.smoothness = np.linalg.norm(self.features, 2) ** 2 / (4 * self.samples) + self.strong_convexity

    def value(self, x):
        margins = self.signs * (self.features @ x)
        return np.logaddexp(0, -margins).mean() + self.strong_convexity / 2 * (x @ x)

    def gradient(self, x):
        slopes = -self.signs * self._failure(x)
        return self.features.T @ slopes / self.samples + self.strong_convexity * x

    @functools.cached_property
    def minimiser(self):
        """By Newton's method."""
        x = self.start
        for _ in range(50):
            p = self._failure(x)
            weights = p * (1 - p) / self.samples
            hessian = (self.features.T * weights) @ self.features + self.strong_convexity * np.eye(self.size)
            x = x - np.linalg.solve(hessian, self.gradient(x))
        return x

    def _failure(self, x):
        """Probability of the wrong sign."""
        return 1 / (1 + np.e ** (self.signs * (self.features @ x)))


def noisy_problems(steps, noise, seed=1):
    """Both problems, each with the factors that multiply its gradients, one for every step."""
    for problem in (Quadratic(), Logistic()):
        yield problem, 1 + noise * np.random.default_rng(seed).standard_normal(steps)
