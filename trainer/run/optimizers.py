"""Optimizers by name, and which options each of them takes."""

from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import optax

from nag_optax import nag
from trainer.command_line import Parser, UsageError, number


class Optimizer(NamedTuple):
    """A transformation to be, of a learning rate and the named options.

    Attributes:
      build: the Optax transformation, of the learning rate and the options.
      options: names of the options, of those in `DEFAULTS`.
      has_base_iterate: whether `nag_optax.eval_params` finds a base iterate in the state.
    """

    build: Callable[..., optax.GradientTransformation]
    options: tuple[str, ...] = ()
    has_base_iterate: bool = False


OPTIMIZERS = {
    "nag": Optimizer(nag, ("momentum", "lookahead"), has_base_iterate=True),
    "gd": Optimizer(optax.sgd),
    "momentum": Optimizer(optax.sgd, ("momentum",)),
    "optax-nesterov": Optimizer(partial(optax.sgd, nesterov=True), ("momentum",)),
    "adagrad": Optimizer(optax.adagrad),
    "adadelta": Optimizer(optax.adadelta),
    "adam": Optimizer(optax.adam),
}
DEFAULTS = {"momentum": 0.9, "lookahead": 1.0}


def add_arguments(parser: Parser, learning_rates: Mapping[str, float]) -> None:
    """Adds --optimizer, --learning-rate, --momentum and --lookahead."""
    rates = ", ".join(f"{name} {rate:g}" for name, rate in learning_rates.items())
    parser.add_argument("--optimizer", choices=OPTIMIZERS, help="default: nag")
    parser.add_argument("--learning-rate", type=number(float, above=0), help=f"default: {rates}")
    parser.add_argument(
        "--momentum", type=number(float, at_least=0, below=1), help=_help("momentum", "in [0, 1), 0.9 by default")
    )
    parser.add_argument(
        "--lookahead",
        type=number(float, at_least=0),
        help=_help("lookahead", "0 is classical momentum, 1 (the default) Nesterov's method"),
    )


def complete(given: Mapping[str, Any], learning_rates: Mapping[str, float]) -> dict[str, Any]:
    """The options of an optimizer, with the defaults of those that were not given."""
    name = given.get("optimizer", "nag")
    takes = OPTIMIZERS[name].options
    for option in DEFAULTS:
        if option in given and option not in takes:
            raise UsageError(f"argument --{option}: not an option of {name}")
    defaults = {"optimizer": name, "learning_rate": learning_rates[name], **{o: DEFAULTS[o] for o in takes}}
    return {option: given.get(option, default) for option, default in defaults.items()}


def build(options: Namespace, learning_rate: optax.Schedule | None = None) -> optax.GradientTransformation:
    """The transformation that the options name, perhaps with a schedule in the place of their learning rate."""
    optimizer = OPTIMIZERS[options.optimizer]
    return optimizer.build(
        learning_rate or options.learning_rate, **{option: getattr(options, option) for option in optimizer.options}
    )


def describe(options: Namespace) -> str:
    """As ``nag, learning rate 0.02, momentum 0.9, lookahead 1``."""
    names = ("learning_rate", *OPTIMIZERS[options.optimizer].options)
    return ", ".join([options.optimizer, *(f"{name.replace('_', ' ')} {getattr(options, name):g}" for name in names)])


def _help(option: str, meaning: str) -> str:
    takers = ", ".join(name for name, optimizer in OPTIMIZERS.items() if option in optimizer.options)
    return f"of {takers}: {meaning}"
