"""Sparse regression: LASSOs and logistic regressions, with the solvers that are made for them."""

import importlib.util

import jax.numpy as jnp
import numpy as np
import scipy.sparse
import sklearn.linear_model as linear_model
from jax.experimental.sparse import BCOO

from benchmarks.convex_problem import Problem, celer, jaxopt, skglm
from nag_optax import losses, prox
from oracles.lassos import design, sparse_design, with_known_optimum


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

    def celerate(tol):
        return celer.Lasso(alpha, fit_intercept=False, tol=tol, max_iter=500).fit(X, y).coef_

    others = {"scikit-learn, coordinate descent": descend, "skglm": work, "Celer": celerate}
    if not scipy.sparse.issparse(X):
        others |= by_scico(X, y, strength)
    return Problem(
        BCOO.from_scipy_sparse(X.tocoo()) if scipy.sparse.issparse(X) else jnp.asarray(X),
        losses.squared(y),
        prox.l1(strength),
        lambda v, _, s: jaxopt.prox.prox_lasso(v, strength, s),
        others,
        sparse=True,
    )


def by_scico(X, y, strength):
    """SCICO's accelerated proximal gradient with its robust line search, if it is installed; its steps for a tolerance
    are our choice, because it has none.
    """
    if not importlib.util.find_spec("scico"):
        return {}
    functional, linop, loss, optimize = (
        importlib.import_module(f"scico.{name}") for name in ("functional", "linop", "loss", "optimize")
    )

    def accelerate(tol):
        f = loss.SquaredL2Loss(y=jnp.asarray(y), A=linop.MatrixOperator(jnp.asarray(X)))
        steps = round(5 * 10 ** ((3 - np.log10(tol)) / 17 * 3.3))
        solver = optimize.AcceleratedPGM(
            f=f,
            g=strength * functional.L1Norm(),
            L0=1.0,
            x0=jnp.zeros(X.shape[1]),
            step_size=optimize.pgm.RobustLineSearchStepSize(),
            maxiter=steps,
        )
        return solver.solve()

    return {"SCICO": accelerate}


def sparse_lasso(samples, features, entries, share, seed=8):
    """A LASSO of a sparse design."""
    X, y, _ = sparse_design(samples, features, entries, seed)
    return lasso_of(X, y, share * abs(X.T @ y).max())


def known_optimum(samples=400, features=1000, nonzeros=60, seed=1):
    """Nesterov's LASSO of 2013, whose solution is constructed."""
    X, y, _ = with_known_optimum(samples, features, nonzeros, seed)
    return lasso_of(X, y, 1.0)


def sparse_logistic(X, labels, strength, saga=True):
    """Mean logistic loss + lambda |w|_1, without an intercept."""
    n, signs = len(labels), 2.0 * labels - 1
    most = 1_000_000 if saga else 100  # of liblinear, which no one can stop in between

    def by(solver):
        def fit(tol):
            model = linear_model.LogisticRegression(
                C=1 / (n * strength), l1_ratio=1.0, solver=solver, fit_intercept=False, tol=tol, max_iter=most
            )
            return model.fit(X, signs).coef_[0]

        return fit

    def celerate(tol):
        model = celer.LogisticRegression(C=1 / (n * strength), fit_intercept=False, tol=tol, max_iter=500)
        return model.fit(X, signs).coef_[0]

    def work(tol):
        model = skglm.SparseLogisticRegression(strength, fit_intercept=False, tol=tol, max_iter=200)
        return model.fit(X, signs).coef_[0]

    names = {"scikit-learn, liblinear": "liblinear"} | ({"scikit-learn, saga": "saga"} if saga else {})
    others = {name: by(solver) for name, solver in names.items()} | {"skglm": work, "Celer": celerate}
    return Problem(
        BCOO.from_scipy_sparse(X.tocoo()) if scipy.sparse.issparse(X) else jnp.asarray(X),
        losses.logistic(labels, 1 / n),
        prox.l1(strength),
        lambda v, _, s: jaxopt.prox.prox_lasso(v, strength, s),
        others,
        sparse=True,
    )


def large_sparse_logistic(samples=20_000, features=50_000, entries=1_000_000, share=0.1, seed=9):
    """The same of a sparse design."""
    X, _, truth = sparse_design(samples, features, entries, seed)
    rng = np.random.default_rng(seed)
    labels = (rng.random(samples) < 1 / (1 + np.exp(-X @ truth))).astype(int)
    return sparse_logistic(X, labels, share * abs(X.T @ (0.5 - labels)).max() / samples, saga=False)
