"""Votes: several crops or views of one image, drawn from its hash, whose logits are averaged or labels counted."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

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
# Both: upside down too, as the contest's entry turns its views.
Flips = Literal["horizontal", "both"]
# Majority: the share of the views whose own label is AI, as the contest's entry counts them.
Combine = Literal["logits", "majority"]
MOST_VOTES = 100
# The options of a profile, as `options` of img_ml/detectors/_options.py takes them.
OPTIONS: Mapping[str, Sequence[str]] = {"votes": (), "flips": get_args(Flips), "combine": get_args(Combine)}
# Grey levels, or differences of them.
Image_ = TypeVar("Image_", Pixels, Differences)
# A part of the picture covers between this share of its area and all of it, and changes its shape by up to a third.
_SMALLEST_PART = 0.8
_STRETCH = 4 / 3


@dataclass(frozen=True, slots=True)
class Voting:
    """How an image is asked: by how many views, how these are flipped, and what is made of the answers."""

    votes: int = 1
    flips: Flips = "horizontal"
    combine: Combine = "logits"

    def probability(self, logits: NDArray[np.floating]) -> float:
        """The probability that the mean of the views' logits (views, ...) stands for, or the share of those for AI."""
        if self.combine == "majority":
            return float((logits > 0).mean())
        return float(expit(logits.mean(dtype=np.float64)))

    @property
    def chosen(self) -> dict[str, str]:
        """The options of a profile that say this; none for what is taken where it says nothing."""
        said = {"votes": str(self.votes), "flips": self.flips, "combine": self.combine}
        plain = {"votes": "1", **{name: values[0] for name, values in OPTIONS.items() if values}}
        return {name: value for name, value in said.items() if value != plain[name]}

    @property
    def mark(self) -> str:
        """A text that differs where answers differ."""
        return " ".join([str(self.votes), *(value for name, value in self.chosen.items() if name != "votes")])


def voting_of(chosen: Mapping[str, str], detector: str) -> Voting:
    """What a profile's options ask for; ArtifactError where the votes are no number."""
    text = chosen["votes"] or "1"
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_VOTES:
        raise ArtifactError(f"The option votes of {detector} is {text!r}: give a whole number from 1 to {MOST_VOTES}.")
    flips: Flips = "both" if chosen["flips"] == "both" else "horizontal"
    return Voting(int(text), flips, "majority" if chosen["combine"] == "majority" else "logits")


def views(sample: ImageSample, voting: Voting, side: int, kind: Kind) -> Iterator[Pixels]:
    """As many views of side x side pixels as there are votes; one is the centre crop, or the whole picture resized.

    More are drawn at random, from the image's hash alone: the same image always gives the same views, and the views of
    fewer votes come first among those of more. Crops are independent of each other and uniform over the image, which
    is mirrored on where it is smaller than a crop.
    """
    if kind == "crop":
        return crops(sample.pixels, _random(sample), voting, side)
    return (resized(part, side) for part in parts(sample, voting))


def parts(sample: ImageSample, voting: Voting) -> Iterator[Pixels]:
    """The whole picture for one vote; else random parts of 80 to 100 % of its area, half of them mirrored."""
    if voting.votes == 1:
        yield sample.pixels
        return
    random = _random(sample)
    for _ in range(voting.votes):
        part = part_of(sample.pixels, random)
        yield _turned(part, random) if voting.flips == "both" else part


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


def _turned(view: Image_, random: Generator) -> Image_:
    """The view, upside down in half of the draws."""
    return view[::-1] if random.random() < 0.5 else view


def resized(pixels: Pixels, side: int) -> Pixels:
    """The pixels squashed to side x side."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def crops_of_high_frequencies(sample: ImageSample, voting: Voting, side: int) -> Iterator[Differences]:
    """The same crops as `views` gives, of the picture minus its blurred self; the blur sees the whole picture."""
    return crops(high_frequencies(sample.pixels), _random(sample), voting, side)


def mirrored_on(pixels: Image_, side: int) -> Image_:
    """The pixels, mirrored on at the lower and right edge where a length is under `side`."""
    rows, columns = (max(side - length, 0) for length in pixels.shape[:2])
    return np.pad(pixels, ((0, rows), (0, columns), (0, 0)), mode="symmetric") if rows or columns else pixels


def crops(pixels: Image_, random: Generator, voting: Voting, side: int) -> Iterator[Image_]:
    """The middle for one vote, else random windows of side x side; mirrored on where the image is smaller.

    With both flips, half of them are mirrored and half turned upside down.
    """
    pixels = mirrored_on(pixels, side)
    spare = [length - side for length in pixels.shape[:2]]
    alone = voting.votes == 1
    for _ in range(voting.votes):
        top, left = (room // 2 if alone else int(random.integers(0, room + 1)) for room in spare)
        window = pixels[top : top + side, left : left + side]
        if voting.flips == "both" and not alone:
            window = _turned(window[:, ::-1] if random.random() < 0.5 else window, random)
        yield np.ascontiguousarray(window)


def _random(sample: ImageSample) -> Generator:
    return np.random.default_rng(int(sample.sha256, 16))
