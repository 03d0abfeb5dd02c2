"""One learned detector: what does not fit into the device's memory is halved, and remembered."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from forensics.registry import DetectorSpec, Number, Registered, Setup
from forensics.types import ImageSample, Measured, Signal, Skipped
from img_ml.engine.abilities import DrawsMap, FollowsDevice, HoldsOut, MarksWeights, StartsEarly
from img_ml.engine.loaded import LearnedDetector
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
    learned = LearnedDetector(Registered(SPEC, load=lambda setup: device), SETUP)
    levels = list(range(1, 9))
    assert means(learned.signals(greys(*levels))) == levels
    assert device.sizes == [8, 4, 2, 2, 2, 2]
    device.sizes.clear()
    assert means(learned.signals(greys(*levels))) == levels
    assert device.sizes == [2, 2, 2, 2]


def test_after_a_while_twice_as_much_is_tried_until_the_limit_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("img_ml.engine.loaded._CALLS_BEFORE_MORE", 8)
    device = SmallDevice(3, OutOfMemoryError("CUDA"))
    learned = LearnedDetector(Registered(SPEC, load=lambda setup: device), SETUP)
    levels = list(range(1, 9))
    learned.signals(greys(*levels))
    assert device.sizes == [8, 4, 2, 2, 2, 2]
    device.sizes.clear()
    learned.signals(greys(*levels))
    learned.signals(greys(*levels))  # still too small: tried once, and the limit is as before
    assert device.sizes == [2, 2, 2, 2, 4, 2, 2, 2, 2]
    device.most = 8
    device.sizes.clear()
    for _ in range(6):
        assert means(learned.signals(greys(*levels))) == levels
    assert device.sizes == [2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4, 8]


def test_work_is_given_ahead_again_once_the_limit_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("img_ml.engine.loaded._CALLS_BEFORE_MORE", 2)
    device = Ahead("")
    device.most = 1
    learned = LearnedDetector(Registered(SPEC, load=lambda setup: device), SETUP)
    learned.signals(greys(1, 2))
    device.sizes.clear()
    assert means(learned.started(greys(1, 2))()) == [1, 2]
    assert device.sizes == []


def test_one_image_that_does_not_fit_alone_is_skipped_and_the_rest_is_measured() -> None:
    device = SmallDevice(0, OutOfMemoryError("CUDA out of memory"))
    learned = LearnedDetector(Registered(SPEC, load=lambda setup: device), SETUP)
    signals = learned.signals(greys(1, 2))
    assert signals == [Skipped("mean", "failed: OutOfMemoryError: CUDA out of memory")] * 2
    device.most = 8
    assert means(learned.signals(greys(3))) == [3]


def test_a_poisonous_image_is_found_by_halving_and_makes_no_later_batch_smaller() -> None:
    device = SmallDevice(8, OutOfMemoryError("CUDA"))
    learned = LearnedDetector(Registered(SPEC, load=lambda setup: device), SETUP)
    assert means(learned.signals(greys(1, 2, 0, 4))) == [1, 2, None, 4]
    assert device.sizes == [4, 2, 2, 1, 1]
    device.sizes.clear()
    learned.signals(greys(1, 2, 3, 4))
    assert device.sizes == [4]


class Ahead(SmallDevice):
    """Takes the work before anybody waits for it; fails at one of the two steps, or not."""

    def __init__(self, fails: str) -> None:
        super().__init__(8, OutOfMemoryError("CUDA"))
        self.fails = fails

    def started(self, samples: Sequence[ImageSample]) -> Callable[[], list[Signal]]:
        if self.fails == "start":
            raise RuntimeError("start")

        def finished() -> list[Signal]:
            if self.fails == "finish":
                raise RuntimeError("finish")
            return [Measured("mean", {"mean": float(sample.pixels.mean())}, "s") for sample in samples]

        return finished


@pytest.mark.parametrize(("fails", "calls"), [("", []), ("start", [2]), ("finish", [2])])
def test_work_is_given_ahead_and_done_once_more_with_care_where_that_fails(fails: str, calls: list[int]) -> None:
    device = Ahead(fails)
    learned = LearnedDetector(Registered(SPEC, load=lambda setup: device), SETUP)
    assert means(learned.started(greys(1, 2))()) == [1, 2]
    assert device.sizes == calls


def test_a_network_that_takes_turns_is_there_for_the_whole_call_and_only_then() -> None:
    order: list[str] = []

    @contextmanager
    def present() -> Iterator[None]:
        order.append("comes")
        yield
        order.append("may go")

    learned = LearnedDetector(Registered(SPEC, load=lambda setup: Ahead("")), SETUP)
    learned.present = present
    finish = learned.started(greys(1))
    assert order == ["comes", "may go"]
    assert means(finish()) == [1]


def test_a_detector_that_was_refused_is_never_loaded() -> None:
    learned = LearnedDetector(Registered(SPEC, load=lambda setup: pytest.fail("loaded")), SETUP, "too large")
    assert learned.signals(greys(1)) == [Skipped("mean", "too large")]


def test_the_bases_of_the_shipped_detectors_name_their_abilities() -> None:
    from img_ml.detectors._members import MembersDetector
    from img_ml.detectors._torch import TorchDetector

    assert {DrawsMap, HoldsOut, MarksWeights} <= set(MembersDetector.__mro__)
    assert {FollowsDevice, MarksWeights, StartsEarly} <= set(TorchDetector.__mro__)


def test_a_detector_that_names_no_ability_is_asked_for_none() -> None:
    learned = LearnedDetector(Registered(SPEC, load=lambda setup: SmallDevice(8, OutOfMemoryError("CUDA"))), SETUP)
    assert (learned.mark, learned.held_out, learned.located(greys(1)[0])) == ("", {}, None)
