"""Trains VGG16 on a folder of images with `nag_optax.nag`, from scratch or from the weights of torchvision or timm.

    python examples/train_vgg16.py
    python examples/train_vgg16.py --data imagenette --normalization batch --out runs/imagenette
    python examples/train_vgg16.py --data flowers --pretrained vgg16.safetensors --fine-tune --learning-rate 0.005
    python examples/train_vgg16.py --out runs/imagenette --resume

The first line writes scikit-learn's digits as a folder of PNG files and trains a narrow network on it, in about two
minutes on two CPU cores. The optimizer is nag with a warm-up and a cosine decay of the learning rate ::

    tx = nag(optax.warmup_cosine_decay_schedule(0.0, 0.02, warmup, updates), momentum=0.9)

or one of its peers (--optimizer). Batches are split over all devices; with --sharding fsdp, params and the state of the
optimizer are split as well. A run may be killed at any moment: --resume continues to the bits of an undisturbed run.
"""

import os
import sys
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import data_parallel
import digits
import history
import image_folder
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optimizers
import pretrained
import program
import vgg16
import vgg16_options
import vgg16_report
from epochs import run_epochs
from image_loader import Augmentation, Loader
from jax import Array
from run_folder import Run

from nag_optax import eval_params, state_shardings


class Training(NamedTuple):
    """All that a step changes: its number, params, statistics of the normalisations, the optimizer's state."""

    step: Array
    params: Any
    statistics: Any
    opt_state: Any


def make_optimizer(options: Namespace, steps_per_epoch: int) -> optax.GradientTransformation:
    """Weight decay, the optimizer with its schedule, freezing and accumulation."""
    updates_per_epoch = max(1, steps_per_epoch // options.accumulate)
    rate = optax.warmup_cosine_decay_schedule(
        0.0, options.learning_rate, options.warmup_epochs * updates_per_epoch, options.epochs * updates_per_epoch
    )
    tx = optimizers.build(options, rate)
    if options.weight_decay:
        kernels = partial(jax.tree.map, lambda p: p.ndim > 1)
        tx = optax.chain(optax.add_decayed_weights(options.weight_decay, kernels), tx)
    if options.fine_tune:
        tx = optax.partition({"train": tx, "freeze": optax.set_to_zero()}, trained_layers)
    return optax.MultiSteps(tx, options.accumulate).gradient_transformation() if options.accumulate > 1 else tx


def trained_layers(params: Any) -> Any:
    """A label for every parameter: only the dense layers are trained."""

    def label(path, _):
        return "freeze" if path and path[0].key != "dense" else "train"

    return jax.tree_util.tree_map_with_path(label, params)


def make_step(graph, tx: optax.GradientTransformation, options: Namespace):
    """One step of training: the next state, and loss and accuracy before it."""

    def loss_fn(params, statistics, key, images, labels):
        logits, statistics = vgg16.apply(graph, params, statistics, images, key)
        targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), options.label_smoothing)
        accuracy = (logits.argmax(axis=-1) == labels).mean()
        return optax.softmax_cross_entropy(logits, targets).mean(), (statistics, accuracy)

    def step(state: Training, key: Array, images: Array, labels: Array):
        key = jax.random.fold_in(key, state.step)
        (loss, (statistics, accuracy)), gradients = jax.value_and_grad(loss_fn, has_aux=True)(
            state.params, state.statistics, key, images, labels
        )
        updates, opt_state = tx.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        return Training(state.step + 1, params, statistics, opt_state), (loss, accuracy)

    return step


def make_test(graph):
    """Of a batch, the sum of the losses, and how often each class [row] was taken for each [column]."""

    def test(params, statistics, images, labels):
        logits, _ = vgg16.apply(graph, params, statistics, images)
        counts = labels >= 0
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(labels, 0))
        truth, guess = (jax.nn.one_hot(x, logits.shape[-1]) for x in (labels, logits.argmax(axis=-1)))
        return jnp.sum(losses * counts), truth.T @ guess

    return test


class Tester:
    """Tests a state on all images that are held out."""

    def __init__(self, graph, loader: Loader, images: list[image_folder.Image], split, has_base_iterate: bool):
        self._test, self._loader, self._images, self._split = jax.jit(make_test(graph)), loader, images, split
        self._has_base_iterate = has_base_iterate

    def row(self, state: Training) -> history.Row:
        """Loss and accuracy at the parameters, and at the base iterate if the optimizer has one; normalised by the same
        statistics.
        """
        points = {"test": state.params}
        if self._has_base_iterate:
            points["base"] = eval_params(state.opt_state, state.params)
        row: history.Row = dict.fromkeys(("test_loss", "test_accuracy", "base_loss", "base_accuracy"))
        for name, (loss, confusion) in self.measure(points, state.statistics).items():
            row |= {f"{name}_loss": loss, f"{name}_accuracy": float(np.trace(confusion) / confusion.sum())}
        return row

    def measure(self, points: dict[str, Any], statistics: Any) -> dict[str, tuple[float, np.ndarray]]:
        """The mean loss and the confusion matrix of each of the params, on images that are decoded once."""
        sums: dict[str, tuple[float, Any]] = dict.fromkeys(points, (0.0, 0.0))
        for batch in self._loader.test(self._images):
            batch = jax.device_put(batch, self._split)
            for name, params in points.items():
                loss, confusion = jax.device_get(self._test(params, statistics, *batch))
                sums[name] = (sums[name][0] + float(loss), sums[name][1] + confusion)
        return {name: (loss / float(confusion.sum()), confusion) for name, (loss, confusion) in sums.items()}


def first_state(options: Namespace, tx: optax.GradientTransformation):
    """The network's graph and the state before the first step, where it belongs on the devices."""
    graph, params, statistics = vgg16_options.network(options)
    if options.pretrained != vgg16_options.NONE:
        params, statistics, other = pretrained.load(Path(options.pretrained), params, statistics)
        print(f"Weights of {options.pretrained}" + (", except for the last layer: other classes" if other else ""))
    replicated, _ = data_parallel.shardings()
    params = jax.device_put(params, data_parallel.split_params(params) if options.sharding == "fsdp" else replicated)
    opt_state = jax.jit(tx.init, out_shardings=state_shardings(tx, params))(params)
    rest = jax.device_put((jnp.zeros((), jnp.int32), statistics), replicated)
    return graph, Training(rest[0], params, rest[1], opt_state)


def folder_of(run: Run) -> image_folder.ImageFolder:
    """The images; the digits are written as files first, all or none of them."""
    if run.options.data != vgg16_options.DIGITS:
        return vgg16_options.scanned(run.options.data)
    folder = run.folder / "digits"
    if not folder.exists():
        unfinished = run.folder / "digits.tmp"
        digits.write_images(unfinished)
        os.replace(unfinished, folder)
    return image_folder.scan(folder)


def train(run: Run) -> None:
    """Trains on all devices, and prints what came out of it."""
    options = run.options
    title = f"{vgg16_options.describe(vars(options))}, {optimizers.describe(options)}, seed {options.seed}"
    print(f"{title}, on {data_parallel.describe()}", flush=True)
    images = folder_of(run)
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

    with vgg16_report.TensorBoard(run.folder / "tensorboard") as board:
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
        )
    _, confusion = tester.measure({"test": state.params}, state.statistics)["test"]
    vgg16_report.draw_confusion(run.folder / "confusion.png", confusion, images.classes, title)
    print(history.summary(last))
    if loader.corrupt:
        print(f"Left out {len(loader.corrupt)} images that cannot be decoded", file=sys.stderr)
    print(f"Wrote config.json, metrics.csv, curves.png, confusion.png, tensorboard and checkpoints to {run.folder}")


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    program.run("vgg16", arguments, vgg16_options.make_parser(__doc__), vgg16_options.complete, train)


if __name__ == "__main__":
    main()
