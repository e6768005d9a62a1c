"""A picture as the eye sees it: upright, on white where it is transparent, with white as white at any depth.

Pillow hands out what a file stores. A photograph may lie on its side beside a tag that says so; transparent pixels have
a colour that nobody has ever seen; and integers of 16 bits are cut off at 255 by a plain conversion.
"""

import os

import numpy as np
import PIL.Image
import PIL.ImageOps

WHITE = (255, 255, 255)
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262
"""Tags of TIFF."""


def load(path: str | os.PathLike[str], least: int = 0) -> PIL.Image.Image:
    """The picture in a file, of an animation the first, in RGB.

    Args:
      path: of the file.
      least: rows and columns that are enough: a JPEG need not be decoded at its full size.

    Raises:
      ValueError: if it cannot be decoded, or does not say which of its numbers is white.
    """
    try:
        with PIL.Image.open(path) as picture:
            if least:
                picture.draft("RGB", (least, least))
            PIL.ImageOps.exif_transpose(picture, in_place=True)
            if picture.mode == "F" or picture.mode.startswith("I"):
                return _of_numbers(picture).convert("RGB")
            if picture.has_transparency_data:
                picture = picture.convert("RGBA")
                return PIL.Image.alpha_composite(PIL.Image.new("RGBA", picture.size, WHITE), picture).convert("RGB")
            return picture.convert("RGB")
    except Exception as error:  # on a broken file, Pillow's plugins raise whatever their parsers stumble over
        raise ValueError(f"{error}" or type(error).__name__) from error


def _of_numbers(picture: PIL.Image.Image) -> PIL.Image.Image:
    """In grey, of integers with more than 8 bits or of floats."""
    tags = getattr(picture, "tag_v2", {})
    values = np.asarray(picture, np.float64)
    if picture.mode == "F":
        white = 1
    elif picture.mode == "I" and tags:
        raise ValueError("it has signed integers, or such of 32 bits, and does not say which is white")
    else:
        white = 2 ** tags.get(BITS_PER_SAMPLE, (16,))[0] - 1
    if not (values.min() >= 0 and values.max() <= white):  # so that NaN is refused as well
        raise ValueError(f"its numbers are from {values.min():g} to {values.max():g}, not from 0 to {white}")
    if tags.get(PHOTOMETRIC) == 0:  # of these depths, Pillow does not know that 0 is white
        values = white - values
    if "transparency" in picture.info:
        values = np.where(values == picture.info["transparency"], white, values)
    return PIL.Image.fromarray(np.rint(values * (255 / white)).astype(np.uint8))
