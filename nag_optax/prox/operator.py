"""The type of a proximal operator: a function of params and a step size, which may know its g."""

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial

from nag_optax.renamed import renamed_arguments
from nag_optax.scalars import Scalar, hyperparameter_dtype
from nag_optax.trees import widened
from nag_optax.validation import check_entries, leaf_name


class Conjugate(NamedTuple):
    """The convex conjugate of g, g*(v) = sup <v, x> - g(x) over x.

    Attributes:
      value: ``value(v)``, g* at a v of its domain.
      gauge: ``gauge(v)``, the smallest r of at least 0 for which v / r is in the domain of g*: 0 where that is all of
        space, infinite where no r is large enough.

    >>> import jax.numpy as jnp
    >>> from nag_optax import prox
    >>> float(prox.l1(0.5).conjugate.gauge(jnp.array([1.0, -2.0])))  # its domain is the box of radius 0.5
    4.0
    """

    value: Callable[..., Array]
    gauge: Callable[..., Array]


class Prox(NamedTuple):
    """A proximal operator: ``prox(params, step_size)`` minimises ``g(x) + |x - params|^2 / (2 step_size)``.

    Attributes:
      apply: ``apply(params, step_size) -> params``, of the same structure, shapes and dtypes.
      value: ``value(params)``, g at a point that ``apply`` returned (an indicator is therefore 0), a scalar in float32
        or better; None if unknown.

    It is a pytree; its leaves are its strengths if the functions are ``jax.tree_util.Partial`` of them.

    The penalty that counts nonzero entries:

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import Prox
    >>> l0 = Prox(lambda x, step_size: jnp.where(x**2 > 2 * step_size, x, 0), lambda x: jnp.sum(x != 0.0))
    >>> l0(jnp.array([3.0, 1.0]), step_size=1.0)
    Array([3., 0.], dtype=float32)
    """

    apply: Callable[[Any, Scalar], Any]
    value: Callable[[Any], Array] | None = None
    conjugate: Conjugate | None = None

    @renamed_arguments(step="step_size")
    def __call__(self, params: Any, step_size: Scalar = 1.0) -> Any:
        """Returns ``apply(params, step_size)``."""
        return self.apply(params, step_size)


def none() -> Prox:
    """The operator of g = 0, which changes nothing.

    >>> import jax.numpy as jnp
    >>> from nag_optax.prox import none
    >>> none()(jnp.array([1.0, -2.0]))
    Array([ 1., -2.], dtype=float32)
    """
    return _NONE


_NONE = Prox(lambda params, step_size: params, lambda params: zero(params))


def is_none(prox: Any) -> bool:
    """Whether this is the operator of g = 0."""
    return isinstance(prox, Prox) and prox == _NONE


def per_leaf(
    prox: Callable[..., Array], value: Callable[..., Array], conjugate: Conjugate | None = None, **strengths: Any
) -> Prox:
    """The operator of a sum over leaves, of ``prox(leaf, step_size, *strengths)`` and ``value(leaf, *strengths)``.

    The functions of ``conjugate`` take ``(leaf, *strengths)``, and its gauge may return an array, of which the largest
    entry counts. Each of ``strengths`` is at least 0: a scalar, or a pytree like params whose leaves broadcast against
    those of params.
    """
    for name, strength in strengths.items():
        check_entries(name, strength, at_least=0)
    order = tuple(strengths)  # JAX sorts a dict
    # An integer would shape a program, where another number is only another number.
    strengths = jax.tree.map(lambda s: float(s) if type(s) is int else s, strengths)
    names = " and ".join(order)

    def over_leaves(function, strengths, params):
        each = [for_each_leaf(name, strengths[name], params) for name in order]
        try:
            return jax.tree.map(function, params, *each)
        except (TypeError, ValueError) as error:
            if not any(map(jnp.shape, jax.tree.leaves(each))):
                raise
            raise ValueError(f"{names} must broadcast against params: {error}") from error

    def like(x, moved):
        if jnp.shape(moved) != jnp.shape(x):
            raise ValueError(f"{names} must broadcast against params, got {jnp.shape(moved)} for {jnp.shape(x)}.")
        return jnp.asarray(moved).astype(jnp.result_type(x))

    def apply(strengths, params, step_size):
        return over_leaves(lambda x, *s: like(x, prox(widened(x), step_size, *s)), strengths, params)

    def sum_of(value):
        def total(strengths, params):
            return sum(
                jax.tree.leaves(over_leaves(lambda x, *s: value(widened(x), *s), strengths, params)), zero(params)
            )

        return Partial(total, strengths)

    def largest_of(gauge):
        def most(strengths, params):
            each = over_leaves(lambda x, *s: jnp.max(gauge(widened(x), *s), initial=0), strengths, params)
            return largest(jax.tree.leaves(each), params)

        return Partial(most, strengths)

    known = conjugate and Conjugate(sum_of(conjugate.value), largest_of(conjugate.gauge))
    return Prox(Partial(apply, strengths), sum_of(value), known)


def real_only(name: str, prox: Prox) -> Prox:
    """The operator; it raises TypeError for complex leaves, among which it knows no order."""

    def checked(function):
        def of_real(function, params, *rest):
            check_real(name, params)
            return function(params, *rest)

        return Partial(of_real, function)

    known = prox.conjugate and Conjugate(*map(checked, prox.conjugate))
    return Prox(checked(prox.apply), prox.value and checked(prox.value), known)


def check_real(name: str, params: Any) -> None:
    """Raises TypeError for a complex leaf."""
    for path, x in jax.tree_util.tree_leaves_with_path(params):
        if jnp.iscomplexobj(x):
            raise TypeError(f"{name} is for real params, got {x.dtype} at {leaf_name(path)}: mask the leaf out.")


def largest(numbers: Iterable[Any], params: Any) -> Array:
    """The largest of some numbers of at least 0; 0 of none."""
    return reduce(jnp.maximum, numbers, zero(params))


def ratio(size: Any, strength: Any) -> Array:
    """The ratio of a size to a strength, both at least 0; 0 / 0 is 0, and anything else over 0 infinite."""
    return jnp.where(size > 0, size / jnp.where(strength > 0, strength, 0), 0)


def zero(params: Any) -> Array:
    """0, in float32 or better."""
    return jnp.zeros((), hyperparameter_dtype(params))


def for_each_leaf(name: str, strength: Any, params: Any) -> Any:
    """A strength that may be a scalar as a pytree like params."""
    if jax.tree.structure(params) == jax.tree.structure(strength):
        return strength
    if not jax.tree_util.all_leaves([strength]):
        raise ValueError(f"{name} must be a scalar or a pytree like params, got {jax.tree.structure(strength)}.")
    return jax.tree.map(lambda _: strength, params)
