"""Malformed arguments, times the parameters of all public factories: each works, or is refused by the parameter's name.

The factories are what `nag_optax` exports and says to return something that is made (a transformation, an operator, a
schedule, a test), and their parameters are those of their signatures: a new one is tried from its first day.
"""

import inspect
import re
import typing
from functools import partial

import jax
import jax.numpy as jnp
import optax
import pytest

import nag_optax as no
from nag_optax import prox
from nag_optax.engine.restart import RestartTest
from nag_optax.momenta import MomentumSequence, tabulate
from nag_optax.prox import Prox
from tests.support.malformed import ARRAYS, CONTAINERS, MALFORMED, NOT_CALLED, SCHEDULES
from tests.support.public import public

# What is public, and what is made of it.

MADE = (optax.GradientTransformation, Prox, RestartTest, MomentumSequence)


def makes(function):
    if not inspect.isfunction(function):
        return False
    kind = typing.get_type_hints(function)["return"]
    return kind == optax.Schedule or (inspect.isclass(kind) and issubclass(kind, MADE))


FACTORIES = {
    f"{function.__module__.removeprefix('nag_optax.')}.{name}": function
    for name, function in public(no)
    if makes(function) and name != "as_sequence"
} | {"minimize": no.minimize, "agnes_constants": no.agnes_constants, "tabulate": tabulate}

PARAMS = jnp.asarray([2.0, -3.0])


def loss(params):
    return jnp.sum(jnp.abs(params) ** 2) / 2


NEEDED = {
    "A": jnp.ones((1, 2)),
    "G": jnp.eye(2),
    "P": jnp.ones(2),
    "axis_name": "replica",
    "b": jnp.ones(1),
    "c": 0.5,
    "center": jnp.ones(2),
    "column_sums": jnp.asarray([0.5, 0.5]),
    "condition_number": 10.0,
    "factor": 0.5,
    "fun": loss,
    "groups": [[0, 1], [1]],
    "h": jnp.ones(2),
    "horizon": 3,
    "init_params": PARAMS,
    "inner": optax.sgd(0.1),
    "interpolation": 0.5,
    "key": 0,
    "learning_rate": 0.1,
    "lookahead": 0.5,
    "lower": -1.0,
    "mask": True,
    "max_nonzero": 1,
    "methods": (no.heavy_ball(0.1),),
    "momentum": 0.9,
    "noise": 1.0,
    "outer": optax.sgd(0.1),
    "period": 2,
    "projection": optax.projections.projection_l1_ball,
    "prox": prox.l1(0.1),
    "rho": 0.7,
    "row_sums": jnp.ones(1),
    "rule": no.Rule(tuple, lambda count, age, carry: (no.Coefficients(0.9, 1, 0.1, 0, 0), carry)),
    "smoothness": 1.0,
    "step_size": 0.1,
    "steps": 3,
    "strengths": jnp.asarray([0.2, 0.1]),
    "target": 1.0,
    "strong_convexity": 0.25,
    "tx": partial(no.nag, momentum=0.9),
    "upper": 1.0,
    "w": jnp.ones(2),
    "weight_decay": 0.1,
}
"""Arguments that a factory cannot be called without."""


def use(made, name):
    """The first update of what a factory has made, or what else it is for."""
    if isinstance(made, optax.GradientTransformation):
        asks = name.endswith((".adanag", ".ac_fgm", ".fista", ".graal", ".pogm"))
        extra = {"value": loss(PARAMS), "value_fn": loss} if asks else {}
        made = optax.with_extra_args_support(made)
        params = PARAMS[None] if name.startswith("maps.") else PARAMS
        of_replica = jax.vmap(lambda p: made.update(p, made.init(p), p, **extra)[0], axis_name="replica")
        return of_replica(jnp.stack([params, params]))
    if isinstance(made, Prox):
        of_matrix = name.endswith(("birkhoff", "nuclear_norm", "rank", "transport", "variation_2d"))
        x = jnp.stack([PARAMS, PARAMS]) if name.endswith("birkhoff") else PARAMS[None] if of_matrix else PARAMS
        moved = made(x, 1.0)
        return moved, made.value and made.value(moved)
    if isinstance(made, RestartTest):
        tx = no.nag(0.1, restart=made)
        return tx.update(PARAMS, tx.init(PARAMS), PARAMS, value=1.0)[0]
    if isinstance(made, MomentumSequence) or callable(made):
        return tabulate(made, 3)
    return made


# What is allowed, and what is another's business.

POSITIVE = {"2.5", "jax 1e30"}
SCHEDULED = {"optax.projections.projection_simplex"}  # a function of a number, which returns one
REAL = {"-1", "-0.5", "0", "2.5", "jax -1", "jax int -1", "jax 1e30", "numpy -1"}
TRUE = {"True", "numpy True"}
AT_LEAST_0 = POSITIVE | {"0"}
BACKWARDS = {"-1", "-0.5", "jax -1", "jax int -1", "numpy -1", "schedule of the negative"}
LEGITIMATE = {
    "a advantage condition_number eps factor gamma growth kappa long_step noise radius theta tol": POSITIVE,
    "scale smoothness": POSITIVE | {"None"},
    "decay delta l1_strength l2_strength learning_rate_power momentum_decay prox_strong_convexity strength": AT_LEAST_0,
    "strong_convexity": AT_LEAST_0,
    "weight_power": AT_LEAST_0,
    "correction learning_rate nu outer_learning_rate step_size": AT_LEAST_0 | SCHEDULED,
    "lookahead": AT_LEAST_0 | SCHEDULED | BACKWARDS,
    "weight_decay": AT_LEAST_0 | SCHEDULED | {"None"},
    "alpha b1 b2 b3 interpolation max_momentum mu_y noise": {"0", *POSITIVE},
    "momentum mu_x outer_momentum": {"0", "None"} | SCHEDULED,
    "slow_step_size": SCHEDULED,
    "momenta": {"[0.1]", "(0.1, 0.2, 0.3)"},
    "accumulator_dtype communication_dtype": {"None", "float"},
    "dtype": {"float"},
    "neurons": {"None", "0"},
    "axes axis_name fallback horizon linear map period prox q restart steps": {"None"},
    "mask": {"None", "jax True", *TRUE},
    "has_aux history implicit_diff isotropic monotone progress reset_inner stationary verbose": TRUE,
    "max_seconds": POSITIVE | {"None"},
    "axis": {"-1", "0", "()"},
    "key": {"-1", "0", "10**12", "jax key"},
    "b": {"[0.1]"},
    "c": REAL,
    "center": REAL,
    "w": REAL - {"0"},
    "target": AT_LEAST_0,
    "lower": REAL,
    "upper": REAL | {"inf", "jax inf", "1e300"},
    "args": {"()", "[]"},
    "callback": {"None"},
    "init_params": {"-0.5", "2.5", "1j", "nan", "inf", "1e300"} | set(ARRAYS),
    "tx": {"optax.sgd"},
    "projection": SCHEDULED,
}
"""Of the malformed values, what a parameter may well be; its range may be narrower, and then it is refused by name."""
ALLOWED = {name: values for names, values in LEGITIMATE.items() for name in names.split()}
OTHERS = {
    "axes fun projection linear_solve callback map tx": SCHEDULES.keys() | NOT_CALLED.keys(),
    "init_params": CONTAINERS.keys(),
}
"""What a function of the user does is its own business, and so is how ``fun`` takes params of another structure."""
LEFT = {name: values for names, values in OTHERS.items() for name in names.split()}


def call(name, parameter, value):
    """Makes, with one argument malformed, and uses what is made."""
    function = FACTORIES[name]
    signature = inspect.signature(function).parameters
    arguments = {n: NEEDED[n] for n, p in signature.items() if p.default is p.empty and n in NEEDED}
    if parameter == "mask" and "weight_decay" in signature and value is not None:
        arguments["weight_decay"] = 0.1
    if parameter == "communication_dtype":
        arguments["axis_name"] = "replica"
    if name == "minimize":
        arguments |= {"max_steps": 2} | ({"method": "fista"} if parameter == "step_size" else {})
    arguments[parameter] = value
    if "methods" in arguments:
        made = function(*arguments["methods"]) if isinstance(arguments["methods"], tuple) else function(value)
    else:
        made = function(**arguments)
    return jax.block_until_ready(use(made, name))


def faults(name):
    """What passes unseen, in words, and what is refused without its name."""
    for parameter, details in inspect.signature(FACTORIES[name]).parameters.items():
        if details.kind in (details.VAR_KEYWORD, details.VAR_POSITIONAL) and parameter != "methods":
            continue
        for words, value in MALFORMED.items():
            if words in LEFT.get(parameter, ()):
                continue
            try:
                call(name, parameter, value)
                if words not in ALLOWED.get(parameter, ()):
                    yield f"{parameter}={words} passes"
            except (TypeError, ValueError) as error:
                if not re.search(rf"\b{parameter}\b", str(error)):
                    yield f"{parameter}={words} is refused without its name: {type(error).__name__}: {error}"
            except Exception as error:
                yield f"{parameter}={words}: {type(error).__name__}: {error}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FACTORIES)
def test_every_malformed_argument_is_refused_by_name(name):
    assert not list(faults(name))


def test_the_factories_are_found():
    assert len(FACTORIES) > 60 and len(MALFORMED) > 50


def unseen(learning_rate: float = 0.1) -> optax.GradientTransformation:
    return optax.sgd(learning_rate)


def test_a_factory_that_does_not_look_is_noticed(monkeypatch):
    monkeypatch.setitem(FACTORIES, "unseen", unseen)
    assert any("learning_rate=-1 passes" in fault for fault in faults("unseen"))
