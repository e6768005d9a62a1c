"""A folder of images as a list of files and labels: ``train/<class>/*`` and ``val/<class>/*``, or ``<class>/*``.

Without ``train`` and ``val`` a fifth of every class is held out, the same for every seed. Nothing is decoded here. What
is hidden, by a dot, is not looked at; links are followed, and a folder that several lead to is looked at once.
"""

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image

from trainer.command_line import UsageError

NO_PICTURES = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
"""Formats that Pillow only recognises, or has another program draw."""
PARTS = {"train", "training", "val", "valid", "validation", "test", "testing"}
HELD_OUT = 0.2


class Image(NamedTuple):
    """A file and the number of its class."""

    path: str
    label: int


class ImageFolder(NamedTuple):
    """Names of the classes in alphabetical order, and the images to train on and to test on.

    Attributes:
      classes: names, of which a label is the place.
      train: to train on.
      test: to test on.
      others: files among the images that are none, and images that are in no class.
    """

    classes: list[str]
    train: list[Image]
    test: list[Image]
    others: list[str]


def scan(root: Path) -> ImageFolder:
    """The images below a folder.

    Raises:
      UsageError: if there is no folder, no image, a class without images, a class in only one of train and val, or
        something that must not be read.
    """
    try:
        return _scan(root)
    except OSError as error:
        raise UsageError(f"argument --data: {error.filename}: {error.strerror}") from None


@functools.cache
def suffixes() -> frozenset[str]:
    """How names of images end, in small letters: as Pillow knows it, for whatever it reads."""
    PIL.Image.init()
    readable = PIL.Image.OPEN.keys() - NO_PICTURES
    return frozenset(suffix for suffix, kind in PIL.Image.EXTENSION.items() if kind in readable)


def _scan(root: Path) -> ImageFolder:
    if not root.is_dir():
        raise UsageError(f"argument --data: {root} is not a folder")
    others: list[str] = []
    if not (root / "train").is_dir():
        parts = [path.name for path in root.iterdir() if path.is_dir() and path.name.lower() in PARTS]
        if len(parts) > 1:
            raise UsageError(
                f"argument --data: {root} has {_list(parts)}, which are no classes: it takes train and val"
            )
        return _split(_classes(root, others), others)
    if not (root / "val").is_dir():
        raise UsageError(f"argument --data: {root} has a folder train, but none of the name val")
    train, test = _classes(root / "train", others), _classes(root / "val", others)
    for name, other in ((root / "val", train.keys() - test.keys()), (root / "train", test.keys() - train.keys())):
        if other:
            raise UsageError(f"argument --data: {name} lacks the class{_plural(other)} {_list(other)}")
    return ImageFolder(list(train), _labelled(train), _labelled(test), others)


def _classes(folder: Path, others: list[str]) -> dict[str, list[str]]:
    """The images of every class, in alphabetical order; other files are added to ``others``."""
    below = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    names = [path.name for path in below if path.is_dir()]
    others += [str(path) for path in below if not path.is_dir() and path.suffix.lower() in suffixes()]
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, images in found.items():
        for path, is_image in _files(folder / name, set()):
            (images if is_image else others).append(path)
        images.sort()
    if not any(found.values()):
        usual = ".bmp, .gif, .jpeg, .jpg, .png, .tif, .webp"
        raise UsageError(
            f"argument --data: {folder} has no images: it takes <class>/<image>, ending in {usual}, or as Pillow reads"
        )
    empty = [name for name, paths in found.items() if not paths]
    if empty:
        raise UsageError(f"argument --data: {folder} has no images of the class{_plural(empty)} {_list(empty)}")
    if len(found) < 2:
        inside = {Path(path).relative_to(folder / names[0]).parts[0] for path in found[names[0]]}
        meant = f"; is {folder / names[0]} meant, with {_list(inside)}?" if len(inside) < len(found[names[0]]) else ""
        raise UsageError(f"argument --data: {folder} has one class, {names[0]}; it takes at least two{meant}")
    return found


def _files(folder: Path, seen: set[str]) -> Iterator[tuple[str, bool]]:
    """The files below a folder, and whether each is an image by its name; through links, but never twice."""
    place = os.path.realpath(folder)
    if place in seen:
        return
    seen.add(place)
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _files(path, seen)
        else:  # a pipe, or a link to nowhere, is no image
            yield str(path), path.suffix.lower() in suffixes() and path.is_file()


def _split(classes: dict[str, list[str]], others: list[str]) -> ImageFolder:
    """Train and test, in proportion; at least one image of every class in each."""
    train, test = {}, {}
    for label, (name, paths) in enumerate(classes.items()):
        if len(paths) < 2:
            raise UsageError(f"argument --data: a split needs at least two images of the class {name}, there is one")
        order = np.random.default_rng(label).permutation(len(paths))
        count = max(1, round(HELD_OUT * len(paths)))
        test[name] = [paths[i] for i in sorted(order[:count])]
        train[name] = [paths[i] for i in sorted(order[count:])]
    return ImageFolder(list(classes), _labelled(train), _labelled(test), others)


def _labelled(classes: dict[str, list[str]]) -> list[Image]:
    return [Image(path, label) for label, paths in enumerate(classes.values()) for path in paths]


def _plural(names) -> str:
    return "es" if len(names) > 1 else ""


def _list(names) -> str:
    shown = sorted(names)
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
