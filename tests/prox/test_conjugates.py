"""What an operator says of its conjugate is what Fenchel and Young say of it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_optax import prox
from tests.prox.test_prox import OPERATORS, SETS, compiled, dot, minus, point

pytestmark = pytest.mark.usefixtures("float64", "strict_ranks")

KNOWN: dict[str, Any] = {name: operator for name, operator in OPERATORS.items() if operator.conjugate}
known = pytest.mark.parametrize("name", KNOWN)


def scaled(v, factor):
    return jax.tree.map(lambda x: factor * x, v)


def test_they_are_known_where_the_issue_is_decided():
    families = {"l1", "elastic_net", "group_lasso", "l2_norm", "l2_squared", "box", "nuclear_norm", "linf_norm"}
    assert families <= set(KNOWN)
    assert OPERATORS["total_variation_1d"].conjugate is None


@known
@pytest.mark.parametrize("step", [0.3, 2.0])
def test_value_and_conjugate_meet_at_a_subgradient(name, step):
    operator, v = KNOWN[name], point(name, 0)
    x = compiled(name)(v, step)
    u = scaled(minus(v, x), 1 / step)  # a subgradient of g at x
    assert operator.conjugate.gauge(u) <= 1 + 1e-12
    np.testing.assert_allclose(operator.value(x) + operator.conjugate.value(u), dot(x, u), atol=1e-10)


@known
def test_nothing_is_above_the_conjugate(name):
    operator = KNOWN[name]
    for seed in range(20):
        v, other = point(name, seed, 3.0), compiled(name)(point(name, seed + 100, 3.0), 0.1)
        gauge = float(operator.conjugate.gauge(v))
        if np.isfinite(gauge):
            v = scaled(v, 1 / max(gauge, 1))
            assert dot(v, other) - operator.value(other) <= operator.conjugate.value(v) + 1e-10


@known
def test_the_gauge_ends_where_the_domain_does(name):
    """At a short step the operator of g* leaves what is inside of its domain, and brings back what is outside."""
    operator = KNOWN[name]
    conjugate = jax.jit(prox.conjugate(prox.Prox(operator.apply)).apply)
    for seed in range(5):
        v = point(name, seed, 3.0)
        gauge = float(operator.conjugate.gauge(v))
        if gauge == 0 or not np.isfinite(gauge):
            continue
        inside, outside = scaled(v, 0.99 / gauge), scaled(v, 1.01 / gauge)
        move = {
            place: max(float(jnp.abs(d).max()) for d in jax.tree.leaves(minus(conjugate(u, 1e-9), u)))
            for place, u in (("inside", inside), ("outside", outside))
        }
        assert move["inside"] < 1e-6 < move["outside"]


def gauge_of(operator, v):
    return operator.conjugate.gauge(v)


def test_where_no_multiple_is_in_the_domain():
    v = {"w": jnp.array([1.0, -1.0]), "b": jnp.array([0.0])}
    free = prox.masked(prox.l1(2.0), {"w": False, "b": True})
    assert gauge_of(free, v) == np.inf and gauge_of(free, scaled(v, 0)) == 0
    assert gauge_of(prox.non_negative(), v) == np.inf
    assert gauge_of(prox.non_negative(), {"w": jnp.array([-3.0])}) == 0
    assert gauge_of(prox.l1(0.0), v) == np.inf
    assert gauge_of(prox.box(0.0, np.inf), v) == np.inf
    assert gauge_of(prox.elastic_net(1.0, 0.0), v) == 1


def test_of_complex_numbers_the_modulus_counts():
    v = jnp.array([3.0 + 4.0j])
    assert gauge_of(prox.l1(2.5), v) == 2
    whole: Any = prox.l2_squared(1.0)
    assert whole.conjugate.value(v) == 12.5


@pytest.mark.parametrize("name", sorted(set(KNOWN) & SETS))
def test_the_conjugate_of_a_set_is_its_support_function(name):
    operator = KNOWN[name]
    v = point(name, 7)
    gauge = float(operator.conjugate.gauge(v))
    far = compiled(name)(scaled(v, 1e6), 1.0)
    if gauge > 1:  # infinite
        assert dot(v, far) > 1e5
        return
    np.testing.assert_allclose(operator.conjugate.value(v), dot(v, far) - operator.value(far), rtol=1e-9)
