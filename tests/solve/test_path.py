"""path: many strengths, each from the solution before it, by one program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_optax import Solution, Status, minimize, path, prox

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 15))
Y = X @ np.where(np.arange(15) < 4, 2.0, 0.0) + 0.3 * rng.normal(size=40)


def loss(w):
    return jnp.mean((jnp.asarray(X, w.dtype) @ w - jnp.asarray(Y, w.dtype)) ** 2) / 2


ALPHAS = np.geomspace(1.5, 0.01, 8)


@pytest.mark.parametrize("vectorized", [False, True])
def test_it_is_scikit_learns(vectorized):
    lasso_path = pytest.importorskip("sklearn.linear_model").lasso_path
    _, theirs, _ = lasso_path(X, Y, alphas=ALPHAS, tol=1e-10)
    ours = path(loss, jnp.zeros(15), ALPHAS, vectorized=vectorized)
    assert isinstance(ours, Solution) and ours.params.shape == (8, 15) and np.all(ours.status == Status.CONVERGED)
    np.testing.assert_allclose(ours.params, theirs.T, atol=1e-4)
    assert str(ours) == "8 converged"


def test_each_begins_at_the_one_before():
    along = path(loss, jnp.zeros(15), ALPHAS)
    cold = path(loss, jnp.zeros(15), ALPHAS, vectorized=True)
    assert int(along.steps[1:].sum()) < int(cold.steps[1:].sum())


def test_strengths_may_be_a_tree_and_traced():
    tree = {"a": jnp.asarray(ALPHAS, jnp.float32), "b": jnp.full(8, 0.1)}

    def both(strengths):
        return path(loss, jnp.zeros(15), strengths, prox=lambda s: prox.elastic_net(s["a"], s["b"])).params

    alone = minimize(loss, jnp.zeros(15), prox=prox.elastic_net(ALPHAS[3], 0.1)).params
    np.testing.assert_allclose(both(tree)[3], alone, atol=1e-4)
    np.testing.assert_allclose(jax.jit(both)(tree)[3], alone, atol=1e-4)
    slopes = jax.jacrev(lambda s: path(loss, jnp.zeros(15), s).params[-1])(jnp.asarray([0.5, 0.1]))
    assert np.all(slopes[:, 0] == 0) and np.any(slopes[:, 1] != 0)  # the last solution is that of the last strength


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"strengths": 0.1}, ValueError, "strengths must be arrays"),
        ({"strengths": (0.2, 0.1)}, ValueError, "or a list of numbers; got tuple"),
        ({"strengths": {"a": jnp.ones(2), "b": jnp.ones(3)}}, ValueError, "strengths must be arrays"),
        ({"strengths": jnp.ones(2), "prox": prox.l1(1.0)}, TypeError, "prox must be a function of a strength"),
        ({"strengths": jnp.ones(2), "vectorized": 1}, TypeError, "vectorized must be True or False"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        path(loss, jnp.zeros(15), **arguments)
