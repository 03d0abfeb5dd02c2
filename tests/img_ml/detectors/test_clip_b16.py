"""The detector over an encoder: which windows it looks at, what it says, and what it says of weights that are amiss."""

from pathlib import Path

import numpy as np
import pytest

from forensics.errors import WeightsError
from forensics.registry import Setup
from forensics.types import Measured, Skipped
from img_ml.detectors._square_windows import SIDE, square_windows
from img_ml.detectors.clip_b16 import MOST_WINDOWS, ClipDetector, load, signal
from img_ml.weights import store
from img_ml.weights.table import find
from tests.forensics.pictures import photo, sample_of
from tests.img_ml.tiny import write_clip_b16, write_crop_network


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    write_clip_b16(folder, {"0123456789abcdef": 2})
    return folder


@pytest.mark.parametrize(
    ("height", "width", "count"), [(64, 64, 1), (300, 200, 1), (336, 336, 1), (480, 640, 2), (200, 900, 3)]
)
def test_windows_are_squares_at_native_resolution(height: int, width: int, count: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    windows = square_windows(pixels, MOST_WINDOWS)
    assert windows.shape == (count, SIDE, SIDE, 3)
    top, left = (max(length - SIDE, 0) // 2 // 8 * 8 for length in (height, width))
    if count == 1:
        part = pixels[top : top + SIDE, left : left + SIDE]
        assert np.array_equal(windows[0][: part.shape[0], : part.shape[1]], part)


def test_a_small_image_goes_on_mirrored() -> None:
    pixels = np.arange(64 * 70 * 3, dtype=np.uint32).astype(np.uint8).reshape(64, 70, 3)
    (window,) = square_windows(pixels, 1)
    assert np.array_equal(window[64:128, :70], pixels[::-1])


def test_the_signal_is_the_mean_over_windows_and_members() -> None:
    found = signal(np.array([[1.0, 3.0], [-1.0, 1.0]]))
    assert found.numbers["clip_b16_prob"] == pytest.approx(1 / (1 + np.exp(-1.0)))
    assert found.numbers["clip_b16_spread"] == pytest.approx(1.0)
    assert found.embedding is not None
    assert found.embedding.tolist() == [0.0, 2.0]


def test_an_image_has_the_same_signal_in_any_batch(weights: Path) -> None:
    detector = load(Setup(weights))
    first, second = sample_of(photo()[:300, :500]), sample_of(photo("coffee")[:90, :120])
    alone, (_, behind) = detector([first])[0], detector([second, first])
    assert isinstance(alone, Measured)
    assert isinstance(behind, Measured)
    assert alone.numbers == behind.numbers
    assert detector.held_out == {"0123456789abcdef": 2}  # type: ignore[attr-defined]


def test_a_tiny_image_is_skipped(weights: Path) -> None:
    (found,) = load(Setup(weights))([sample_of(photo()[:63, :300])])
    assert isinstance(found, Skipped)
    assert "under 64 px" in found.reason


def test_an_altered_graph_is_refused(tmp_path: Path) -> None:
    write_clip_b16(tmp_path)
    path = tmp_path / "clip_b16" / "clip_b16.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(WeightsError, match="was changed"):
        load(Setup(tmp_path))


def test_members_that_the_graph_lacks_are_refused(tmp_path: Path) -> None:
    write_clip_b16(tmp_path, {"0123456789abcdef": 3})
    with pytest.raises(WeightsError, match="names members"):
        load(Setup(tmp_path))


def test_a_graph_of_another_kind_is_refused(tmp_path: Path) -> None:
    write_crop_network(tmp_path)
    with pytest.raises(WeightsError, match="other names"):
        ClipDetector((tmp_path / "crop_network" / "crop_network.onnx").read_bytes(), {}, "")


def test_facts_without_what_was_held_out_are_refused(tmp_path: Path) -> None:
    def fill(folder: Path) -> str:
        (folder / "clip_b16.onnx").write_bytes(b"")
        (folder / "config.json").write_text("{}")
        return ""

    store.install(find("clip_b16"), tmp_path, "tiny", fill)
    with pytest.raises(WeightsError, match="does not say what was held out"):
        load(Setup(tmp_path))
