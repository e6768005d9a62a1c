"""How replicas train together, by name, and the options of it."""

from argparse import Namespace
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
import replicas
from command_line import Parser, UsageError, number
from run_folder import Options

from nag_optax import diloco, snoo

COMMUNICATION = {"float32": None, "bfloat16": jnp.bfloat16, "int8": jnp.int8}
HEADS = 4
DEFAULTS = {
    "methods": "sync,diloco,snoo",
    "steps": 4096,
    "period": 64,
    "batch_size": 16,
    "width": 64,
    "depth": 2,
    "learning_rate": 4e-3,
    "outer_learning_rate": 0.7,
    "outer_momentum": 0.5,
    "communication": "float32",
    "seed": 0,
}


class Method(NamedTuple):
    """How replicas train together.

    Attributes:
      optimizer: the transformation, of AdamW and the options.
      averages_gradients: whether every step takes the mean of the replicas' gradients.
      has_base_iterate: whether `nag_optax.eval_params` finds one.
    """

    optimizer: Callable[[optax.GradientTransformation, Namespace], optax.GradientTransformation]
    averages_gradients: bool
    has_base_iterate: bool


def _diloco(inner: optax.GradientTransformation, options: Namespace) -> optax.GradientTransformation:
    return diloco(
        inner,
        options.outer_learning_rate,
        options.outer_momentum,
        axis_name=replicas.AXIS,
        period=options.period,
        communication_dtype=COMMUNICATION[options.communication],
    )


def _snoo(inner: optax.GradientTransformation, options: Namespace) -> optax.GradientTransformation:
    return snoo(inner, options.outer_learning_rate, options.outer_momentum, period=options.period)


METHODS = {
    "sync": Method(lambda inner, options: inner, averages_gradients=True, has_base_iterate=False),
    "diloco": Method(_diloco, averages_gradients=False, has_base_iterate=True),
    "snoo": Method(_snoo, averages_gradients=True, has_base_iterate=True),
}


def adamw(options: Namespace) -> optax.GradientTransformation:
    """The inner optimizer: AdamW with warm-up and cosine decay."""
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, options.learning_rate, options.steps // 20, options.steps, options.learning_rate / 100
    )
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, b2=0.99, weight_decay=0.01))


def add_arguments(parser: Parser) -> None:
    """Adds the options, without defaults: `complete` adds them."""
    positive = number(float, above=0)
    parser.add_argument("--methods", type=_methods, help=f"of {', '.join(METHODS)}; default: {DEFAULTS['methods']}")
    parser.add_argument("--steps", type=number(int, at_least=1), help=f"default: {DEFAULTS['steps']}")
    parser.add_argument(
        "--period", type=number(int, at_least=1), help=f"steps between synchronisations; default: {DEFAULTS['period']}"
    )
    parser.add_argument(
        "--batch-size", type=number(int, at_least=1), help=f"of all replicas; default: {DEFAULTS['batch_size']}"
    )
    parser.add_argument("--width", type=number(int, at_least=1), help=f"of the network; default: {DEFAULTS['width']}")
    parser.add_argument("--depth", type=number(int, at_least=1), help=f"its blocks; default: {DEFAULTS['depth']}")
    parser.add_argument("--learning-rate", type=positive, help=f"of AdamW; default: {DEFAULTS['learning_rate']}")
    parser.add_argument(
        "--outer-learning-rate",
        type=positive,
        help=f"default: {DEFAULTS['outer_learning_rate']}, as in the DiLoCo paper",
    )
    parser.add_argument(
        "--outer-momentum",
        type=number(float, at_least=0, below=1),
        help=f"default: {DEFAULTS['outer_momentum']}; 0.9 in the DiLoCo paper, over hundreds of periods",
    )
    parser.add_argument("--communication", choices=COMMUNICATION, help="what DiLoCo sends; default: float32")
    parser.add_argument("--replicas", type=number(int, at_least=1), help="default: all devices, 2 on CPUs")
    parser.add_argument("--seed", type=number(int, at_least=0, at_most=2**32 - 1), help=f"default: {DEFAULTS['seed']}")


def _methods(text: str) -> str:
    names = text.split(",")
    if unknown := [name for name in names if name not in METHODS]:
        raise UsageError(
            f"argument --methods: must be of {', '.join(METHODS)}, separated by commas; got {unknown[0]!r}"
        )
    return ",".join(dict.fromkeys(names))


def complete(given: Options) -> Options:
    """All options, of those that were given."""
    options = {name: given.get(name, default) for name, default in DEFAULTS.items()}
    count = options["replicas"] = given.get("replicas", jax.device_count())
    if count != jax.device_count():
        raise UsageError(f"argument --replicas: must be the number of devices, {jax.device_count()}, got {count}")
    if options["batch_size"] % count:
        raise UsageError(
            f"argument --batch-size: must be a multiple of the {count} replicas, got {options['batch_size']}"
        )
    if options["width"] % HEADS:
        raise UsageError(f"argument --width: must be a multiple of {HEADS} heads, got {options['width']}")
    if options["steps"] % options["period"]:
        raise UsageError(
            f"argument --steps: must be a multiple of --period, {options['period']}, got {options['steps']}"
        )
    return options
