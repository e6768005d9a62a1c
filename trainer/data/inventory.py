"""What a folder of images holds, in a line for each class: whether a run that is resumed finds what it began with.

Every file is read once, which costs about a hundredth of an epoch, where each is decoded. Sizes and times would cost
less, and answer another question: a copy has another time, and what replaced an image may have the old one.
"""

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from trainer.data.image_folder import ImageFolder


def take(folder: ImageFolder, root: Path, threads: int) -> dict[str, str]:
    """By class, how many images there are, and a fingerprint of their names and contents.

    Args:
      folder: of which all images are taken.
      root: where it is; an inventory is the same when it moves.
      threads: that read.
    """
    paths = sorted({image.path for image in (*folder.train, *folder.test)})
    depth = 2 if (root / "train").is_dir() else 1
    found: dict[str, list[bytes]] = {}
    with ThreadPoolExecutor(threads) as pool:
        contents = pool.map(_content, paths)
        for path, content in tqdm(zip(paths, contents, strict=True), "images", len(paths), leave=False, disable=None):
            parts = Path(path).relative_to(root).parts
            found.setdefault("/".join(parts[:depth]), []).append(os.fsencode("/".join(parts)) + b"\0" + content)
    return {
        name: f"{len(lines)} image{'s' if len(lines) > 1 else ''} ({_hash(b''.join(lines)).hex()[:8]})"
        for name, lines in found.items()
    }


def difference(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """In words, where two inventories differ; empty if nowhere."""
    names = [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
    shown = [f"{name} had {then.get(name, 'nothing')}, has {now.get(name, 'nothing')}" for name in names[:5]]
    return "; ".join(shown) + (f"; and {len(names) - 5} more" if len(names) > 5 else "")


def _content(path: str) -> bytes:
    try:
        return _hash(Path(path).read_bytes())
    except OSError as error:  # which the loader will name
        return str(error.errno).encode()


def _hash(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()
