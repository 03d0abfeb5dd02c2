"""One contract for every registered detector: sizes, ranges, repeatability, and reasons for silence."""

import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from forensics.crops import MIN_SIDE, too_small_reason
from forensics.errors import ArtifactError
from forensics.examine import checked, run_analyzer
from forensics.reading.decode import decode
from forensics.registry import Detector, Registered, Setup, entries, get
from forensics.types import ImageSample, Measured, Signal, Skipped
from fusion.output.messages import LANGUAGES, retelling
from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector
from img_ml.detectors import aeroblade
from img_ml.weights import store
from tests.forensics.pictures import photo, sample_of
from tests.img_ml.tiny import TINY, low_precision

LOADED: dict[str, Detector] = {}

SIZES = [
    (1, 1),
    (2, 900),
    (900, 2),
    (7, 7),
    (8, 8),
    (33, 31),
    (64, 64),
    (224, 224),
    (225, 300),
    (1, 5000),
    (1500, 1100),
]


def image(width: int, height: int, seed: int = 0, mode: str = "RGB") -> ImageSample:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels).convert(mode)
    if mode in ("LA", "RGBA"):
        # Some of it not to be seen at all.
        picture.putalpha(Image.fromarray(pixels[..., 0]).point(lambda value: max(0, 2 * value - 255)))
    picture.save(buffer, "PNG")
    return decode(buffer.getvalue())


def same(first: Signal, second: Signal) -> bool:
    if isinstance(first, Measured) and isinstance(second, Measured):
        pairs = [(first.numbers[name], second.numbers[name]) for name in first.numbers]
        return all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in pairs) and first.sentence == second.sentence
    return first == second


def close(first: Signal, second: Signal, tolerance: float) -> bool:
    """The same up to `tolerance`, relative to the numbers' ranges and the embedding's largest value."""
    if not (isinstance(first, Measured) and isinstance(second, Measured)):
        return first == second
    for number in get(first.detector).spec.numbers:
        a, b = first.numbers[number.name], second.numbers[number.name]
        span = tolerance * max(1.0, min(number.high - number.low, abs(a)))
        if not (abs(a - b) <= span or (math.isnan(a) and math.isnan(b))):
            return False
    pairs = [(first.embedding, second.embedding), (first.heatmap, second.heatmap)]
    return all(_alike(a, b, tolerance) for a, b in pairs)


def _alike(first: np.ndarray | None, second: np.ndarray | None, tolerance: float) -> bool:
    if first is None or second is None:
        return first is second
    return first.shape == second.shape and np.abs(first - second).max() <= tolerance * max(1, np.abs(first).max())


def run(entry: Registered, samples: Sequence[ImageSample]) -> list[Signal]:
    if entry.analyze is not None:
        return [run_analyzer(entry, sample) for sample in samples]
    return [checked(entry, signal) for signal in LOADED[entry.spec.name](samples)]


@pytest.fixture(scope="module", autouse=True)
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Every learned detector, loaded once from its tiny weights."""
    for entry in learned():
        LOADED[entry.spec.name] = load(entry, tmp_path_factory.mktemp("weights"))
    with pytest.MonkeyPatch.context() as patch:
        # A whole image of a megapixel takes a VGG seconds, in each of its tests.
        patch.setattr(aeroblade, "MOST_PIXELS", 128 * 128)
        yield


def load(entry: Registered, weights: Path) -> Detector:
    assert entry.load is not None
    assert entry.spec.name in TINY, "tests/img_ml/tiny.py must write tiny weights of it"
    TINY[entry.spec.name](weights)
    return entry.load(Setup(weights, tier=entry.spec.tier))


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
    for language in LANGUAGES:
        assert language == "en" or retelling(language).told(signal.sentence) is not None, signal.sentence
    if signal.heatmap is not None:
        assert signal.heatmap.dtype == np.float32
        assert signal.heatmap.ndim == 2
        assert 0 <= signal.heatmap.min() <= signal.heatmap.max() <= 1


def learned() -> list[Registered]:
    return [entry for entry in entries() if entry.load is not None]


@pytest.fixture(params=entries(), ids=lambda entry: entry.spec.name)
def entry(request: pytest.FixtureRequest) -> Registered:
    return request.param


@pytest.fixture(params=learned(), ids=lambda entry: entry.spec.name)
def network(request: pytest.FixtureRequest) -> Registered:
    return request.param


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_size_gives_numbers_in_range_or_a_reason(entry: Registered, size: tuple[int, int]) -> None:
    (signal,) = run(entry, [image(*size)])
    check_contract(entry, signal)


@pytest.mark.parametrize("mode", ["L", "1", "LA", "RGBA", "P"])
def test_any_colour_mode_gives_numbers_in_range_or_a_reason(entry: Registered, mode: str) -> None:
    check_contract(entry, run(entry, [image(200, 150, mode=mode)])[0])


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_image_gives_numbers_in_range_or_a_reason(entry: Registered, level: int) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 260), (level, level, level)).save(buffer, "JPEG")
    check_contract(entry, run(entry, [decode(buffer.getvalue())])[0])


SIDES = [(1, 1), (1, 8000), (8000, 1), (8000, 100), (13, 14), (223, 225), (2100, 700)]


@pytest.mark.parametrize("size", SIDES, ids=str)
def test_a_network_takes_any_size(network: Registered, size: tuple[int, int]) -> None:
    (signal,) = run(network, [image(*size)])
    if network.on_cpu and min(size) < MIN_SIDE:
        assert signal == Skipped(network.spec.name, too_small_reason())
        return
    assert isinstance(signal, Measured)
    check_contract(network, signal)
    if network.spec.head is not None:
        assert signal.embedding is not None
        assert signal.embedding.dtype == np.float32
        assert signal.embedding.ndim == 1
        assert np.isfinite(signal.embedding).all()
        assert math.isnan(signal.numbers[network.spec.head.number])


def test_a_network_gives_each_image_the_same_alone_in_a_batch_and_in_any_order(network: Registered) -> None:
    samples = [image(200 + 40 * seed, 160, seed) for seed in range(8)]
    alone = [run(network, [sample])[0] for sample in samples]
    order = np.random.default_rng(0).permutation(len(samples))
    together, shuffled = run(network, samples), run(network, [samples[i] for i in order])
    for place, i in enumerate(order):
        assert close(alone[i], together[i], 1e-4)
        assert close(alone[i], shuffled[place], 1e-4)
    assert all(map(same, run(network, samples), together))


def test_a_network_tells_images_apart(network: Registered) -> None:
    first, second = run(network, [image(200, 160, 1), sample_of(photo())])
    assert not close(first, second, 1e-6)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_a_network_says_nearly_the_same_in_low_precision(network: Registered, precision: str) -> None:
    if network.on_cpu:
        pytest.skip("it runs on the CPU as it is")
    detector = LOADED[network.spec.name]
    samples = [sample_of(photo()[:90, :120]), image(70, 50)]
    exact = detector(samples)
    with low_precision(detector, precision):
        rough = detector(samples)
    assert all(close(a, b, 0.02 if precision == "float16" else 0.1) for a, b in zip(exact, rough, strict=True))


def test_a_network_without_weights_says_how_to_get_them(
    network: Registered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PACKAGED", tmp_path / "packaged")
    assert network.load is not None
    with pytest.raises(ArtifactError, match=r"python -m img_ml\.(weights pull|train) \S+"):
        network.load(Setup(tmp_path, tier=network.spec.tier))


def test_a_network_is_marked_by_its_weights(network: Registered) -> None:
    assert len(getattr(LOADED[network.spec.name], "weights_sha256", "")) == 64


def test_a_network_can_be_moved_and_rounded(network: Registered) -> None:
    if network.on_cpu:
        pytest.skip("it runs on the CPU as it is")
    assert getattr(LOADED[network.spec.name], "module", None) is not None, "tell it in Parts(module=...)"


def test_a_network_refuses_options_it_does_not_know(network: Registered, tmp_path: Path) -> None:
    assert network.load is not None
    with pytest.raises(ArtifactError, match="no option 'colour'"):
        network.load(Setup(tmp_path, tier=network.spec.tier, options={"colour": "red"}))


def test_the_same_image_gives_the_same_signal_alone_in_a_batch_and_in_any_order(entry: Registered) -> None:
    samples = [image(200, 160, seed) for seed in range(4)]
    alone = [run(entry, [sample])[0] for sample in samples]
    # On a CPU, the last digits of a network depend on the number of images beside.
    alike = same if entry.load is None else lambda a, b: close(a, b, 1e-4)
    assert all(map(alike, run(entry, samples), alone))
    assert all(map(alike, run(entry, samples[::-1]), alone[::-1]))


def test_the_declaration_is_complete(entry: Registered) -> None:
    spec = entry.spec
    assert spec.version >= 1
    for text in (spec.title, spec.looks_at, spec.fails_when, spec.source):
        assert text
        assert not text.endswith(".")
    for number in spec.numbers:
        assert number.meaning
        assert number.low < number.high
    if spec.prior is not None:
        assert spec.prior.reason
        assert not spec.prior.reason.endswith(".")
