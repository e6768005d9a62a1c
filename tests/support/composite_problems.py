"""Composite problems with a known answer, in NumPy, and smooth functions for `minimize`."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from oracles.lassos import with_known_optimum


class Lasso(NamedTuple):
    """|X w - y|^2 / 2 + strength |w|_1."""

    X: np.ndarray
    y: np.ndarray
    strength: float

    @property
    def smoothness(self):
        return np.linalg.norm(self.X, 2) ** 2

    def smooth(self, w):
        return 0.5 * ((self.X @ w - self.y) ** 2).sum()

    def value(self, w):
        return self.smooth(w) + self.strength * abs(w).sum()

    def gradient(self, w):
        return self.X.T @ (self.X @ w - self.y)

    def prox(self, v, step):
        return v - np.clip(v, -step * self.strength, step * self.strength)

    def relative_duality_gap(self, w):
        """(primal - dual) / primal, at the residual scaled into the dual's feasible set."""
        residual = self.y - self.X @ w
        dual = residual * min(1, self.strength / abs(self.X.T @ residual).max())
        return (self.value(w) - 0.5 * (self.y @ self.y - ((self.y - dual) ** 2).sum())) / self.value(w)


def lasso(samples=60, features=100, share=0.1, seed=0):
    """A LASSO with correlated features; ``share`` of the strength that makes everything 0."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((samples, features))
    for j in range(1, features):
        X[:, j] = 0.6 * X[:, j - 1] + 0.8 * X[:, j]
    truth = np.where(rng.random(features) < 0.2, rng.standard_normal(features), 0)
    y = X @ truth + 0.3 * rng.standard_normal(samples)
    return Lasso(X, y, share * abs(X.T @ y).max())


def lasso_with_known_optimum():
    """Nesterov's, and its solution."""
    X, y, solution = with_known_optimum(samples=50, features=120, nonzeros=10, seed=0)
    return Lasso(X, y, 1.0), solution


def least_squares(X, y):
    return lambda w: 0.5 * jnp.sum((X @ w - y) ** 2)


def smooth_quadratic(x):
    return 0.5 * jnp.sum(jnp.linspace(0.01, 1, x.size) * (x - 1) ** 2)
