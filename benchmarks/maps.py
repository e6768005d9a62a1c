"""Muon and its relatives: steps to AdamW's loss, on a transformer, a CNN and VGG16.

    python -m benchmarks.maps --runs benchmarks/results/maps-cpu.csv --out benchmarks/results/maps-cpu

Every learning rate is the best of at least seven, three a decade, none at the edge; then five seeds. The target is the
median loss that AdamW ends with, in the mean over the last fifth of the training. A finished run is a line of the file
of runs: interrupted, and started again, the benchmark goes on after the last.
"""

from benchmarks import maps_report
from benchmarks.comparison import Comparison
from benchmarks.map_methods import ADAMW, CONTESTANTS

STEPS = {"byte transformer": 1500, "digits CNN": 300, "narrow VGG16": 300}
RATES = {"byte transformer": 1.0, "digits CNN": 0.2, "narrow VGG16": 0.1}
"""Learning rates of gradient descent to begin with, for `nag`."""

MAPS = Comparison(STEPS, RATES, lambda task: CONTESTANTS, (ADAMW,), maps_report)


def main():
    """Trains what is missing, prints, writes."""
    MAPS.command("Muon and its relatives against AdamW.")


if __name__ == "__main__":
    main()
