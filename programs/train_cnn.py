"""Trains a small CNN on scikit-learn's digits with Flax, `nag_optax.nag` and all local devices.

    python -m programs.train_cnn
    python -m programs.train_cnn --optimizer adam --out runs/adam
    python -m programs.train_cnn --out runs/adam --resume --epochs 60

The first line takes less than a minute on two CPU cores and reaches 98 % test accuracy. What is special about Nesterov
acceleration is two lines long. One makes the optimizer, which works like any other of Optax ::

    tx = nag(learning_rate, momentum=0.9)

The parameters are then the point where Nesterov's method takes its gradients. The other line finds the base iterate,
the point that its theory speaks about, and both are tested ::

    eval_params(state.opt_state, state.params)

A run may be killed at any moment. ``--resume`` continues to the bits of a run that was never interrupted; on a GPU,
this needs ``XLA_FLAGS=--xla_gpu_deterministic_ops=true``.
"""

from functools import partial

import jax
import jax.numpy as jnp
import optax
from flax.training.train_state import TrainState
from jax import Array

from nag_optax import eval_params
from trainer.command_line import Parser, number
from trainer.data import digits
from trainer.networks import cnn
from trainer.parallel import data_parallel
from trainer.run import history, optimizers, program, run_folder
from trainer.run.epochs import Counted, run_epochs
from trainer.run.run_folder import Run

DEFAULTS = {"epochs": 30, "batch_size": 128, "seed": 0}


def create_state(key: Array, tx: optax.GradientTransformation) -> TrainState:
    """Random parameters and the state of an optimizer, such as ``nag(0.02, momentum=0.9)``."""
    params = jax.jit(cnn.CNN().init)(key, jnp.zeros((1, 8, 8, 1)))["params"]
    return TrainState.create(apply_fn=cnn.CNN().apply, params=params, tx=tx)


@partial(jax.jit, donate_argnames="state")
def train_step(state: TrainState, key: Array, images: Array, labels: Array):
    """One step of training on randomly shifted images: the new state, and loss and accuracy before the step."""
    images = digits.random_shift(jax.random.fold_in(key, state.step), images)
    metrics, gradients = jax.value_and_grad(cnn.loss_and_accuracy, has_aux=True)(state.params, images, labels)
    return state.apply_gradients(grads=gradients), metrics


evaluate = jax.jit(cnn.loss_and_accuracy)


def test_row(state: TrainState, data: digits.Digits, has_base_iterate: bool) -> history.Row:
    """Test loss and accuracy at the parameters, and at the base iterate if the optimizer has one."""
    points = {"test": state.params}
    if has_base_iterate:
        points["base"] = eval_params(state.opt_state, state.params)
    return history.tested(
        {name: evaluate(params, data.test_images, data.test_labels) for name, params in points.items()}
    )


def train(run: Run) -> None:
    """Trains on all devices, and prints what came out of it."""
    options = run.options
    title = f"digits: {optimizers.describe(options)}, batches of {options.batch_size}, seed {options.seed}"
    print(f"{title}, on {data_parallel.describe()}", flush=True)
    data = digits.load()
    replicated, split = data_parallel.shardings()
    init_key, shift_key = jax.random.split(jax.random.key(options.seed))
    state = jax.device_put(create_state(init_key, optimizers.build(options)), replicated)
    has_base_iterate = optimizers.OPTIMIZERS[options.optimizer].has_base_iterate

    _, last = run_epochs(
        run,
        state,
        stream=Counted(lambda k: digits.batch(data, options.seed, k, options.batch_size)),
        step=lambda state, batch: train_step(state, shift_key, *jax.device_put(batch, split)),
        test=lambda state: test_row(state, data, has_base_iterate),
        steps_per_epoch=digits.TRAIN_SIZE // options.batch_size,
        title=title,
    )
    print(history.summary(last))
    print(f"Wrote config.json, metrics.csv, curves.png and checkpoints to {run.folder}")


def make_parser() -> Parser:
    """The options, without defaults: `complete` adds them."""
    parser = Parser(__doc__, module="programs.train_cnn")
    optimizers.add_arguments(parser, cnn.LEARNING_RATES)
    parser.add_argument("--epochs", type=number(int, at_least=1), help=f"default: {DEFAULTS['epochs']}")
    batch_size = number(int, at_least=1, at_most=digits.TRAIN_SIZE)
    parser.add_argument("--batch-size", type=batch_size, help=f"over all devices; default: {DEFAULTS['batch_size']}")
    seed = number(int, at_least=0, at_most=2**32 - 1)
    parser.add_argument("--seed", type=seed, help=f"of all random choices; default: {DEFAULTS['seed']}")
    run_folder.add_arguments(parser, "cnn", ", but --epochs may grow")
    return parser


def complete(given: run_folder.Options) -> run_folder.Options:
    """All options, of those that were given."""
    options = optimizers.complete(given, cnn.LEARNING_RATES)
    options |= {name: given.get(name, default) for name, default in DEFAULTS.items()}
    data_parallel.check_batch_size(options["batch_size"])
    return options


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    program.run("cnn", arguments, make_parser(), complete, train, may_grow={"epochs"})


if __name__ == "__main__":
    main()
