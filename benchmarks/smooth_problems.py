"""Ten smooth convex problems of 50 to 100 params, for the methods that need no step size."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from jax import Array


class SmoothProblem(NamedTuple):
    """A function, and what is known of it.

    Attributes:
      value: of params, an array [n].
      start: params to begin with, which are far from a minimiser.
      smoothness: L; for the two that have none, the largest curvature at the start.
      minimum: of the function.
    """

    value: Callable[[Array], Array]
    start: Array
    smoothness: float
    minimum: float


def problems(seed=0):
    """All of them, by name; needs float64."""
    rng = np.random.default_rng(seed)
    made = {f"quadratic, condition 1e{digits}": quadratic(rng, 10.0**digits) for digits in (2, 4, 6)}
    return made | {
        "least squares, rank 30 of 100": low_rank(rng),
        "logistic regression": logistic(rng, 0.0),
        "ridge logistic regression": logistic(rng, 1e-3),
        "log-sum-exp": log_sum_exp(rng),
        "Huber regression": huber(rng),
        "fourth powers": fourth_powers(rng),
        "cubic regularisation": cubic(rng),
    }


def spectrum(rng, size, condition):
    """A symmetric matrix with curvatures from 1 / condition to 1, spread evenly in their logarithms."""
    basis, _ = np.linalg.qr(rng.standard_normal((size, size)))
    return (basis * np.geomspace(1 / condition, 1, size)) @ basis.T


def quadratic(rng, condition, size=100):
    """(x - x*) H (x - x*) / 2."""
    H, solution = jnp.asarray(spectrum(rng, size, condition)), jnp.asarray(rng.standard_normal(size))
    return SmoothProblem(lambda x: (x - solution) @ H @ (x - solution) / 2, jnp.zeros(size), 1.0, 0.0)


def low_rank(rng, samples=200, size=100, rank=30):
    """|A x - b|^2 / 2 with a residual, and many minimisers."""
    left, right = rng.standard_normal((samples, rank)) * np.geomspace(0.03, 1, rank), rng.standard_normal((rank, size))
    A, b = left @ right / size, rng.standard_normal(samples)
    best = np.linalg.lstsq(A, b)[0]
    X, y = jnp.asarray(A), jnp.asarray(b)

    def value(x):
        return jnp.sum((X @ x - y) ** 2) / 2

    return SmoothProblem(value, jnp.zeros(size), np.linalg.norm(A, 2) ** 2, float(value(jnp.asarray(best))))


def design(rng, samples, size, widest=10):
    """Features whose columns have sizes from 1 to ``widest``."""
    return rng.standard_normal((samples, size)) * np.geomspace(1, widest, size)


def logistic(rng, strength, samples=400, size=50):
    """Mean logistic loss + strength |w|^2 / 2, labels with noise."""
    X = design(rng, samples, size)
    signs = np.sign(X @ rng.standard_normal(size) / 10 + rng.logistic(size=samples))
    signed = jnp.asarray(X * signs[:, None])
    L = np.linalg.norm(X, 2) ** 2 / (4 * samples) + strength
    return solved(lambda w: jnp.logaddexp(0, -signed @ w).mean() + strength / 2 * (w @ w), jnp.zeros(size), L)


def log_sum_exp(rng, terms=200, size=50, sharpness=0.5):
    """A smooth largest of A x - b: s log sum exp((A x - b) / s)."""
    A, b = rng.standard_normal((terms, size)), rng.standard_normal(terms)
    A = A - A.mean(0)  # so that it is bounded below
    X, y = jnp.asarray(A), jnp.asarray(b)
    L = np.linalg.norm(A, 2) ** 2 / sharpness
    start = jnp.ones(size)
    return solved(lambda x: sharpness * jax.nn.logsumexp((X @ x - y) / sharpness), start, L)


def huber(rng, samples=400, size=50, width=1.0):
    """Mean Huber loss with a tenth of outliers."""
    X = design(rng, samples, size)
    y = X @ rng.standard_normal(size) + rng.standard_normal(samples)
    y = y + 100 * (rng.random(samples) < 0.1)
    A, b = jnp.asarray(X), jnp.asarray(y)

    def value(w):
        error = jnp.abs(A @ w - b)
        return jnp.where(error < width, error**2 / 2, width * (error - width / 2)).mean()

    return solved(value, jnp.zeros(size), np.linalg.norm(X, 2) ** 2 / samples)


def fourth_powers(rng, samples=100, size=50):
    """Mean of (a x - b)^4 / 4, which is 0 at the minimiser: curvature grows without bound, and vanishes there."""
    A = rng.standard_normal((samples, size)) / size**0.5
    solution = rng.standard_normal(size)
    X, y = jnp.asarray(A), jnp.asarray(A @ solution)
    return local(lambda x: ((X @ x - y) ** 4).mean() / 4, jnp.zeros(size), 0.0)


def cubic(rng, size=100, condition=1e4):
    """A quadratic + |x|^3 / 6, the subproblem of a method of second order."""
    H, b = jnp.asarray(spectrum(rng, size, condition)), jnp.asarray(rng.standard_normal(size))

    def value(x):
        return x @ H @ x / 2 - b @ x + jnp.sum(x**2 + 1e-300) ** 1.5 / 6

    return local(value, 10 * jnp.ones(size), solved(value, jnp.ones(size), 1.0).minimum)


def local(value, start, minimum):
    """A problem without an L: that of its start."""
    L = float(np.linalg.eigvalsh(np.asarray(jax.hessian(value)(start))).max())
    return SmoothProblem(value, start, L, minimum)


def solved(value, start, smoothness):
    """A problem whose minimum Newton's method finds, in a region that it trusts."""
    both, hessian = jax.jit(jax.value_and_grad(value)), jax.jit(jax.hessian(value))
    options = {"gtol": 1e-13, "maxiter": 1000}
    found = scipy.optimize.minimize(both, start, jac=True, hess=hessian, method="trust-exact", options=options)
    return SmoothProblem(value, start, float(smoothness), float(found.fun))
