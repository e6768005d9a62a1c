"""The deep autoencoder of the benchmark of trainings: its images and its network."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import autoencoder


def test_a_curve_passes_its_three_points():
    points = np.array([[4.0, 20.0], [14.0, 6.0], [23.0, 15.0]])
    image = np.asarray(autoencoder.drawn(jnp.asarray(points))).reshape(28, 28)
    assert image.max() <= 1 and image.min() >= 0 and image.mean() < 0.2
    assert all(image[int(x), int(y)] > 0.95 for x, y in points)


def test_the_network_is_the_papers():
    params = jax.jit(autoencoder.init)(0)
    assert [p["weights"].shape for p in params] == [
        *((784, 400), (400, 200), (200, 100), (100, 50), (50, 25), (25, 6)),
        *((6, 25), (25, 50), (50, 100), (100, 200), (200, 400), (400, 784)),
    ]
    for layer in params:
        assert np.all(np.sum(layer["weights"] != 0, axis=0) == min(15, len(layer["weights"])))
    images = np.random.default_rng(0).uniform(size=(3, 784))
    x = images
    for i, layer in enumerate(params):
        x = x @ np.asarray(layer["weights"], float) + np.asarray(layer["biases"])
        x = x if i == 5 else 1 / (1 + np.exp(-x))
    expected = ((x - images) ** 2).sum(axis=1).mean()
    np.testing.assert_allclose(autoencoder.squared_error(params, images), expected, rtol=1e-4)
