"""Data of sparse regression, in NumPy and SciPy."""

import numpy as np
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import norm


def design(samples, features, rho, seed, density=0.2, snr=3.0):
    """A Gaussian design with neighbouring features correlated by rho, and a response of a sparse truth in noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((samples, features))
    for j in range(1, features):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * X[:, j]
    truth = np.where(rng.random(features) < density, rng.standard_normal(features), 0)
    signal, noise = X @ truth, rng.standard_normal(samples)
    return X, signal + noise * np.linalg.norm(signal) / np.linalg.norm(noise) / snr, truth


def sparse_design(samples, features, entries, seed, density=0.01):
    """A SciPy matrix like counts of words, a response of a sparse truth in noise, and the truth.

    Of so many positive entries, a third is in a thirtieth of the columns, whose norms are 1.
    """
    rng = np.random.default_rng(seed)
    at = rng.integers(0, samples, entries), (features * rng.random(entries) ** 3).astype(int)
    X = coo_matrix((abs(rng.standard_normal(entries)), at), (samples, features)).tocsc()
    X.sum_duplicates()
    X = X @ diags(1 / np.maximum(norm(X, axis=0), 1e-12))
    truth = np.where(rng.random(features) < density, 10 * rng.standard_normal(features), 0)
    return X, X @ truth + rng.standard_normal(samples), truth


def with_known_optimum(samples, features, nonzeros, seed):
    """(X, y, w) with w the minimiser of |X w - y|^2 / 2 + |w|_1.

    Nesterov, Gradient methods for minimizing composite functions, 2013, section 6: the columns of a random matrix are
    scaled until a chosen residual certifies a chosen sparse point.
    """
    rng = np.random.default_rng(seed)
    B, residual = rng.uniform(-1, 1, (samples, features)), rng.uniform(0, 1, samples)
    residual /= np.linalg.norm(residual)
    c = B.T @ residual
    order, w = np.argsort(-abs(c)), np.zeros(features)
    scale = np.where(abs(c) > 0.1, rng.uniform(0, 1, features) / abs(c), 1)
    scale[order[:nonzeros]] = 1 / abs(c[order[:nonzeros]])
    w[order[:nonzeros]] = rng.uniform(0, 1 / np.sqrt(nonzeros), nonzeros) * np.sign(c[order[:nonzeros]])
    X = B * scale
    return X, X @ w + residual, w
