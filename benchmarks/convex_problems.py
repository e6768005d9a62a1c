"""Convex problems of statistics and signal processing, each with the solvers that can do it.

Every problem is written once for `nag_optax.minimize`, once for JAXopt, and where they know it for scikit-learn and
skglm. A solver is a function of a tolerance that returns a solution.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import sklearn.datasets
import sklearn.linear_model as linear_model

from nag_optax import prox
from oracles.lassos import design, with_known_optimum

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations that the unmaintained package cannot mend
    import jaxopt
    import skglm


class Problem(NamedTuple):
    """f(A x) + g(x).

    Attributes:
      matrix: A.
      loss: f, a function of A x.
      prox: of g, which knows its g.
      jaxopt_prox: the same for JAXopt, ``jaxopt_prox(params, hyperparams, scaling)``.
      others: by name, ``solve(tol) -> x``.
    """

    matrix: Any
    loss: Callable[[Any], Any]
    prox: prox.Prox
    jaxopt_prox: Callable[[Any, Any, Any], Any]
    others: dict[str, Callable[[float], Any]]

    @property
    def penalty(self) -> Callable[[Any], Any]:
        """Returns g."""
        assert self.prox.value is not None
        return self.prox.value

    def value(self, x):
        """F + g."""
        return self.loss(self.matrix @ x) + self.penalty(x)


def squares(y):
    """|z - y|^2 / 2."""
    y = jnp.asarray(y)
    return lambda z: 0.5 * jnp.sum((z - y) ** 2)


def lasso(samples, features, rho, share, seed=27):
    """|X w - y|^2 / 2 + lambda |w|_1, lambda a share of the smallest that makes w = 0."""
    X, y, _ = design(samples, features, rho, seed)
    return lasso_of(X, y, share * abs(X.T @ y).max())


def lasso_of(X, y, strength):
    """The same for given data."""
    alpha, n = strength / len(y), 1_000_000

    def descend(tol):
        return linear_model.Lasso(alpha, fit_intercept=False, tol=tol, max_iter=n).fit(X, y).coef_

    def work(tol):
        return skglm.Lasso(alpha, fit_intercept=False, tol=tol, max_iter=200).fit(X, y).coef_

    others = {"scikit-learn, coordinate descent": descend, "skglm": work}
    return Problem(
        jnp.asarray(X),
        squares(y),
        prox.l1(strength),
        lambda v, _, s: jaxopt.prox.prox_lasso(v, strength, s),
        others,
    )


def known_optimum(samples=400, features=1000, nonzeros=60, seed=1):
    """Nesterov's LASSO of 2013, whose solution is constructed."""
    X, y, _ = with_known_optimum(samples, features, nonzeros, seed)
    return lasso_of(X, y, 1.0)


def logistic(strength, penalty):
    """Logistic regression on the breast cancer data, standardised, without an intercept."""
    X, target = sklearn.datasets.load_breast_cancer(return_X_y=True)
    X = (X - X.mean(0)) / X.std(0)
    signs = 2.0 * target - 1
    n, y = len(signs), jnp.asarray(signs)
    scikit = {
        "l1": ("saga", lambda tol: dict(solver="saga", l1_ratio=1.0, tol=tol)),
        "l2": ("lbfgs", lambda tol: dict(solver="lbfgs", tol=tol)),
    }
    name, options = scikit[penalty]

    def fit(tol):
        model = linear_model.LogisticRegression(
            C=1 / (n * strength), fit_intercept=False, max_iter=1_000_000, random_state=0, **options(tol)
        )
        return model.fit(X, signs).coef_[0]

    operators = {
        "l1": (prox.l1(strength), lambda v, _, s: jaxopt.prox.prox_lasso(v, strength, s)),
        "l2": (prox.l2_squared(strength), lambda v, _, s: jaxopt.prox.prox_ridge(v, strength, s)),
    }
    return Problem(
        jnp.asarray(X),
        lambda z: jnp.mean(jnp.logaddexp(0, -y * z)),
        *operators[penalty],
        {f"scikit-learn, {name}": fit},
    )


def non_negative_least_squares(samples=400, features=300, seed=3):
    """|X w - y|^2 / 2 for w >= 0."""
    X, _, truth = design(samples, features, 0.6, seed)
    y = X @ abs(truth) + np.random.default_rng(seed).standard_normal(samples)
    return Problem(
        jnp.asarray(X),
        squares(y),
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
    whole = prox.group_lasso(strength)
    penalty = whole.value
    assert penalty is not None
    operator = prox.Prox(
        lambda v, s: whole(v.reshape(groups, size), s).reshape(v.shape), lambda v: penalty(v.reshape(groups, size))
    )

    def theirs(v, _, s):
        rows = jax.vmap(lambda row: jaxopt.prox.prox_group_lasso(row, strength, s))(v.reshape(groups, size))
        return rows.reshape(v.shape)

    def fit(tol):
        model = skglm.GroupLasso(groups=size, alpha=strength / samples, fit_intercept=False, tol=tol, max_iter=1000)
        return model.fit(X, y).coef_

    return Problem(jnp.asarray(X), squares(y), operator, theirs, {"skglm": fit})


def box_qp(size=500, seed=5):
    """X H x / 2 - b x in a box, H = A'A with condition number 1e4."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.standard_normal((size, size)))
    A = np.geomspace(1e-2, 1, size)[:, None] * basis
    y = A @ rng.standard_normal(size) * 2
    return Problem(
        jnp.asarray(A),
        squares(y),
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
    return Problem(jnp.asarray(K), squares(y), operator, lambda v, _, s: operator(v, s), {})


def problems():
    """All of them, by name."""
    return {
        "LASSO 500 x 2000, 0.1": lasso(500, 2000, 0.6, 0.1),
        "LASSO 500 x 2000, 0.01": lasso(500, 2000, 0.6, 0.01),
        "LASSO 100 x 10000, 0.1": lasso(100, 10_000, 0.0, 0.1),
        "LASSO 500 x 600, 0.05": lasso(500, 600, 0.6, 0.05),
        "LASSO 10000 x 100, 0.1": lasso(10_000, 100, 0.6, 0.1),
        "LASSO with known optimum": known_optimum(),
        "sparse logistic regression": logistic(1e-3, "l1"),
        "ridge logistic regression": logistic(1e-4, "l2"),
        "non-negative least squares": non_negative_least_squares(),
        "group LASSO": group_lasso(),
        "box QP": box_qp(),
        "total variation": total_variation(),
    }
