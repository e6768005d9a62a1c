"""What the network sees is what the eye sees, whatever a file stores; or the file is named."""

import numpy as np
import pytest

pytest.importorskip("grain")
pytest.importorskip("PIL.Image")

import PIL.Image

from trainer.data import image_loader, picture
from trainer.data.image_folder import Image

TURNED_BY = dict(
    enumerate(
        PIL.Image.Transpose[name]
        for name in (
            "FLIP_LEFT_RIGHT",
            "ROTATE_180",
            "FLIP_TOP_BOTTOM",
            "TRANSPOSE",
            "ROTATE_90",
            "TRANSVERSE",
            "ROTATE_270",
        )
    )
)
LOSSLESS = {"jpg": {"quality": 95, "subsampling": 0}, "webp": {"lossless": True}}
RAMP = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(48, 0)
EYE = np.rint(RAMP / 257).astype(np.uint8)


def seen(path):
    return np.asarray(picture.load(path)).astype(int)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_photograph_stands_upright(orientation, kind, tmp_path):
    pixels = np.zeros((64, 48, 3), np.uint8)
    pixels[:16], pixels[:, :16] = 255, (255, 0, 0)  # neither symmetric nor square
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"photograph.{kind}"
    stored = PIL.Image.fromarray(pixels).transpose(TURNED_BY[orientation - 2])
    stored.save(path, exif=exif, **LOSSLESS.get(kind, {}))
    assert seen(path).shape == pixels.shape and np.abs(seen(path) - pixels).mean() < 2


def test_the_network_sees_both_upright(tmp_path):
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:32] = 255
    upright = PIL.Image.fromarray(pixels)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    upright.save(tmp_path / "upright.png")
    upright.rotate(90).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    images = [Image(str(tmp_path / name), 0) for name in ("upright.png", "turned.jpg")]
    ((shown, _),) = image_loader.Loader(32, 2, 1).test(images)
    assert np.abs(shown[0] - shown[1]).mean() < 0.1
    stream = image_loader.Loader(32, 2, 1).train(images, 0, image_loader.Augmentation(1.0, 0.0))
    assert all(shown[:, :8].mean() > 1 and shown[:, -8:].mean() < -1 for shown in next(stream)[0][:, None])


DEEP = {
    "x.png": (RAMP, {}),
    "x.tif": (RAMP, {}),
    "x.pgm": (RAMP, {}),
    "floats.tif": ((RAMP / 65535).astype(np.float32), {}),
    "white is 0.tif": (65535 - RAMP, {"tiffinfo": {262: 0}}),
}


@pytest.mark.parametrize("name", DEEP)
def test_white_is_white_at_any_depth(name, tmp_path):
    values, options = DEEP[name]
    PIL.Image.fromarray(values).save(tmp_path / name, **options)
    np.testing.assert_array_equal(seen(tmp_path / name), np.stack([EYE] * 3, -1))


@pytest.mark.parametrize("kind", ["png", "webp", "gif", "tif"])
def test_nobody_sees_the_colour_of_what_is_transparent(kind, tmp_path):
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:, :16], pixels[:, 16:] = (200, 0, 0, 0), (0, 0, 255, 255)
    PIL.Image.fromarray(pixels).save(tmp_path / f"x.{kind}", **LOSSLESS.get(kind, {}))
    shown = seen(tmp_path / f"x.{kind}")
    assert np.all(shown[:, :16] == 255) and np.all(np.abs(shown[:, 16:] - (0, 0, 255)) < 3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "I;16", "RGB"])
def test_a_transparent_colour_of_any_mode_is_white(mode, tmp_path):
    black = PIL.Image.new(mode, (8, 8))
    black.save(tmp_path / "x.png", transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert np.all(seen(tmp_path / "x.png") == 255)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("1", "png"),
        ("1", "tif"),
        ("CMYK", "jpg"),
        ("CMYK", "tif"),
        ("L", "jpg"),
        ("LA", "png"),
        ("P", "png"),
        ("P", "gif"),
    ],
)
def test_other_modes_are_seen_as_they_are(mode, kind, tmp_path):
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:16] = 255
    PIL.Image.fromarray(pixels).convert(mode).save(tmp_path / f"x.{kind}", **LOSSLESS.get(kind, {}))
    assert np.abs(seen(tmp_path / f"x.{kind}") - pixels).max() < 8


def test_of_an_animation_the_first_picture_is_seen(tmp_path):
    frames = [PIL.Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "lime")]
    for kind in ("gif", "png", "webp"):
        frames[0].save(tmp_path / f"x.{kind}", save_all=True, append_images=frames[1:], **LOSSLESS.get(kind, {}))
        assert np.all(np.abs(seen(tmp_path / f"x.{kind}") - (255, 0, 0)) < 3)


BROKEN = {
    "empty.png": lambda path: path.write_bytes(b""),
    "text.jpg": lambda path: path.write_text("not a picture"),
    "cut.jpg": lambda path: path.write_bytes(path.read_bytes()[:400]),
    "cut.png": lambda path: path.write_bytes(path.read_bytes()[:60]),
    "cut.gif": lambda path: path.write_bytes(path.read_bytes()[:20]),
    "cut.tif": lambda path: path.write_bytes(path.read_bytes()[:20]),
    "cut.bmp": lambda path: path.write_bytes(path.read_bytes()[:40]),
    "nowhere.png": lambda path: path.unlink() or path.symlink_to("nothing"),
    "loop.png": lambda path: path.unlink() or path.symlink_to(path.name),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_seen_is_named(name, tmp_path, capfd):
    path = tmp_path / name
    PIL.Image.fromarray(EYE).save(path)
    BROKEN[name](path)
    PIL.Image.fromarray(EYE).save(tmp_path / "whole.png")
    loader = image_loader.Loader(32, 2, 1)
    ((_, labels),) = loader.test([Image(str(path), 0), Image(str(tmp_path / "whole.png"), 1)])
    assert labels.tolist() == [1, -1]
    assert capfd.readouterr().err.count(f"Left out {path}, which cannot be decoded: ") == 1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (RAMP.astype(np.int32), "does not say which is white"),
        ((RAMP / 257).astype(np.float32), "its numbers are from 0 to 255, not from 0 to 1"),
        (np.full((8, 8), np.nan, np.float32), "its numbers are from nan to nan"),
    ],
)
def test_numbers_without_a_white_are_refused(values, reason, tmp_path):
    PIL.Image.fromarray(values).save(tmp_path / "x.tif")
    with pytest.raises(ValueError, match=reason):
        picture.load(tmp_path / "x.tif")


def test_a_parser_that_stumbles_is_a_picture_that_cannot_be_decoded(tmp_path, monkeypatch):
    PIL.Image.fromarray(EYE).save(tmp_path / "x.png")
    monkeypatch.setattr(PIL.Image.Image, "convert", lambda *_: [][1])
    with pytest.raises(ValueError, match="list index out of range"):
        picture.load(tmp_path / "x.png")
