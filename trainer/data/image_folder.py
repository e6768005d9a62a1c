"""A folder of images as a list of files and labels: ``train/<class>/*`` and ``val/<class>/*``, or ``<class>/*``.

Without ``train`` and ``val`` a fifth of every class is held out, the same for every seed. Nothing is decoded here.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainer.command_line import UsageError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff"}
HELD_OUT = 0.2


class Image(NamedTuple):
    """A file and the number of its class."""

    path: str
    label: int


class ImageFolder(NamedTuple):
    """Names of the classes in alphabetical order, and the images to train on and to test on."""

    classes: list[str]
    train: list[Image]
    test: list[Image]


def scan(root: Path) -> ImageFolder:
    """The images below a folder.

    Raises:
      UsageError: if there is no folder, no image, a class without images, or a class in only one of train and val.
    """
    if not root.is_dir():
        raise UsageError(f"argument --data: {root} is not a folder")
    if not (root / "train").is_dir():
        return _split(_classes(root))
    if not (root / "val").is_dir():
        raise UsageError(f"argument --data: {root} has a folder train, but none of the name val")
    train, test = _classes(root / "train"), _classes(root / "val")
    for name, other in ((root / "val", train.keys() - test.keys()), (root / "train", test.keys() - train.keys())):
        if other:
            raise UsageError(f"argument --data: {name} lacks the class{_plural(other)} {_list(other)}")
    return ImageFolder(list(train), _labelled(train), _labelled(test))


def _classes(folder: Path) -> dict[str, list[str]]:
    """The images of every class, in alphabetical order."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = {
        name: sorted(str(p) for p in (folder / name).rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        for name in names
    }
    if not any(found.values()):
        kinds = ", ".join(sorted(SUFFIXES))
        raise UsageError(f"argument --data: {folder} has no images: it takes <class>/<image>, ending in {kinds}")
    empty = [name for name, paths in found.items() if not paths]
    if empty:
        raise UsageError(f"argument --data: {folder} has no images of the class{_plural(empty)} {_list(empty)}")
    if len(found) < 2:
        raise UsageError(f"argument --data: {folder} has one class, {names[0]}; it takes at least two")
    return found


def _split(classes: dict[str, list[str]]) -> ImageFolder:
    """Train and test, in proportion; at least one image of every class in each."""
    train, test = {}, {}
    for label, (name, paths) in enumerate(classes.items()):
        if len(paths) < 2:
            raise UsageError(f"argument --data: a split needs at least two images of the class {name}, there is one")
        order = np.random.default_rng(label).permutation(len(paths))
        count = max(1, round(HELD_OUT * len(paths)))
        test[name] = [paths[i] for i in sorted(order[:count])]
        train[name] = [paths[i] for i in sorted(order[count:])]
    return ImageFolder(list(classes), _labelled(train), _labelled(test))


def _labelled(classes: dict[str, list[str]]) -> list[Image]:
    return [Image(path, label) for label, paths in enumerate(classes.values()) for path in paths]


def _plural(names) -> str:
    return "es" if len(names) > 1 else ""


def _list(names) -> str:
    shown = sorted(names)
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
