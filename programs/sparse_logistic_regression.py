"""A regularisation path of sparse logistic regression: ``python -m programs.sparse_logistic_regression``.

The breast cancer data, 30 measurements of 569 tumours. For a ladder of l1 strengths the path is solved twice: all at
once with ``jax.vmap``, and one after the other, each from the solution before. Both are one jitted call. The intercept
is free of the penalty. It prints a table, and leaves ``path.csv`` and ``path.png`` in a folder ``runs/path-001``.
"""

import csv
import io
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import sklearn.datasets
import sklearn.model_selection

from nag_optax import minimize, prox
from trainer.command_line import Parser, number
from trainer.run import history, program, run_folder
from trainer.run.storage import write_atomically


def load(seed):
    """(features, signs) for training and for testing, standardised by the former, and the features' names."""
    data = sklearn.datasets.load_breast_cancer()
    train, test, train_signs, test_signs = sklearn.model_selection.train_test_split(
        data.data, 2.0 * data.target - 1, test_size=0.25, random_state=seed, stratify=data.target
    )
    mean, deviation = train.mean(0), train.std(0)
    pairs = ((train, train_signs), (test, test_signs))
    return *((jnp.asarray((x - mean) / deviation), jnp.asarray(signs)) for x, signs in pairs), data.feature_names


def margins(params, data):
    """Signed distances to the decision boundary."""
    features, signs = data
    return signs * (features @ params["weights"] + params["intercept"])


def logistic_loss(params, data):
    """Mean of log(1 + exp(-margin))."""
    return jnp.logaddexp(0, -margins(params, data)).mean()


def solve(strength, init_params, data, tol):
    """The sparse regression of one strength, from params or from another solution."""
    penalty = prox.masked(prox.l1(strength), {"weights": True, "intercept": False})
    return minimize(logistic_loss, init_params, args=(data,), prox=penalty, tol=tol)


@jax.jit
def all_at_once(strengths, start, data, tol):
    """The path by ``vmap``: every strength from the same start."""
    return jax.vmap(lambda strength: solve(strength, start, data, tol))(strengths)


@jax.jit
def one_after_the_other(strengths, start, data, tol):
    """The path by ``scan``: every strength from the solution before."""

    def step(before, strength):
        solution = solve(strength, before, data, tol)
        return solution, solution

    return jax.lax.scan(step, solve(strengths[0], start, data, tol), strengths)[1]


def timed(function, *arguments):
    """(result, seconds), compilation excluded."""
    jax.block_until_ready(function(*arguments))
    begin = time.perf_counter()
    return jax.block_until_ready(function(*arguments)), time.perf_counter() - begin


def smallest_that_selects_nothing(data):
    """The l1 strength from which on all weights are 0: the largest gradient at the best intercept."""
    _, signs = data
    intercept = jnp.log((signs > 0).mean() / (signs < 0).mean())
    null = {"weights": jnp.zeros(data[0].shape[1]), "intercept": intercept}
    return jnp.abs(jax.grad(logistic_loss)(null, data)["weights"]).max()


def plot(strengths, weights, accuracies, names, path):
    """Weights and accuracies along the path."""
    fig, (above, below) = plt.subplots(2, 1, figsize=(8, 6), sharex=True, constrained_layout=True, height_ratios=[3, 1])
    above.semilogx(strengths, weights, color="#b0b0b0", lw=1)
    largest = np.argsort(-np.abs(weights).max(0))[:6]
    for j in largest:
        above.semilogx(strengths, weights[:, j], lw=2, label=names[j])
    above.set(ylabel="weight", title="Sparse logistic regression: the path")
    above.legend(fontsize=8)
    for label, values in accuracies.items():
        below.semilogx(strengths, values, label=label)
    below.set(xlabel="l1 strength", ylabel="accuracy")
    below.invert_xaxis()
    below.legend(fontsize=8)
    history.write_figure(path, fig)
    plt.close(fig)


def make_parser():
    """The command line."""
    parser = Parser(
        "A regularisation path of sparse logistic regression.", module="programs.sparse_logistic_regression"
    )
    for name, kind, default, meaning in (
        ("strengths", number(int, at_least=2), 30, "points of the path"),
        ("smallest", number(float, above=0, below=1), 1e-3, "last strength as a share of the first"),
        ("tol", number(float, above=0), 1e-6, "tolerance of the solver"),
        ("seed", number(int, at_least=0, at_most=2**32 - 1), 0, "seed of the split into training and test data"),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default, help=f"{meaning} (default: {default})")
    parser.add_argument("--out", type=Path, help="new or empty folder; default: the next runs/path-001, -002, ...")
    return parser


def main(arguments=None):
    """Runs the command line."""
    jax.config.update("jax_enable_x64", True)
    parser = make_parser()
    with program.in_words(parser):
        options = vars(parser.parse_args(arguments))
        with run_folder.create(options.pop("out", None), "path", {"kind": "path", "options": options}) as folder:
            run(folder, options)


def run(folder, options):
    """Solves the path twice, prints and saves it."""
    train, test, names = load(options["seed"])
    largest = float(smallest_that_selects_nothing(train))
    strengths = largest * jnp.geomspace(1, options["smallest"], options["strengths"])
    start = {"weights": jnp.zeros(train[0].shape[1]), "intercept": jnp.zeros(())}

    batch, batch_seconds = timed(all_at_once, strengths, start, train, options["tol"])
    path, path_seconds = timed(one_after_the_other, strengths, start, train, options["tol"])
    weights = np.asarray(path.params["weights"])
    correct = jax.vmap(lambda params, data: (margins(params, data) > 0).mean(), (0, None))
    accuracies = {"training": np.asarray(correct(path.params, train)), "test": np.asarray(correct(path.params, test))}

    header = ("strength", "nonzeros", "train loss", "train accuracy", "test accuracy", "steps", "steps of vmap")
    losses = jax.vmap(lambda params: logistic_loss(params, train))(path.params)
    nonzeros = (weights != 0).sum(1)
    rows = list(zip(strengths, nonzeros, losses, *accuracies.values(), path.steps, batch.steps, strict=True))
    print("".join(f"{title:>16}" for title in header))
    for row in rows:
        print("".join(f"{float(x):>16.5g}" for x in row))
    apart = float(np.abs(weights - np.asarray(batch.params["weights"])).max())
    print(f"\nall at once: {batch}; {batch_seconds:.3f} s, {int(batch.steps.sum())} steps")
    print(f"one after the other: {path}; {path_seconds:.3f} s, {int(path.steps.sum())} steps")
    print(f"largest difference of a weight: {apart:.1e}")

    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow([*header, *names])
    writer.writerows([*map(float, row), *map(float, w)] for row, w in zip(rows, weights, strict=True))
    write_atomically(folder / "path.csv", table.getvalue().encode())
    plot(strengths, weights, accuracies, names, folder / "path.png")
    print(f"path.csv and path.png are in {folder}")


if __name__ == "__main__":
    main()
