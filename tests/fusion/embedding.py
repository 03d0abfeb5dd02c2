"""A learned detector for tests: its embedding is what a head is trained on, its number stays open."""

from collections.abc import Sequence

import numpy as np
import pytest

from forensics import registry
from forensics.registry import DetectorSpec, Head, Number, detector
from forensics.types import ImageSample, Measured, Signal

SPEC = DetectorSpec(
    name="embedder",
    title="Test embedder",
    version=1,
    numbers=(Number("embedder_prob", 0, 1, "probability of the test head"),),
    looks_at="the grain of rows and columns",
    fails_when="never",
    tier="full",
    head=Head("embedder_prob", "svm"),
)


class Embedder:
    """Embeds an image as the spread of its differences, in 16 strips."""

    weights_sha256 = "a" * 64

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, samples: Sequence[ImageSample]) -> list[Signal]:
        self.batches.append(len(samples))
        return [Measured("embedder", {"embedder_prob": np.nan}, "It embeds.", embedding=_embed(s)) for s in samples]


def _embed(sample: ImageSample) -> "np.ndarray":
    grey = sample.pixels.mean(axis=2)
    strips = np.array_split(np.diff(grey, axis=1), 16, axis=0)
    return np.log1p([strip.std() for strip in strips]).astype(np.float32)


def register(monkeypatch: pytest.MonkeyPatch) -> Embedder:
    """The detector, registered for the time of a test."""
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    loaded = Embedder()
    detector(SPEC)(lambda setup: loaded)
    return loaded
