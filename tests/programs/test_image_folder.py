"""Folders of images as people have them: what is in them, what is not, and whether they have changed."""

import os
import shutil

import numpy as np
import pytest

pytest.importorskip("PIL.Image")

import PIL.Image

from trainer.command_line import UsageError
from trainer.data import image_folder, inventory

CLASSES = ("blue", "green", "red")


@pytest.fixture
def data(tmp_path):
    """Four images of each class, without a split."""
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(4):
            pixels = rng.integers(0, 256, (4, 4, 3)).astype(np.uint8)
            PIL.Image.fromarray(pixels).save(tmp_path / "data" / name / f"{i}.bmp")
    return tmp_path / "data"


def found(data):
    folder = image_folder.scan(data)
    return sorted(os.path.relpath(image.path, data) for image in (*folder.train, *folder.test))


def split(data):
    """With train and val."""
    for part in ("train", "val"):
        shutil.copytree(data, data.parent / "split" / part)
    return data.parent / "split"


@pytest.mark.parametrize(
    "name", ["x.gif", "x.JPG", "x.jfif", "x.avif", "x.pgm", "x.tga", "x.jp2", "with space.png", "é\n.png"]
)
def test_whatever_pillow_reads_is_an_image(name, data):
    (data / "red" / name).write_bytes(b"")
    assert f"red/{name}" in found(data) and not image_folder.scan(data).others


def test_a_name_that_is_no_utf_8_is_an_image(data):
    name = os.fsdecode(b"caf\xe9.png")
    (data / "red" / name).write_bytes(b"")
    assert f"red/{name}" in found(data)
    inventory.take(image_folder.scan(data), data, 2)


def test_what_is_hidden_is_no_image_and_the_rest_is_named(data):
    before = found(data)
    for name in (".ipynb_checkpoints/0-checkpoint.bmp", "red/.ipynb_checkpoints/0-checkpoint.bmp", "red/._0.bmp"):
        (data / name).parent.mkdir(exist_ok=True)
        shutil.copy(data / "red" / "0.bmp", data / name)
    (data / "README.md").write_text("beside the classes")
    assert found(data) == before and not image_folder.scan(data).others
    shutil.copy(data / "red" / "0.bmp", data / "of no class.bmp")
    (data / "red" / "labels.txt").write_text("none")
    (data / "red" / "lost.png").symlink_to("nowhere")
    os.mkfifo(data / "red" / "pipe.png")  # which nobody may open: it would wait for ever
    assert found(data) == before
    others = [os.path.relpath(path, data) for path in image_folder.scan(data).others]
    assert others == ["of no class.bmp", "red/labels.txt", "red/lost.png", "red/pipe.png"]


def test_links_are_followed_once(data, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    shutil.copy(data / "red" / "0.bmp", elsewhere / "deep" / "9.bmp")
    before = found(data)
    (data / "red" / "more").symlink_to(elsewhere)
    (data / "red" / "once more").symlink_to(elsewhere)
    (data / "red" / "loop").symlink_to(data / "red")
    (data / "red" / "itself").symlink_to("itself")
    assert found(data) == sorted([*before, "red/more/deep/9.bmp"])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("Train", "Val"), "has Train, Val, which are no classes: it takes train and val"),
        (("training", "validation"), "has training, validation, which are no classes"),
        (("val", "test"), "has test, val, which are no classes"),
        (("images",), r"one class, images; it takes at least two; is .*images meant, with blue, green, red\?"),
    ],
)
def test_parts_of_the_data_are_no_classes(names, message, data):
    for name in names:
        shutil.copytree(data, data.parent / "outer" / name)
    with pytest.raises(UsageError, match=message):
        image_folder.scan(data.parent / "outer")


def test_a_folder_that_must_not_be_read_is_named(data, monkeypatch):
    def forbidden(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(data), "iterdir", forbidden)
    with pytest.raises(UsageError, match=r"argument --data: .*data: Permission denied"):
        image_folder.scan(data)


def flip_a_pixel(path):
    """Same name, same size, same time."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES = {
    "an image more": lambda f: shutil.copy(f / "red" / "0.bmp", f / "red" / "9.bmp"),
    "an image less": lambda f: (f / "red" / "0.bmp").unlink(),
    "renamed": lambda f: (f / "red" / "0.bmp").rename(f / "red" / "9.bmp"),
    "replaced": lambda f: flip_a_pixel(f / "red" / "0.bmp"),
    "another class": lambda f: (f / "red" / "0.bmp").rename(f / "blue" / "9.bmp"),
    "exchanged": lambda f: [(f / "red").rename(f / "x"), (f / "blue").rename(f / "red"), (f / "x").rename(f / "blue")],
    "a class more": lambda f: shutil.copytree(f / "red", f / "black"),
    "a class less": lambda f: shutil.rmtree(f / "red"),
    "a class renamed": lambda f: (f / "red").rename(f / "crimson"),
}


def taken(data):
    return inventory.take(image_folder.scan(data), data, 2)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("with_split", [False, True])
def test_whatever_changes_is_named(change, with_split, data):
    root = split(data) if with_split else data
    before = taken(root)
    for part in ("train", "val") if with_split else ("",):
        CHANGES[change](root / part)
    named = "black had nothing" if change == "a class more" else "red had 4 images ("
    assert ("train/" if with_split else "") + named in inventory.difference(before, taken(root))


def test_a_copy_elsewhere_is_the_same(data, tmp_path):
    before = taken(data)
    shutil.copytree(data, tmp_path / "copy", copy_function=shutil.copyfile)
    assert not inventory.difference(before, taken(tmp_path / "copy"))
