"""Convex problems of statistics and signal processing, each with the solvers that can do it.

Every problem is written once for `nag_optax.minimize`, once for JAXopt, and where they know it for scikit-learn, skglm,
Celer and SCICO. A solver is a function of a tolerance that returns a solution.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sklearn.linear_model as linear_model

from benchmarks.convex_problem import Problem, breast_cancer, celer, jaxopt, skglm
from benchmarks.convex_sparse import known_optimum, large_sparse_logistic, lasso, sparse_lasso, sparse_logistic
from nag_optax import losses, prox
from oracles.lassos import design


def ridge_logistic(strength):
    """Mean logistic loss + lambda |w|^2 / 2, without an intercept."""
    X, labels = breast_cancer()
    n = len(labels)

    def fit(tol):
        model = linear_model.LogisticRegression(
            C=1 / (n * strength), fit_intercept=False, solver="lbfgs", tol=tol, max_iter=1_000_000
        )
        return model.fit(X, labels).coef_[0]

    return Problem(
        jnp.asarray(X),
        losses.logistic(labels, 1 / n),
        prox.l2_squared(strength),
        lambda v, _, s: jaxopt.prox.prox_ridge(v, strength, s),
        {"scikit-learn, lbfgs": fit},
    )


def non_negative_least_squares(samples=400, features=300, seed=3):
    """|X w - y|^2 / 2 for w >= 0."""
    X, _, truth = design(samples, features, 0.6, seed)
    y = X @ abs(truth) + np.random.default_rng(seed).standard_normal(samples)
    return Problem(
        jnp.asarray(X),
        losses.squared(y),
        prox.non_negative(),
        lambda v, _, s: jaxopt.projection.projection_non_negative(v),
        {
            "scikit-learn, positive=True": lambda tol: (
                linear_model.LinearRegression(fit_intercept=False, positive=True, tol=tol).fit(X, y).coef_
            )
        },
    )


def group_lasso(samples=300, groups=100, size=5, seed=4):
    """|X w - y|^2 / 2 + lambda sum of |w_group|_2."""
    X, y, _ = design(samples, groups * size, 0.6, seed)
    strength = 0.05 * np.linalg.norm((X.T @ y).reshape(groups, size), axis=1).max()
    whole: Any = prox.group_lasso(strength)

    def by_rows(function, *more):
        return lambda v: function(v.reshape(groups, size), *more)

    operator = prox.Prox(
        lambda v, s: whole(v.reshape(groups, size), s).reshape(v.shape),
        by_rows(whole.value),
        prox.Conjugate(by_rows(whole.conjugate.value), by_rows(whole.conjugate.gauge)),
    )

    def theirs(v, _, s):
        rows = jax.vmap(lambda row: jaxopt.prox.prox_group_lasso(row, strength, s))(v.reshape(groups, size))
        return rows.reshape(v.shape)

    def fit(tol):
        model = skglm.GroupLasso(groups=size, alpha=strength / samples, fit_intercept=False, tol=tol, max_iter=1000)
        return model.fit(X, y).coef_

    def celerate(tol):
        model = celer.GroupLasso(groups=size, alpha=strength / samples, fit_intercept=False, tol=tol, max_iter=1000)
        return model.fit(X, y).coef_

    others = {"skglm": fit, "Celer": celerate}
    return Problem(jnp.asarray(X), losses.squared(y), operator, theirs, others)


def box_qp(size=500, seed=5):
    """X H x / 2 - b x in a box, H = A'A with condition number 1e4."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.standard_normal((size, size)))
    A = np.geomspace(1e-2, 1, size)[:, None] * basis
    y = A @ rng.standard_normal(size) * 2
    return Problem(
        jnp.asarray(A),
        losses.squared(y),
        prox.box(-0.5, 0.5),
        lambda v, _, s: jaxopt.projection.projection_box(v, (-0.5, 0.5)),
        {},
    )


def total_variation(samples=300, seed=6):
    """Deblurring of a piecewise constant signal: |K x - y|^2 / 2 + lambda sum of |x_{i+1} - x_i|."""
    rng = np.random.default_rng(seed)
    signal = np.repeat(rng.standard_normal(12), samples // 12)
    distance = np.subtract.outer(np.arange(samples), np.arange(samples))
    K = np.exp(-0.5 * (distance / 3.0) ** 2)
    K /= K.sum(1, keepdims=True)
    y = K @ signal + 0.05 * rng.standard_normal(samples)
    operator = prox.total_variation_1d(0.1)  # JAXopt has none, and borrows it
    return Problem(jnp.asarray(K), losses.squared(y), operator, lambda v, _, s: operator(v, s), {})


def problems():
    """All of them, by name."""
    return {
        "LASSO 500 x 2000, 0.5": lasso(500, 2000, 0.6, 0.5),
        "LASSO 500 x 2000, 0.1": lasso(500, 2000, 0.6, 0.1),
        "LASSO 500 x 2000, 0.01": lasso(500, 2000, 0.6, 0.01),
        "LASSO 100 x 10000, 0.1": lasso(100, 10_000, 0.0, 0.1),
        "LASSO 500 x 600, 0.05": lasso(500, 600, 0.6, 0.05),
        "LASSO 10000 x 100, 0.1": lasso(10_000, 100, 0.6, 0.1),
        "LASSO with known optimum": known_optimum(),
        "sparse LASSO 5000 x 20000, 0.1": sparse_lasso(5000, 20_000, 500_000, 0.1),
        "sparse logistic regression": sparse_logistic(*breast_cancer(), 1e-3),
        "sparse logistic 20000 x 50000": large_sparse_logistic(),
        "ridge logistic regression": ridge_logistic(1e-4),
        "non-negative least squares": non_negative_least_squares(),
        "group LASSO": group_lasso(),
        "box QP": box_qp(),
        "total variation": total_variation(),
    }
