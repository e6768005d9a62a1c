"""Trains VGG16 on a folder of images with `nag_optax.nag`, from scratch or from the weights of torchvision or timm.

    python -m programs.train_vgg16
    python -m programs.train_vgg16 --data imagenette --normalization batch --out runs/imagenette
    python -m programs.train_vgg16 --data flowers --pretrained vgg16.safetensors --fine-tune --learning-rate 0.005
    python -m programs.train_vgg16 --out runs/imagenette --resume

The first line writes scikit-learn's digits as a folder of PNG files and trains a narrow network on it, in about two
minutes on two CPU cores. The optimizer is nag with a warm-up and a cosine decay of the learning rate ::

    tx = nag(optax.warmup_cosine_decay_schedule(0.0, 0.02, warmup, updates), momentum=0.9)

or one of its peers (--optimizer). Batches are split over all devices; with --sharding fsdp, params and the state of the
optimizer are split as well. A run may be killed at any moment: --resume continues to the bits of an undisturbed run.
"""

import os
import sys
from pathlib import Path

import jax

from trainer.command_line import printable
from trainer.data import digits, inventory
from trainer.data.image_loader import Augmentation, Loader
from trainer.image_classifier.options import DIGITS, complete, describe, make_parser, scanned
from trainer.image_classifier.report import TensorBoard, draw_confusion
from trainer.image_classifier.testing import Tester
from trainer.image_classifier.training import first_state, make_optimizer, make_step
from trainer.parallel import data_parallel
from trainer.run import history, optimizers, program
from trainer.run.epochs import run_epochs
from trainer.run.run_folder import Run


def folder_of(run: Run) -> Path:
    """Where the images are; the digits are written as files first, all or none of them."""
    if run.options.data != DIGITS:
        return Path(run.options.data)
    folder = run.folder / "digits"
    if not folder.exists():
        unfinished = run.folder / "digits.tmp"
        digits.write_images(unfinished)
        os.replace(unfinished, folder)
    return folder


def train(run: Run) -> None:
    """Trains on all devices, and prints what came out of it."""
    options = run.options
    title = f"{describe(vars(options))}, {optimizers.describe(options)}, seed {options.seed}"
    print(f"{title}, on {data_parallel.describe()}", flush=True)
    folder = folder_of(run)
    images = scanned(str(folder))
    if images.others:
        more = f", and {len(images.others) - 1} more" if len(images.others) > 1 else ""
        print(f"Left out what is no image of a class: {printable(images.others[0])}{more}", file=sys.stderr)
    steps_per_epoch = len(images.train) // options.batch_size
    tx = make_optimizer(options, steps_per_epoch)
    graph, state = first_state(options, tx)
    _, split = data_parallel.shardings()
    loader = Loader(options.image_size, options.batch_size, options.threads, stop_at_corrupt=options.corrupt == "error")
    tester = Tester(graph, loader, images.test, split, optimizers.OPTIMIZERS[options.optimizer].has_base_iterate)
    step = jax.jit(
        make_step(graph, tx, options),
        donate_argnums=0,
        out_shardings=(jax.tree.map(lambda x: x.sharding, state), None),
    )
    key = jax.random.key(options.seed)

    with TensorBoard(run.folder / "tensorboard") as board:
        state, last = run_epochs(
            run,
            state,
            stream=loader.train(images.train, options.seed, Augmentation(options.smallest_crop, options.flip)),
            step=lambda state, batch: step(state, key, *jax.device_put(batch, split)),
            test=tester.row,
            steps_per_epoch=steps_per_epoch,
            title=title,
            save_every=options.save_every,
            log=board.log,
            data=inventory.take(images, folder, options.threads),
        )
    _, confusion = tester.measure({"test": state.params}, state.statistics)["test"]
    draw_confusion(run.folder / "confusion.png", confusion, images.classes, title)
    print(history.summary(last))
    if loader.corrupt:
        print(f"Left out, as they cannot be decoded: {len(loader.corrupt)}", file=sys.stderr)
    print(f"Wrote config.json, metrics.csv, curves.png, confusion.png, tensorboard and checkpoints to {run.folder}")


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    scanned.cache_clear()  # of another run in this process: the images may have changed
    program.run("vgg16", arguments, make_parser(__doc__, "programs.train_vgg16"), complete, train)


if __name__ == "__main__":
    main()
