"""A folder of images as VGG16 reads it: streams, corrupt images, and folders that are refused."""

import json
import shutil

import jax
import numpy as np
import pytest

pytest.importorskip("flax.nnx")
pytest.importorskip("grain")
pytest.importorskip("orbax.checkpoint")
pytest.importorskip("PIL.Image")
pytest.importorskip("safetensors.numpy")

from trainer.command_line import UsageError
from trainer.data import image_folder, image_loader


def test_a_folder_with_train_and_val_and_one_without(pictures):
    folder = image_folder.scan(pictures)
    assert folder.classes == ["blue", "green", "red"] and len(folder.train) == 72 and len(folder.test) == 15
    split = image_folder.scan(pictures / "train")
    assert split == image_folder.scan(pictures / "train")
    assert len(split.train) == 57 and len(split.test) == 15 and not {*split.train} & {*split.test}
    assert {*split.train, *split.test} == {*folder.train}


def empty(folder):
    shutil.rmtree(folder / "train")
    shutil.rmtree(folder / "val")


BAD_FOLDERS = [
    (lambda f: shutil.rmtree(f), "is not a folder"),
    (empty, "has no images: it takes <class>/<image>"),
    (lambda f: shutil.rmtree(f / "val"), "has a folder train, but none of the name val"),
    (lambda f: shutil.rmtree(f / "val" / "green"), "val lacks the class green"),
    (lambda f: shutil.rmtree(f / "train" / "green"), "train lacks the class green"),
    (lambda f: [p.unlink() for p in (f / "val" / "red").iterdir()], "val has no images of the class red"),
    (lambda f: [shutil.rmtree(f / n / c) for n in ("train", "val") for c in ("red", "green")], "has one class, blue"),
]


@pytest.mark.parametrize(("spoil", "message"), BAD_FOLDERS)
def test_bad_folders_are_refused_in_one_line_and_nothing_is_made(spoil, message, pictures, tmp_path, call):
    data = tmp_path / "data"
    shutil.copytree(pictures, data)
    spoil(data)
    assert call("train_vgg16", "--data", data, "--out", tmp_path / "run")[0] == 2
    errors = call("train_vgg16", "--data", data, "--out", tmp_path / "run")[2]
    assert message in errors and errors.count("\n") == 1 and not (tmp_path / "run").exists()


def test_a_stream_is_set_back_to_the_bit_and_differs_from_epoch_to_epoch(pictures):
    images = image_folder.scan(pictures).train
    augmentation = image_loader.Augmentation(0.3, 0.5)
    stream = image_loader.Loader(32, 8, 3).train(images, 5, augmentation)
    first = [next(stream) for _ in range(9)]
    place = json.loads(json.dumps(stream.get_state()))
    second = [next(stream) for _ in range(9)]
    other = image_loader.Loader(32, 8, 1).train(images, 5, augmentation)
    other.set_state(place)
    jax.tree.map(np.testing.assert_array_equal, second, [next(other) for _ in range(9)])
    labels = [np.concatenate([labels for _, labels in epoch]) for epoch in (first, second)]
    assert np.array_equal(*map(np.bincount, labels)) and not np.array_equal(*labels)
    assert first[0][0].shape == (8, 32, 32, 3) and first[0][0].dtype == np.float32


def test_testing_shows_every_image_once(pictures):
    batches = list(image_loader.Loader(32, 8, 2).test(image_folder.scan(pictures).test))
    assert [pixels.shape for pixels, _ in batches] == [(8, 32, 32, 3)] * 2
    assert np.array_equal(np.bincount(np.concatenate([labels for _, labels in batches]) + 1), [1, 5, 5, 5])


def test_a_corrupt_image_is_named_once_and_left_out(pictures, tmp_path, capfd):
    shutil.copytree(pictures, tmp_path / "data")
    whole = tmp_path / "data" / "train" / "red" / "00.png"
    whole.write_bytes(whole.read_bytes()[:200])
    images = image_folder.scan(tmp_path / "data").train
    loader = image_loader.Loader(32, 8, 2)
    stream = loader.train(images, 0, image_loader.Augmentation(1.0, 0.0))
    counts = sum(np.bincount(next(stream)[1], minlength=3) for _ in range(71))  # 568 = 8 times around 71 images
    assert np.array_equal(counts, [192, 192, 184])
    assert loader.corrupt == {str(whole)}
    assert capfd.readouterr().err.count(f"Left out {whole}, which cannot be decoded") == 1
    with pytest.raises(UsageError, match=r"00\.png cannot be decoded"):
        list(image_loader.Loader(32, 8, 2, stop_at_corrupt=True).test(images))


def test_images_that_are_all_corrupt_end_the_stream(pictures, tmp_path):
    def spoiled(place):
        paths = [tmp_path / place / "red" / f"{i}.png" for i in range(3)]
        paths[0].parent.mkdir(parents=True)
        for path in paths:
            path.write_bytes(b"")
        return [image_folder.Image(str(path), 0) for path in paths]

    loader, augmentation = image_loader.Loader(32, 2, 1), image_loader.Augmentation(1.0, 0.0)
    with pytest.raises(UsageError, match=r"none of the 3 images in .*val can be decoded"):
        list(loader.test(spoiled("val")))
    training = spoiled("train")
    with pytest.raises(UsageError, match=r"none of the 3 images in .*train can be decoded"):
        next(loader.train(training, 0, augmentation))
    one_more = [*training, image_folder.scan(pictures).train[0]]
    pixels, _ = next(loader.train(one_more, 0, augmentation))  # the same picture twice
    assert len(loader.corrupt) == 6 and pixels.shape == (2, 32, 32, 3)
