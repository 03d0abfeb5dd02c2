"""From one image file to a few native crops written by one encoder, so that files tell nothing about the label."""

import hashlib
import io
import random
from dataclasses import dataclass, field

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from forensics.errors import ImgMlError
from forensics.reading.decode import DecodeLimits, decode
from forensics.types import Pixels
from scripts.dataset.inventory import THUMBNAIL

QUALITY = 92
# Many images hold a sky or a studio wall; a crop of nothing else teaches nothing.
_TRIES = 24
_BLOCK = 8
_FLAT_DEVIATION = 0.5
_FLAT_SHARE = 0.6
_LEAST_DEVIATION = 6.0
# Two crops of one image share at most this part of their area.
_SHARED = 0.25
_LIMITS = DecodeLimits()


@dataclass(frozen=True, slots=True)
class Cropping:
    """What to cut: `crops` windows of `side` x `side` pixels an image, drawn from `seed` and the image's bytes."""

    crops: int = 3
    side: int = 256
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """The crops of an image as JPEG files, and what is known of the whole image.

    `perceptual_hash` is the 64-bit DCT hash, `thumbnail` THUMBNAIL x THUMBNAIL x 3 uint8.
    """

    sha256: str
    width: int
    height: int
    format: str
    perceptual_hash: int
    thumbnail: NDArray[np.uint8] = field(repr=False, compare=False)
    crops: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """An image that gave no crop: a code, and a sentence on why."""

    reason: str
    problem: str


def cut(data: bytes, cropping: Cropping, limits: DecodeLimits = _LIMITS) -> Cut | Refused:
    """The crops of a file's image, or why there are none; never raises for what the file holds."""
    try:
        sample = decode(data, limits)
    except ImgMlError as error:
        return Refused("unreadable", str(error))
    if min(sample.width, sample.height) < cropping.side:
        return Refused("too_small", f"The image is {sample.width} x {sample.height} pixels.")
    windows = _windows(sample.pixels, cropping, sample.sha256)
    if not windows:
        return Refused("flat", "No crop of the image shows more than plain surfaces.")
    whole = Image.fromarray(sample.pixels)
    return Cut(
        sample.sha256,
        sample.width,
        sample.height,
        sample.media_type.removeprefix("image/").upper(),
        int(str(imagehash.phash(whole)), 16),
        np.asarray(whole.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)),
        tuple(encode(window) for window in windows),
    )


def encode(pixels: Pixels) -> bytes:
    """A JPEG of quality QUALITY, chroma in full, without metadata."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY, subsampling=0)
    return file.getvalue()


def is_flat(pixels: Pixels) -> bool:
    """Whether a crop shows little but plain surfaces: low contrast, or most of its blocks without any."""
    luma = pixels.astype(np.float32).mean(axis=2)
    if luma.std() < _LEAST_DEVIATION:
        return True
    height, width = (length // _BLOCK * _BLOCK for length in luma.shape)
    blocks = luma[:height, :width].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    return bool((blocks.std(axis=(1, 3)) < _FLAT_DEVIATION).mean() > _FLAT_SHARE)


def _windows(pixels: Pixels, cropping: Cropping, digest: str) -> list[Pixels]:
    """Windows at random places that are not flat and hardly overlap; the places depend on seed and bytes alone."""
    draw = random.Random(hashlib.sha256(f"{cropping.seed}/{digest}".encode()).digest())  # noqa: S311 - no secret
    side, (height, width) = cropping.side, pixels.shape[:2]
    taken: list[tuple[int, int]] = []
    for _ in range(_TRIES):
        if len(taken) == cropping.crops:
            break
        top, left = draw.randint(0, height - side), draw.randint(0, width - side)
        if any(_shared(side, (top, left), other) > _SHARED for other in taken):
            continue
        if not is_flat(pixels[top : top + side, left : left + side]):
            taken.append((top, left))
    return [pixels[top : top + side, left : left + side] for top, left in taken]


def _shared(side: int, first: tuple[int, int], second: tuple[int, int]) -> float:
    """The part of its area that one window has in common with another."""
    rows, columns = (max(0, side - abs(a - b)) for a, b in zip(first, second, strict=True))
    return rows * columns / side**2
