"""The momentum sequences, against their formulas in plain Python."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_optax import momenta, nag
from nag_optax.momenta import MomentumSequence, as_sequence, tabulate

STEPS = 1200


def t_k(k):
    t = 1.0
    for _ in range(k):
        t = (1 + math.sqrt(1 + 4 * t * t)) / 2
    return t


FORMULAS = {
    "nesterov": (momenta.nesterov(), lambda k: (t_k(k - 1) - 1) / t_k(k) if k else 0.0),
    "polynomial(2)": (momenta.polynomial(), lambda k: max(k - 1, 0) / (k + 2)),
    "polynomial(4)": (momenta.polynomial(4), lambda k: max(k - 1, 0) / (k + 4)),
    "sutskever(0.9)": (momenta.sutskever(0.9), lambda k: min(1 - 2 ** (-1 - math.log2(k // 250 + 1)), 0.9)),
    "sutskever(0.99, 10)": (momenta.sutskever(0.99, 10), lambda k: min(1 - 2 ** (-1 - math.log2(k // 10 + 1)), 0.99)),
    "sutskever(0.99, steps=6000)": (  # 1/2 and 49 higher ones in a thousand updates
        momenta.sutskever(0.99, steps=6000),
        lambda k: min(1 - 2 ** (-1 - math.log2(k * 49 // 1000 + 1)), 0.99),
    ),
    "strongly_convex(100)": (momenta.strongly_convex(100), lambda k: 9 / 11),
    "dozat(0.9)": (momenta.dozat(0.9), lambda k: 0.9 * (1 - 0.5 * 0.96 ** (0.004 * k))),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_sequence_is_its_formula_in_float64(name, float64):
    sequence, formula = FORMULAS[name]
    where = [0, 1, 2, 3, 10, 249, 250, 251, 700, STEPS - 1]
    np.testing.assert_allclose(tabulate(sequence, STEPS)[np.array(where)], [formula(k) for k in where], rtol=1e-12)


@pytest.mark.parametrize("name", FORMULAS)
def test_sequence_stays_in_range_and_yields_its_own_next_value(name):
    sequence = as_sequence(FORMULAS[name][0])
    values = tabulate(sequence, STEPS)
    assert jnp.all((values >= 0) & (values < 1))
    carry = sequence.init()
    for k in range(5):
        now, following, carry = sequence.values(jnp.asarray(k), carry)
        np.testing.assert_allclose([now, following], values[k : k + 2], rtol=1e-6)


@pytest.mark.parametrize("name", [name for name in FORMULAS if name != "nesterov"])
def test_closed_forms_are_plain_optax_schedules(name):
    schedule, formula = FORMULAS[name]
    joined = optax.join_schedules([optax.constant_schedule(0.5), schedule], [10])
    assert float(joined(9)) == 0.5
    assert float(jax.jit(joined)(30)) == pytest.approx(formula(20), rel=1e-6)


@pytest.mark.parametrize("steps", [3, 100, 2000, 750_000])
@pytest.mark.parametrize("highest", [0.0, 0.3, 0.5, 0.6, 0.9, 0.99, 0.995, 0.999])
def test_a_momentum_that_is_spread_over_a_training_is_reached_in_a_sixth_of_it(highest, steps):
    schedule = momenta.sutskever(highest, steps=steps)
    assert float(schedule(math.ceil(steps / 6) + 1)) == pytest.approx(highest, abs=1e-6)
    assert float(schedule(0)) == pytest.approx(min(0.5, highest))
    if highest > 0.9 and steps >= 2000:
        assert float(schedule(steps // 12)) < highest


def test_the_paper_s_own_training_has_the_paper_s_own_period():
    spread, published = momenta.sutskever(0.999, steps=750_000), momenta.sutskever(0.999)
    at = jnp.arange(125, 750_000, 1000)
    np.testing.assert_allclose(spread(at), published(at), atol=1e-3)


def test_strongly_convex_takes_a_traced_condition_number():
    assert float(jax.jit(lambda kappa: momenta.strongly_convex(kappa)(0))(100.0)) == pytest.approx(9 / 11)


def test_a_constant_is_a_sequence():
    assert isinstance(as_sequence(0.9), MomentumSequence)
    np.testing.assert_allclose(tabulate(0.9, 3), 0.9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: momenta.polynomial(0), "a must be finite, above 0"),
        (lambda: momenta.sutskever(1.0), "max_momentum"),
        (lambda: momenta.sutskever(0.9, 0), "period must be finite, at least 1"),
        (lambda: momenta.sutskever(0.9, steps=0), "steps must be finite, at least 1"),
        (lambda: momenta.sutskever(0.9, 250, steps=10), "period and steps exclude each other"),
        (lambda: momenta.strongly_convex(0.5), "condition_number must be finite, at least 1"),
        (lambda: momenta.dozat(1.0), "b1"),
        (lambda: momenta.dozat(0.9, decay=-1), "decay"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_sequence_class_instead_of_an_instance_is_refused():
    with pytest.raises(TypeError, match="momentum must be a number"):
        nag(0.1, momentum="nesterov")  # pyright: ignore[reportArgumentType] (a wrong type, on purpose)
