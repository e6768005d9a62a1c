"""Batches of a folder's images, decoded and augmented by the threads of grain.

Training draws a random crop of every image and perhaps flips it; testing takes the middle. What is random is a function
of the seed and the position in the stream, and the position is its whole state: a stream that is set back to it goes on
with the same bits. An image that cannot be decoded is named on stderr once and left out, or ends the run.
"""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grain
import numpy as np
import PIL.Image

from trainer.command_line import UsageError, printable
from trainer.data import picture
from trainer.data.image_folder import Image

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
"""Of ImageNet, which torchvision's weights were trained with."""
ASPECTS = (3 / 4, 4 / 3)
MARGIN = 256 / 224  # the middle that is tested is cut out of an image so much larger


class Augmentation(NamedTuple):
    """What training does to an image.

    Attributes:
      smallest_crop: share of the area that a random crop has at least, in (0, 1].
      flip: probability of a reflection left to right, in [0, 1].
    """

    smallest_crop: float
    flip: float


class Loader:
    """Batches of images [N, size, size, 3], normalised, float32, and labels [N].

    Args:
      size: rows and columns.
      batch_size: images of a batch.
      threads: that decode.
      stop_at_corrupt: whether an image that cannot be decoded raises a `UsageError`; otherwise it is left out.

    Attributes:
      corrupt: the files that could not be decoded, so far.
    """

    def __init__(self, size: int, batch_size: int, threads: int, *, stop_at_corrupt: bool = False):
        self.size, self.batch_size, self.threads = size, batch_size, threads
        self.corrupt: set[str] = set()
        self._stop_at_corrupt = stop_at_corrupt

    def train(self, images: list[Image], seed: int, augmentation: Augmentation) -> Any:
        """A stream without end, in another order every time around: an iterator with get_state and set_state."""
        paths = {image.path for image in images}

        def load(image, rng):
            loaded = self._loaded(image, lambda p: _random_crop(p, self.size, augmentation, rng))
            if loaded is None and paths <= self.corrupt:  # a stream without end would look for one for ever
                raise _none_of(images)
            return loaded

        source = grain.MapDataset.source(images).seed(seed).shuffle().repeat().random_map(load)
        return iter(self._batched(source, drop_remainder=True))

    def test(self, images: list[Image]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Every image once. The last batch is filled up with the label -1, which counts for nothing."""
        source = grain.MapDataset.source(images).map(lambda i: self._loaded(i, lambda p: _middle(p, self.size)))
        labels = None
        for pixels, labels in self._batched(source, drop_remainder=False):
            missing = self.batch_size - len(labels)
            yield np.pad(pixels, [(0, missing), *[(0, 0)] * 3]), np.pad(labels, (0, missing), constant_values=-1)
        if labels is None:
            raise _none_of(images)

    def _batched(self, source, *, drop_remainder):
        reading = grain.ReadOptions(num_threads=self.threads, prefetch_buffer_size=max(4 * self.threads, 16))
        return source.to_iter_dataset(reading).batch(self.batch_size, drop_remainder=drop_remainder)

    def _loaded(self, image, cut):
        """(pixels, label), or None where the file is corrupt: grain leaves that out."""
        try:
            loaded = picture.load(image.path, least=2 * self.size)
        except ValueError as error:
            if self._stop_at_corrupt:
                raise UsageError(f"{printable(image.path)} cannot be decoded: {error}") from None
            if image.path not in self.corrupt:
                self.corrupt.add(image.path)
                print(
                    f"Left out {printable(image.path)}, which cannot be decoded: {error}", file=sys.stderr, flush=True
                )
            return None
        pixels = np.asarray(cut(loaded), np.float32)
        return (pixels / 255 - MEAN) / STD, np.int32(image.label)


def _none_of(images):
    return UsageError(f"none of the {len(images)} images in {Path(images[0].path).parents[1]} can be decoded")


def _random_crop(picture, size, augmentation, rng):
    """A crop of random area and aspect ratio, as in torchvision's RandomResizedCrop; the middle if ten do not fit."""
    width, height = picture.size
    for _ in range(10):
        area = width * height * rng.uniform(augmentation.smallest_crop, 1)
        aspect = math.exp(rng.uniform(*map(math.log, ASPECTS)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            left, top = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
            picture = picture.resize((size, size), PIL.Image.Resampling.BILINEAR, (left, top, left + w, top + h))
            break
    else:
        picture = _middle(picture, size, margin=1)
    return picture.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < augmentation.flip else picture


def _middle(picture, size, margin=MARGIN):
    """The square in the middle, as if the shorter side had been made ``margin`` times ``size``."""
    width, height = picture.size
    side = min(width, height) / margin
    left, top = (width - side) / 2, (height - side) / 2
    return picture.resize((size, size), PIL.Image.Resampling.BILINEAR, (left, top, left + side, top + side))
