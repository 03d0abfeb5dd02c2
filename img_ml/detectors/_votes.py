"""Votes: several crops or views of one image, drawn from its hash, whose logits are averaged."""

import math
from collections.abc import Iterator
from typing import Literal, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from scipy.special import expit

from forensics.errors import ArtifactError
from forensics.types import ImageSample, Pixels
from img_ml.data.high_frequencies import Differences, high_frequencies

# "crop": windows at native resolution. "resized": parts of the picture, squashed to a square.
Kind = Literal["crop", "resized"]
MOST_VOTES = 100
# Grey levels, or differences of them.
Image_ = TypeVar("Image_", Pixels, Differences)
# A part of the picture covers between this share of its area and all of it, and changes its shape by up to a third.
_SMALLEST_PART = 0.8
_STRETCH = 4 / 3


def views(sample: ImageSample, votes: int, side: int, kind: Kind) -> Iterator[Pixels]:
    """`votes` views of side x side pixels; one vote is the centre crop, or the whole picture resized.

    More votes are drawn at random, from the image's hash alone: the same image always gives the same views, and the
    views of fewer votes come first among those of more. Crops are independent of each other and uniform over the
    image, which is mirrored on where it is smaller than a crop.
    """
    if kind == "crop":
        return crops(sample.pixels, _random(sample), votes, side)
    return (resized(part, side) for part in parts(sample, votes))


def parts(sample: ImageSample, votes: int) -> Iterator[Pixels]:
    """The whole picture for one vote; else `votes` random parts of 80 to 100 % of its area, half of them mirrored."""
    if votes == 1:
        yield sample.pixels
        return
    random = _random(sample)
    for _ in range(votes):
        yield part_of(sample.pixels, random)


def part_of(pixels: Pixels, random: Generator) -> Pixels:
    """A random part of 80 to 100 % of the area, mirrored in half of the draws."""
    height, width = pixels.shape[:2]
    area = random.uniform(_SMALLEST_PART, 1.0)
    stretch = math.exp(random.uniform(-math.log(_STRETCH), math.log(_STRETCH)) / 2)
    # A part that is stretched beyond the picture keeps its area as far as the picture reaches.
    rows = min(height, max(1, round(height * math.sqrt(area) * stretch)))
    columns = min(width, max(1, round(width * math.sqrt(area) / stretch)))
    top, left = int(random.integers(0, height - rows + 1)), int(random.integers(0, width - columns + 1))
    part = pixels[top : top + rows, left : left + columns]
    return part[:, ::-1] if random.random() < 0.5 else part


def votes_of(text: str, detector: str) -> int:
    """The votes that a profile's option asks for, one where it says nothing; ArtifactError where it is no number."""
    if not text:
        return 1
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_VOTES:
        raise ArtifactError(f"The option votes of {detector} is {text!r}: give a whole number from 1 to {MOST_VOTES}.")
    return int(text)


def mean_probability(logits: NDArray[np.float32]) -> float:
    """The probability that the mean of the views' logits (views, ...) stands for."""
    return float(expit(logits.mean(dtype=np.float64)))


def resized(pixels: Pixels, side: int) -> Pixels:
    """The pixels squashed to side x side."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def crops_of_high_frequencies(sample: ImageSample, votes: int, side: int) -> Iterator[Differences]:
    """The same crops as `views` gives, of the picture minus its blurred self; the blur sees the whole picture."""
    return crops(high_frequencies(sample.pixels), _random(sample), votes, side)


def mirrored_on(pixels: Image_, side: int) -> Image_:
    """The pixels, mirrored on at the lower and right edge where a length is under `side`."""
    missing = [(0, max(side - length, 0)) for length in pixels.shape[:2]]
    return np.pad(pixels, (*missing, (0, 0)), mode="symmetric") if any(map(any, missing)) else pixels


def crops(pixels: Image_, random: Generator, votes: int, side: int) -> Iterator[Image_]:
    """The middle for one vote, else so many random windows of side x side; mirrored on where the image is smaller."""
    pixels = mirrored_on(pixels, side)
    spare = [length - side for length in pixels.shape[:2]]
    for _ in range(votes):
        top, left = (room // 2 if votes == 1 else int(random.integers(0, room + 1)) for room in spare)
        yield np.ascontiguousarray(pixels[top : top + side, left : left + side])


def _random(sample: ImageSample) -> Generator:
    return np.random.default_rng(int(sample.sha256, 16))
