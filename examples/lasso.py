"""The lasso on scikit-learn's diabetes data, a whole path in one call: ``python examples/lasso.py``.

442 patients, 10 measurements, and their products: of 55 features the l1 penalty chooses a few. The problem
is scikit-learn's, mean of (x w - y)^2 / 2 plus alpha times the sum of |w|, and its own solver answers in the same run.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import lasso_path
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from nag_optax import minimize, prox

ALPHAS = np.geomspace(45.0, 1.0, 8)  # from 45.16 on, all weights are zero


def half_mean_square(weights, x, y):
    """The smooth half of the problem."""
    return jnp.mean((x @ weights - y) ** 2) / 2


@jax.jit
def solve_path(alphas, x, y):
    """The solutions of all alphas at once."""

    def solve(alpha):
        return minimize(half_mean_square, jnp.zeros(x.shape[1]), args=(x, y), prox=prox.l1(alpha))

    return jax.vmap(solve)(alphas)


def main():
    """Solves, and compares."""
    data = load_diabetes(scaled=False)
    products = PolynomialFeatures(interaction_only=True, include_bias=False)
    x = StandardScaler().fit_transform(products.fit_transform(StandardScaler().fit_transform(data.data)))
    y = data.target - data.target.mean()
    names = products.get_feature_names_out(data.feature_names)

    path = solve_path(jnp.asarray(ALPHAS), jnp.asarray(x), jnp.asarray(y))
    print(path)
    weights = np.asarray(path.params, np.float64)
    _, theirs, _ = lasso_path(x, y, alphas=ALPHAS, tol=1e-10, max_iter=100_000)

    print(f"{'alpha':>8}{'zeros':>8}{'explained':>11}{'objective':>12}{'scikit-learn':>14}")
    for alpha, ours, sklearns in zip(ALPHAS, weights, theirs.T, strict=True):
        squares = [np.mean((x @ w - y) ** 2) for w in (ours, sklearns)]
        values = [s / 2 + alpha * np.abs(w).sum() for s, w in zip(squares, (ours, sklearns), strict=True)]
        explained = 1 - squares[0] / y.var()
        print(f"{alpha:8.2f}{(ours == 0).sum():8}{explained:11.1%}{values[0]:12.4f}{values[1]:14.4f}")
    print(f"largest difference of a weight: {np.abs(weights - theirs.T).max():.1e} of {np.abs(theirs).max():.1f}")
    chosen = [f"{names[j]} {weights[4, j]:.1f}" for j in np.argsort(-np.abs(weights[4])) if weights[4, j] != 0]
    print(f"at alpha {ALPHAS[4]:.2f}: {', '.join(chosen)}")


if __name__ == "__main__":
    main()
