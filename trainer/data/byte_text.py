"""Text that ships with Python, as bytes: the language reference of ``help()`` and the licences.

Every twentieth block of 4096 bytes is for testing. Batches are a function of seed and step alone, so that any number of
processes draws the same ones, and a resumed run goes on with those that an undisturbed one would have seen.
"""

import hashlib
import sysconfig
from pathlib import Path
from pydoc_data.topics import topics
from typing import NamedTuple

import numpy as np

BLOCK, TEST_EVERY = 4096, 20
VOCABULARY = 256


class Text(NamedTuple):
    """Tokens [N], bytes, to train on and to test on."""

    train: np.ndarray
    test: np.ndarray


def load() -> Text:
    """About half a million bytes; they differ a little between versions of Python."""
    licence = Path(sysconfig.get_path("stdlib"), "LICENSE.txt")
    texts = [*topics.values(), licence.read_text(encoding="utf-8") if licence.exists() else ""]
    tokens = np.frombuffer("\n".join(texts).encode(), np.uint8)
    blocks = np.arange(len(tokens)) // BLOCK
    held_out = blocks % TEST_EVERY == TEST_EVERY - 1
    return Text(tokens[~held_out], tokens[held_out])


def inventory(text: Text) -> dict[str, str]:
    """What there is to train and test on, in a line for each, as of `trainer.data.inventory`."""
    return {
        name: f"{len(x):,} bytes ({hashlib.sha256(x.tobytes()).hexdigest()[:8]})" for name, x in text._asdict().items()
    }


def batch(text: Text, seed: int, step: int, size: int, length: int) -> np.ndarray:
    """Random windows, tokens [size, length + 1], int32."""
    rng = np.random.default_rng((seed, step))
    starts = rng.integers(0, len(text.train) - length, size)
    return text.train[starts[:, None] + np.arange(length + 1)].astype(np.int32)


def test_windows(text: Text, count: int, length: int) -> np.ndarray:
    """Windows that are spread over the text for testing, tokens [count, length + 1], int32."""
    starts = np.linspace(0, len(text.test) - length - 1, count).astype(int)
    return text.test[starts[:, None] + np.arange(length + 1)].astype(np.int32)
