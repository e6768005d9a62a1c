"""Loss, accuracy and confusions on images that are held out."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nag_optax import eval_params
from trainer.data.image_folder import Image
from trainer.data.image_loader import Loader
from trainer.image_classifier.training import Training
from trainer.networks import vgg16
from trainer.run.history import Row, tested


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

    def __init__(self, graph, loader: Loader, images: list[Image], split, has_base_iterate: bool):
        self._test, self._loader, self._images, self._split = jax.jit(make_test(graph)), loader, images, split
        self._has_base_iterate = has_base_iterate

    def row(self, state: Training) -> Row:
        """Loss and accuracy at the parameters, and at the base iterate if the optimizer has one; normalised by the same
        statistics.
        """
        points = {"test": state.params}
        if self._has_base_iterate:
            points["base"] = eval_params(state.opt_state, state.params)
        measured = self.measure(points, state.statistics)
        return tested({name: (loss, np.trace(counts) / counts.sum()) for name, (loss, counts) in measured.items()})

    def measure(self, points: dict[str, Any], statistics: Any) -> dict[str, tuple[float, np.ndarray]]:
        """The mean loss and the confusion matrix of each of the params, on images that are decoded once."""
        sums: dict[str, tuple[float, Any]] = dict.fromkeys(points, (0.0, 0.0))
        for batch in self._loader.test(self._images):
            batch = jax.device_put(batch, self._split)
            for name, params in points.items():
                loss, confusion = jax.device_get(self._test(params, statistics, *batch))
                sums[name] = (sums[name][0] + float(loss), sums[name][1] + confusion)
        return {name: (loss / float(confusion.sum()), confusion) for name, (loss, confusion) in sums.items()}
