"""Weights and images for a VGG16."""

import numpy as np
import PIL.Image

from trainer.networks import vgg16


def write_pictures(folder, classes=("blue", "green", "red"), count=24, size=40):
    """Noise around a colour for each class."""
    rng = np.random.default_rng(0)
    for name, colour in zip(classes, np.eye(3)[::-1], strict=False):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = 100 * colour + rng.integers(0, 100, (size, size + i % 5, 3))
            PIL.Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{i:02}.png")


def random_weights(batch_norm=False, width=1 / 16, classes=1000, grid=7):
    """Tensors with the names and shapes of torchvision's VGG16."""
    rng, tensors, place, inputs = np.random.default_rng(0), {}, 0, 3
    for feature in vgg16.FEATURES:
        if feature == vgg16.POOL:
            place += 1
            continue
        outputs = vgg16.scaled(feature, width)
        tensors[f"features.{place}.weight"] = rng.normal(0, (2 / 9 / inputs) ** 0.5, (outputs, inputs, 3, 3))
        tensors[f"features.{place}.bias"] = rng.normal(0, 0.1, outputs)
        if batch_norm:
            for leaf in ("weight", "bias", "running_mean", "running_var"):
                tensors[f"features.{place + 1}.{leaf}"] = rng.uniform(0.5, 1.5, outputs)
            tensors[f"features.{place + 1}.num_batches_tracked"] = np.array(7)
        place, inputs = place + 2 + batch_norm, outputs
    dense = vgg16.scaled(vgg16.DENSE, width)
    for i, (n, m) in zip((0, 3, 6), ((inputs * grid**2, dense), (dense, dense), (dense, classes)), strict=True):
        tensors[f"classifier.{i}.weight"] = rng.normal(0, n**-0.5, (m, n))
        tensors[f"classifier.{i}.bias"] = rng.normal(0, 0.1, m)
    return {k: v if v.ndim == 0 else v.astype(np.float32) for k, v in tensors.items()}
