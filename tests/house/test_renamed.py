"""Former names work, and say the new one once."""

import importlib
import subprocess
import sys

import jax.numpy as jnp
import optax
import pytest

import nag_optax
from nag_optax import momenta, prox
from nag_optax.renamed import say_once

FORMER = {
    "schedules": (
        lambda: importlib.reload(importlib.import_module("nag_optax.schedules")),
        "nag_optax.schedules is now nag_optax.momenta",
    ),
    "scale_by_inverse_sqrt_size": (
        lambda: nag_optax.scale_by_inverse_sqrt_size(),
        "nag_optax.links.scale_by_inverse_sqrt_size",
    ),
    "lookahead(k=)": (lambda: nag_optax.lookahead(optax.sgd(0.1), k=2), "is now period="),
    "lookahead(alpha=)": (lambda: nag_optax.lookahead(optax.sgd(0.1), alpha=0.3), "is now slow_step_size="),
    "snoo(learning_rate=)": (lambda: nag_optax.snoo(optax.sgd(0.1), learning_rate=0.3), "is now outer_learning_rate="),
    "snoo(momentum=)": (lambda: nag_optax.snoo(optax.sgd(0.1), momentum=0.3), "is now outer_momentum="),
    "diloco(momentum=)": (
        lambda: nag_optax.diloco(optax.sgd(0.1), momentum=0.3, axis_name="r"),
        "is now outer_momentum=",
    ),
    "Rule(step=)": (lambda: nag_optax.Rule(init=tuple, step=None), r"Rule\(step=\.\.\.\) is now numbers="),
    "Coefficients(step=)": (lambda: nag_optax.Coefficients(1, 1, 1, step=0, readout=0), "is now step_size="),
    "MomentumSequence(step=)": (lambda: momenta.MomentumSequence(tuple, step=None), "is now values="),
    "prox(step=)": (lambda: prox.l1(1.0)(jnp.ones(2), step=0.5), r"Prox\(step=\.\.\.\) is now step_size="),
}


@pytest.mark.parametrize("name", FORMER)
def test_the_new_name_is_said_once(name):
    use, message = FORMER[name]
    say_once.cache_clear()
    with pytest.warns(DeprecationWarning, match=message) as said:
        use()
        use()
    assert len(said) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_former_names_mean_the_same():
    from nag_optax import schedules

    assert schedules.Sequence is momenta.MomentumSequence and schedules.nesterov is momenta.nesterov
    assert set(schedules.__all__) == {
        "Sequence", "as_sequence", "tabulate", "nesterov", "polynomial", "sutskever", "strongly_convex",
        "chambolle_pock", "dozat",
    }  # fmt: skip
    assert nag_optax.Coefficients(1, 2, 3, step=4, readout=5) == nag_optax.Coefficients(1, 2, 3, 4, 5)
    ours = nag_optax.lookahead(optax.sgd(1.0), k=1, alpha=0.25)
    assert float(ours.update(jnp.ones(()), ours.init(jnp.zeros(())), jnp.zeros(()))[0]) == -0.25


def test_both_names_at_once_are_an_error():
    with pytest.raises(TypeError, match="lookahead got two values for period: k is its former name"):
        nag_optax.lookahead(optax.sgd(0.1), k=2, period=3)


def test_importing_the_library_warns_of_nothing():
    subprocess.run([sys.executable, "-W", "error", "-c", "import nag_optax"], check=True)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nesterof'"):
        nag_optax.nesterof  # noqa: B018 (asking is the test)
