"""One learned detector: what does not fit into the device's memory is halved, and remembered."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from forensics.registry import DetectorSpec, Number, Registered, Setup
from forensics.types import ImageSample, Measured, Signal, Skipped
from img_ml.learned import Learned
from tests.forensics.pictures import sample_of

SPEC = DetectorSpec("mean", "Mean", 1, (Number("mean", 0, 255, "mean"),), "pixels", "never", tier="full")
SETUP = Setup(Path(), "cpu", "full")


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


class SmallDevice:
    """Takes `most` images at once; black ones break it."""

    def __init__(self, most: int, error: Exception) -> None:
        self.most, self.error = most, error
        self.sizes: list[int] = []

    def __call__(self, samples: Sequence[ImageSample]) -> list[Signal]:
        self.sizes.append(len(samples))
        if len(samples) > self.most:
            raise self.error
        means = [float(sample.pixels.mean()) for sample in samples]
        if 0.0 in means:
            raise ValueError("black")
        return [Measured("mean", {"mean": mean}, "s") for mean in means]


def greys(*levels: int) -> list[ImageSample]:
    return [sample_of(np.full((8, 8, 3), level, dtype=np.uint8)) for level in levels]


def means(signals: Sequence[Signal]) -> list[float | None]:
    return [signal.numbers["mean"] if isinstance(signal, Measured) else None for signal in signals]


@pytest.mark.parametrize("error", [OutOfMemoryError("CUDA"), RuntimeError("MPS backend out of memory (5 GB)")])
def test_what_does_not_fit_is_halved_and_the_next_batch_starts_from_there(error: Exception) -> None:
    device = SmallDevice(3, error)
    learned = Learned(Registered(SPEC, load=lambda setup: device), SETUP)
    levels = list(range(1, 9))
    assert means(learned.signals(greys(*levels))) == levels
    assert device.sizes == [8, 4, 2, 2, 2, 2]
    device.sizes.clear()
    assert means(learned.signals(greys(*levels))) == levels
    assert device.sizes == [2, 2, 2, 2]


def test_one_image_that_does_not_fit_alone_is_skipped_and_the_rest_is_measured() -> None:
    device = SmallDevice(0, OutOfMemoryError("CUDA out of memory"))
    learned = Learned(Registered(SPEC, load=lambda setup: device), SETUP)
    signals = learned.signals(greys(1, 2))
    assert signals == [Skipped("mean", "failed: OutOfMemoryError: CUDA out of memory")] * 2
    device.most = 8
    assert means(learned.signals(greys(3))) == [3]


def test_a_poisonous_image_is_found_by_halving_and_makes_no_later_batch_smaller() -> None:
    device = SmallDevice(8, OutOfMemoryError("CUDA"))
    learned = Learned(Registered(SPEC, load=lambda setup: device), SETUP)
    assert means(learned.signals(greys(1, 2, 0, 4))) == [1, 2, None, 4]
    assert device.sizes == [4, 2, 2, 1, 1]
    device.sizes.clear()
    learned.signals(greys(1, 2, 3, 4))
    assert device.sizes == [4]
