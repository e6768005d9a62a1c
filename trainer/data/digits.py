"""Scikit-learn's digits: 1,797 real images of 8x8 pixels that come with the package, and need no download.

Every random choice is a pure function of a seed and a position in training. A run that is resumed therefore sees what
it would have seen without the interruption.
"""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

TRAIN_SIZE = 1437  # four fifths


class Digits(NamedTuple):
    """Images [N, 8, 8, 1] with pixels in [0, 1] and labels [N], split once and for all seeds in the same way."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load() -> Digits:
    """The data, with as many digits of every class in training as in test, up to rounding, in proportion."""
    # This import takes seconds. Inside, it keeps nobody waiting for an error message about the command line.
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels.astype(np.int32), train_size=TRAIN_SIZE, stratify=labels, random_state=0
    )
    return Digits(train_images, train_labels, test_images, test_labels)


def batch(data: Digits, seed: int, position: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels at a position of the stream of batches, from 0: every epoch the training set in another
    random order. What is left after its last full batch waits for another epoch: batches of one shape compile once.
    """
    epoch, k = divmod(position, TRAIN_SIZE // batch_size)
    order = np.random.default_rng([seed, epoch + 1]).permutation(TRAIN_SIZE)
    chosen = order[k * batch_size : (k + 1) * batch_size]
    return data.train_images[chosen], data.train_labels[chosen]


def write_images(folder: Path) -> None:
    """Writes the digits as PNG files, ``train/<class>/*`` and ``val/<class>/*``, 32x32 pixels with a border that tests
    cut off.
    """
    import PIL.Image
    import PIL.ImageOps

    data = load()
    for name, images, labels in (
        ("train", data.train_images, data.train_labels),
        ("val", data.test_images, data.test_labels),
    ):
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = folder / name / str(label) / f"{i:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = PIL.Image.fromarray((255 * image[..., 0]).astype(np.uint8))
            PIL.ImageOps.expand(pixels.resize((32, 32), PIL.Image.Resampling.BICUBIC), 2).save(path)


def random_shift(key: Array, images: Array) -> Array:
    """Moves every image [N, H, W, C] by -1, 0 or 1 pixels along each axis, and fills with background."""
    count, height, width, channels = images.shape
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    corners = jax.random.randint(key, (count, 2), 0, 3)

    def crop(image, corner):
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), (height, width, channels))

    return jax.vmap(crop)(padded, corners)
