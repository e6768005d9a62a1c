"""The command line of ``programs/train_vgg16.py``."""

import functools
import os
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from trainer.command_line import Parser, UsageError, boolean, flag, number, printable
from trainer.data import digits, image_folder
from trainer.networks import pretrained, vgg16
from trainer.parallel import data_parallel
from trainer.run import optimizers, run_folder
from trainer.run.run_folder import Options

DIGITS = "digits"
NONE = "none"
DEFAULTS: dict[str, Any] = {  # for a folder of photographs
    "epochs": 60,
    "batch_size": 128,
    "accumulate": 1,
    "image_size": 224,
    "width": 1.0,
    "normalization": "none",
    "dropout": 0.5,
    "smallest_crop": 0.08,
    "flip": 0.5,
    "label_smoothing": 0.1,
    "weight_decay": 5e-4,
    "warmup_epochs": 3,
    "pretrained": NONE,
    "fine_tune": False,
    "sharding": "data",
    "precision": "float32",
    "corrupt": "skip",
    "threads": os.cpu_count() or 1,
    "save_every": 0,
    "seed": 0,
}
OF_DIGITS: dict[str, Any] = {  # what a small network on small images without a left and a right needs
    "epochs": 12,
    "batch_size": 64,
    "image_size": 32,
    "width": 1 / 8,
    "normalization": "batch",
    "dropout": 0.0,
    "smallest_crop": 0.7,
    "flip": 0.0,
    "warmup_epochs": 1,
}
LEARNING_RATES = {
    "nag": 0.02,
    "gd": 0.2,
    "momentum": 0.02,
    "optax-nesterov": 0.02,
    "adagrad": 0.02,
    "adadelta": 1.0,
    "adam": 5e-4,
}


def make_parser(description: str | None, module: str) -> Parser:
    """The options, without defaults: `complete` adds them."""
    parser = Parser(description, module=module)
    seed = number(int, at_least=0, at_most=2**32 - 1)
    share = number(float, at_least=0, below=1)
    positive = number(int, at_least=1)

    def add(group, name, kind, meaning, **more):
        default, small = DEFAULTS[name], OF_DIGITS.get(name)
        both = f"default: {default}" + ("" if small is None else f", of the digits {small}")
        group.add_argument(flag(name), type=kind, help=f"{meaning}; {both}", **more)

    data = parser.add_argument_group("data")
    data.add_argument(
        "--data", type=_folder, help="folder with train/<class>/* and val/<class>/*, or <class>/*; default: digits"
    )
    add(data, "image_size", number(int, at_least=32), "rows and columns, at least 32")
    add(data, "smallest_crop", number(float, above=0, at_most=1), "share of the area that a random crop has at least")
    add(data, "flip", number(float, at_least=0, at_most=1), "probability of a reflection")
    add(data, "corrupt", str, "what to do about an image that cannot be decoded", choices=("skip", "error"))
    add(data, "threads", positive, "that decode")

    network = parser.add_argument_group("network")
    add(network, "width", number(float, above=0), "what all widths are multiplied by")
    add(network, "normalization", str, "after every convolution", choices=("none", "batch"))
    add(network, "dropout", share, "of the dense layers, in [0, 1)")
    add(network, "pretrained", _file, "safetensors file with the weights of torchvision's or timm's VGG16")
    add(network, "fine_tune", boolean, "train the dense layers only", nargs="?", const=True)
    add(network, "precision", str, "of the computation; params are float32", choices=("float32", "bfloat16"))

    training = parser.add_argument_group("training")
    optimizers.add_arguments(training, LEARNING_RATES)
    add(training, "epochs", positive, "times around the images")
    add(training, "batch_size", positive, "over all devices")
    add(training, "accumulate", positive, "batches whose mean gradient makes an update")
    add(training, "warmup_epochs", number(int, at_least=0), "of a rising learning rate, before a cosine")
    add(training, "label_smoothing", share, "in [0, 1)")
    add(training, "weight_decay", number(float, at_least=0), "added to the gradients of kernels")
    add(training, "sharding", str, "params on every device, or split over all", choices=("data", "fsdp"))
    add(training, "save_every", number(int, at_least=0), "steps from checkpoint to checkpoint; 0: an epoch")
    add(training, "seed", seed, "of all random choices")
    run_folder.add_arguments(parser, "vgg16")
    return parser


def complete(given: Options) -> Options:
    """All options, of those that were given; data and weights are looked at."""
    data = given.get("data", DIGITS)
    defaults = DEFAULTS | (OF_DIGITS if data == DIGITS else {})
    options = {"data": data, **{name: given.get(name, default) for name, default in defaults.items()}}
    options |= optimizers.complete(given, LEARNING_RATES)
    available = digits.TRAIN_SIZE if data == DIGITS else len(scanned(data).train)
    if options["batch_size"] > available:
        raise UsageError(
            f"argument --batch-size: must be at most {available}, the images to train on, got {options['batch_size']}"
        )
    if options["warmup_epochs"] >= options["epochs"]:
        raise UsageError(
            f"argument --warmup-epochs: must be below the {options['epochs']} epochs, got {options['warmup_epochs']}"
        )
    if options["fine_tune"] and options["pretrained"] == NONE:
        raise UsageError("argument --fine-tune: needs --pretrained")
    data_parallel.check_batch_size(options["batch_size"])
    if options["pretrained"] != NONE:
        shapes = jax.eval_shape(lambda: network(Namespace(**options))[1:])
        pretrained.check(Path(options["pretrained"]), *shapes)
    return options


def network(options: Namespace) -> tuple[Any, Any, Any]:
    """`vgg16.create`, of the options."""
    return vgg16.create(
        options.seed,
        len(class_names(options)),
        width=options.width,
        grid=min(vgg16.GRID, options.image_size // 32),
        batch_norm=options.normalization == "batch",
        dropout=options.dropout,
        dtype=jnp.dtype(options.precision),
    )


def class_names(options: Namespace) -> list[str]:
    """What there is to tell apart."""
    return list("0123456789") if options.data == DIGITS else scanned(options.data).classes


@functools.cache
def scanned(data: str) -> image_folder.ImageFolder:
    """The images of a folder; looked at once."""
    return image_folder.scan(Path(data))


def describe(options: Mapping[str, Any]) -> str:
    """As ``digits: VGG16 x 0.125, 32x32, batch normalization``."""
    name = printable(Path(options["data"]).name)
    norm = ", batch normalization" if options["normalization"] == "batch" else ""
    return f"{name}: VGG16 x {options['width']:g}, {options['image_size']}x{options['image_size']}{norm}"


def _folder(text: str) -> str:
    return text if text == DIGITS else str(Path(text).absolute())


def _file(text: str) -> str:
    return text if text == NONE else str(Path(text).absolute())
