"""Steps and seconds to a target, for ``nag`` and the methods that it is said to beat.

    python -m benchmarks.training --runs runs.csv

Every method's learning rate is the best of at least seven, three a decade, and never the smallest or largest that was
tried; then five seeds. The target of a task is the median loss that the best method of the article ends with, in the
mean over the last fifth of the training. A finished run is a line of the file of runs: interrupted, and started again,
the benchmark goes on after the last. Given the same file, it prints the tables at once.
"""

from benchmarks import training_report
from benchmarks.comparison import Comparison
from benchmarks.methods import ARTICLE, NAG, PEERS, TABLE

STEPS = {"digits CNN": 300, "narrow VGG16": 300, "deep autoencoder": 5000, "small transformer": 1000}
RATES = {"digits CNN": 0.2, "narrow VGG16": 0.1, "deep autoencoder": 0.3, "small transformer": 1.0}
"""Learning rates of gradient descent to begin with."""


def methods(task):
    """The contestants of a task, by name."""
    return PEERS | NAG | (TABLE if task == "deep autoencoder" else {})


TRAINING = Comparison(STEPS, RATES, methods, ARTICLE, training_report)


def main():
    """Trains what is missing, prints, writes."""
    TRAINING.command("Steps and seconds to a target, for nag and its peers.")


if __name__ == "__main__":
    main()
