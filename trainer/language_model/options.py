"""The command line of ``programs/train_diloco.py``."""

from argparse import Namespace

import jax

from trainer.command_line import Parser, UsageError, number
from trainer.data import byte_text
from trainer.language_model.methods import COMMUNICATION, METHODS
from trainer.run.run_folder import Options

LENGTH, HEADS, TEST_WINDOWS = 64, 4, 256
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
    if TEST_WINDOWS % count:
        raise UsageError(f"argument --replicas: must divide {TEST_WINDOWS}, got {count}")
    return options


def sizes(options: Namespace) -> dict[str, int]:
    """Of the transformer."""
    return {
        "vocabulary": byte_text.VOCABULARY,
        "length": LENGTH,
        "width": options.width,
        "depth": options.depth,
        "heads": HEADS,
    }
