"""One contract for every registered detector: sizes, ranges, repeatability, and reasons for silence."""

import io
import math
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from forensics.decode import decode
from forensics.examine import analyzers, run_analyzer
from forensics.registry import Registered, entries
from forensics.types import ImageSample, Measured, Signal, Skipped
from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector

SIZES = [(1, 1), (2, 900), (900, 2), (7, 7), (8, 8), (33, 31), (64, 64), (225, 300), (1, 5000), (1500, 1100)]


def image(width: int, height: int, seed: int = 0, mode: str = "RGB") -> ImageSample:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "PNG")
    return decode(buffer.getvalue())


def same(first: Signal, second: Signal) -> bool:
    if isinstance(first, Measured) and isinstance(second, Measured):
        pairs = [(first.numbers[name], second.numbers[name]) for name in first.numbers]
        return all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in pairs) and first.sentence == second.sentence
    return first == second


def run(entry: Registered, samples: Sequence[ImageSample]) -> list[Signal]:
    assert entry.analyze is not None, "learned detectors join this contract with their weights"
    return [run_analyzer(entry, sample) for sample in samples]


def check_contract(entry: Registered, signal: Signal) -> None:
    assert signal.detector == entry.spec.name
    if isinstance(signal, Skipped):
        assert signal.reason
        assert not signal.reason.startswith("failed"), signal.reason
        return
    assert set(signal.numbers) == {n.name for n in entry.spec.numbers}
    for number in entry.spec.numbers:
        value = signal.numbers[number.name]
        assert math.isnan(value) or number.low <= value <= number.high, number.name
    assert signal.sentence.endswith(".")
    assert "nan" not in signal.sentence
    if signal.heatmap is not None:
        assert signal.heatmap.dtype == np.float32
        assert signal.heatmap.ndim == 2
        assert 0 <= signal.heatmap.min() <= signal.heatmap.max() <= 1


def every_detector() -> list[Registered]:
    return [entry for entry in entries() if entry.spec.name in {a.spec.name for a in analyzers()}]


@pytest.fixture(params=every_detector(), ids=lambda entry: entry.spec.name)
def entry(request: pytest.FixtureRequest) -> Registered:
    return request.param


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_size_gives_numbers_in_range_or_a_reason(entry: Registered, size: tuple[int, int]) -> None:
    (signal,) = run(entry, [image(*size)])
    check_contract(entry, signal)


@pytest.mark.parametrize("mode", ["L", "1", "RGBA", "P"])
def test_any_colour_mode_gives_numbers_in_range_or_a_reason(entry: Registered, mode: str) -> None:
    check_contract(entry, run(entry, [image(200, 150, mode=mode)])[0])


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_image_gives_numbers_in_range_or_a_reason(entry: Registered, level: int) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 260), (level, level, level)).save(buffer, "JPEG")
    check_contract(entry, run(entry, [decode(buffer.getvalue())])[0])


def test_the_same_image_gives_the_same_signal_alone_in_a_batch_and_in_any_order(entry: Registered) -> None:
    samples = [image(200, 160, seed) for seed in range(4)]
    alone = [run(entry, [sample])[0] for sample in samples]
    assert all(map(same, run(entry, samples), alone))
    assert all(map(same, run(entry, samples[::-1]), alone[::-1]))


def test_the_declaration_is_complete(entry: Registered) -> None:
    spec = entry.spec
    assert spec.version >= 1
    for text in (spec.title, spec.looks_at, spec.fails_when, spec.source):
        assert text
        assert not text.endswith(".")
    for number in spec.numbers:
        assert number.meaning
        assert number.low < number.high
