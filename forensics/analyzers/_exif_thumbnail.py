"""Whether the thumbnail in EXIF shows the picture: editors that replace a picture often leave the old thumbnail."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from forensics.types import Pixels

SIDE = 24
# Less contrast than this says nothing.
LEAST_SPREAD = 6.0
# How far the two sides' ratio may differ before bars are cut off the thumbnail.
_SAME_SHAPE = 0.02

Grid = NDArray[np.float32]


def thumbnail_agreement(thumbnail: Image.Image, pixels: Pixels) -> float:
    """Correlation of brightness between thumbnail and picture, -1 to 1, the best of four turns; NaN where flat.

    Thumbnails of cameras often lie turned as the sensor was, and with black bars where their shape differs.
    """
    picture = Image.fromarray(_shrunk(pixels))
    best = math.nan
    for turn in (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270):
        turned = thumbnail if turn is None else thumbnail.transpose(turn)
        for shown in (turned, _without_bars(turned, picture.width / picture.height)):
            best = float(np.fmax(best, _correlated(_grid(shown), _grid(picture))))
    return best


def _shrunk(pixels: Pixels) -> Pixels:
    """Every n-th pixel, so that a large picture costs no more than a small one; green stands for brightness."""
    step = max(1, min(pixels.shape[:2]) // 256)
    return np.ascontiguousarray(pixels[::step, ::step, 1])


def _without_bars(image: Image.Image, ratio: float) -> Image.Image:
    """The middle of the image in that ratio of width to height."""
    width, height = image.size
    if abs(width / height / ratio - 1) < _SAME_SHAPE:
        return image
    across, down = (width, round(width / ratio)) if width / height < ratio else (round(height * ratio), height)
    left, top = (width - across) // 2, (height - down) // 2
    return image.crop((left, top, left + max(across, 1), top + max(down, 1)))


def _grid(image: Image.Image) -> Grid:
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32)


def _correlated(one: Grid, other: Grid) -> float:
    if min(one.std(), other.std()) < LEAST_SPREAD:
        return math.nan
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
