"""What a problem of `benchmarks.convex` is, and the peers that have to be imported with care."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import sklearn.datasets

from nag_optax import prox

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations that unmaintained packages cannot mend
    import celer
    import jaxopt
    import skglm

__all__ = ["Problem", "breast_cancer", "celer", "jaxopt", "skglm"]


class Problem(NamedTuple):
    """f(A x) + g(x).

    Attributes:
      matrix: A, an array or a BCOO.
      loss: f, a `nag_optax.losses.Loss` of A x.
      prox: of g, which knows its g.
      jaxopt_prox: the same for JAXopt, ``jaxopt_prox(params, hyperparams, scaling)``.
      others: by name, ``solve(tol) -> x``.
      sparse: whether most rows of the solution are 0.
    """

    matrix: Any
    loss: Callable[[Any], Any]
    prox: prox.Prox
    jaxopt_prox: Callable[[Any, Any, Any], Any]
    others: dict[str, Callable[[float], Any]]
    sparse: bool = False

    @property
    def penalty(self) -> Callable[[Any], Any]:
        """Returns g."""
        assert self.prox.value is not None
        return self.prox.value

    def value(self, x):
        """F + g."""
        return self.loss(self.matrix @ x) + self.penalty(x)


def breast_cancer():
    """Standardised features, and labels of 0 and 1."""
    data: Any = sklearn.datasets.load_breast_cancer()
    X, labels = data.data, data.target
    return (X - X.mean(0)) / X.std(0), labels
