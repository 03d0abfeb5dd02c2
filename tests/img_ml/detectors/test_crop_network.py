"""The detector `crop_network`: which member sees what, its map, its weights, and that it needs no torch."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from forensics.errors import WeightsError
from forensics.registry import Setup, get
from forensics.types import Measured
from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector
from img_ml.detectors import _members as members_detector
from img_ml.detectors._members import (
    LEFT_OUT,
    MOST_MAPPED,
    MOST_PAIRS,
    MOST_WINDOWS,
    WINDOW,
    MembersDetector,
    located,
    shared_out,
    spread_windows,
)
from img_ml.engine.engine import Engine
from img_ml.profiles import Profile
from img_ml.weights import store
from img_ml.weights.__main__ import app
from img_ml.weights.store import installed, state_of
from img_ml.weights.table import find
from tests.forensics.pictures import photo, sample_of
from tests.img_ml.tiny import write_crop_network


class Brightness:
    """Members whose logit of a place is how far its brightness is from grey, each a little larger than the last."""

    count = 3

    def maps(self, pixels: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [self._map(one) + member / 10 for member, one in enumerate(pixels)]

    def _map(self, pixels: np.ndarray) -> np.ndarray:
        height, width = (-(-length // 16) for length in pixels.shape[1:3])
        cells = np.zeros((len(pixels), height, width))
        for row in range(height):
            for column in range(width):
                part = pixels[:, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
                cells[:, row, column] = part.mean(axis=(1, 2, 3)) / 16 - 8
        return cells


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    write_crop_network(folder, {"0" * 16: 2})
    return folder


def loaded(weights: Path) -> MembersDetector:
    load = get("crop_network").load
    assert load is not None
    found = load(Setup(weights, tier="light"))
    assert isinstance(found, MembersDetector)
    return found


@pytest.mark.parametrize("windows", range(1, MOST_WINDOWS + 1))
@pytest.mark.parametrize("members", [2, 3])
def test_members_share_the_windows_within_the_bound(windows: int, members: int) -> None:
    shared = shared_out(windows, members)
    assert len({len(seen) for seen in shared}) == 1
    assert all(len(set(seen)) == len(seen) for seen in shared)
    assert {window for seen in shared for window in seen} == set(range(windows))
    assert sum(map(len, shared)) <= MOST_PAIRS


def test_few_windows_are_seen_by_all_members_and_many_by_one() -> None:
    assert shared_out(1, 3) == [(0,), (0,), (0,)]
    assert shared_out(2, 3) == [(0, 1), (0, 1), (0, 1)]
    assert sorted(window for seen in shared_out(6, 3) for window in seen) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("size", [(64, 64), (224, 224), (225, 300), (64, 8000), (1100, 1500), (3000, 4000)], ids=str)
def test_windows_lie_inside_the_image_on_the_grid_of_a_jpeg(size: tuple[int, int]) -> None:
    for most, left_out in ((MOST_WINDOWS, LEFT_OUT), (MOST_MAPPED, 8)):
        windows = spread_windows(*size, most, left_out)
        assert 1 <= len(windows) <= most
        assert len({str(window) for window in windows}) == len(windows)
        assert len({tuple(span.stop - span.start for span in window) for window in windows}) == 1
        for window in windows:
            assert all(span.start % 8 == 0 for span in window)
            assert all(span.stop - span.start >= min(WINDOW, side) for span, side in zip(window, size, strict=True))
            assert all(span.stop <= side for span, side in zip(window, size, strict=True))


@pytest.mark.parametrize("side", [64, 224, 256, WINDOW + LEFT_OUT])
def test_an_image_a_little_larger_than_a_window_is_seen_whole(side: int) -> None:
    assert spread_windows(side, side, MOST_WINDOWS, LEFT_OUT) == [(slice(0, side), slice(0, side))]
    windows = spread_windows(WINDOW + LEFT_OUT + 1, side, MOST_WINDOWS, LEFT_OUT)
    assert len(windows) == 2
    # No wider than any other window: what an image costs is bounded by their count.
    assert {columns.stop - columns.start for _, columns in windows} == {min(side, WINDOW)}


def test_the_probability_is_that_of_the_mean_logit(weights: Path) -> None:
    (signal,) = loaded(weights)([sample_of(photo())])
    assert isinstance(signal, Measured)
    assert signal.embedding is not None
    assert signal.embedding.shape == (3,)
    assert signal.numbers["crop_network_prob"] == pytest.approx(expit(signal.embedding.mean()), abs=1e-6)
    assert signal.heatmap is None


@pytest.mark.parametrize("size", [(70, 90), (300, 500), (1300, 900), (2500, 4100)], ids=str)
def test_the_map_is_high_where_the_members_are(size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), 60, dtype=np.uint8)
    pixels[: size[0] // 2, : size[1] // 2] = 200
    heatmap = located(Brightness(), pixels)  # type: ignore[arg-type]
    assert heatmap.dtype == np.float32
    assert heatmap.shape == tuple(-(-side // 16) for side in size)
    rows, columns = heatmap.shape
    assert heatmap[: rows // 3, : columns // 3].min() > 0.5
    assert heatmap[-(rows // 3) :, -(columns // 3) :].max() < 0.5


def test_a_map_is_drawn_only_when_somebody_asks(weights: Path) -> None:
    profile = Profile("probe", ("crop_network",), weights / "no artifact", tier="light")
    engine = Engine(profile, weights)
    sample = sample_of(photo())
    (evidence,) = engine.run([sample])
    (signal,) = engine.located(sample, evidence.signals)
    assert [one.heatmap for one in evidence.signals if isinstance(one, Measured)] == [None]
    assert isinstance(signal, Measured)
    assert signal.heatmap is not None
    assert signal.heatmap.shape == (-(-sample.height // 16), -(-sample.width // 16))
    assert engine.held_out == {"crop_network": {"0" * 16: 2}}


def test_a_map_that_fails_costs_no_verdict(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(Profile("probe", ("crop_network",), weights / "no artifact", tier="light"), weights)
    monkeypatch.setattr(members_detector, "located", lambda *_: 1 / 0)
    (evidence,) = engine.run([sample_of(photo())])
    assert engine.located(sample_of(photo()), evidence.signals) == evidence.signals


def test_no_torch_is_imported(weights: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from img_ml.engine.engine import Engine;"
        "from img_ml.profiles import load_profile;"
        "import numpy as np; from forensics.types import ImageSample;"
        f"engine = Engine(load_profile('light', Path('m')), Path({str(weights)!r}));"
        "sample = ImageSample(b'', '', 'image/png', np.zeros((300, 300, 3), np.uint8));"
        "engine.run([sample]);"
        "print(engine.learned, sorted({'torch', 'timm', 'onnx'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "('clip_b16', 'crop_network') []"


@pytest.mark.parametrize("content", ["{}", '{"held_out": {"a": 3}}', '{"held_out": [1]}', "x"])
def test_facts_that_do_not_fit_are_refused(tmp_path: Path, content: str) -> None:
    write_crop_network(tmp_path / "made")

    def fill(folder: Path) -> str:
        (folder / "crop_network.onnx").write_bytes(
            (tmp_path / "made" / "crop_network" / "crop_network.onnx").read_bytes()
        )
        (folder / "config.json").write_text(content)
        return ""

    store.install(find("crop_network"), tmp_path / "bad", "tiny", fill)
    with pytest.raises(WeightsError, match=r"config\.json of crop_network"):
        loaded(tmp_path / "bad")


def test_a_graph_that_is_none_is_refused(tmp_path: Path) -> None:
    def fill(folder: Path) -> str:
        (folder / "crop_network.onnx").write_bytes(b"no graph")
        (folder / "config.json").write_text('{"held_out": {}}')
        return ""

    store.install(find("crop_network"), tmp_path, "tiny", fill)
    with pytest.raises(WeightsError, match="ONNX graph cannot be used"):
        loaded(tmp_path)


def test_packaged_weights_are_taken_where_the_user_has_none(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    record = find("crop_network")
    monkeypatch.setattr(store, "PACKAGED", weights)
    monkeypatch.setattr("img_ml.weights.__main__.PACKAGED", weights)
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path))
    assert state_of(record, tmp_path) == "packaged"
    assert installed(record, tmp_path).folder == weights / "crop_network"
    told = CliRunner().invoke(app, ["verify"])
    assert (told.exit_code, "crop_network: 2 files" in told.output) == (0, True), told.output
    assert "packaged" in CliRunner().invoke(app, ["list"]).output
    write_crop_network(tmp_path)
    assert state_of(record, tmp_path) == "present"
    assert installed(record, tmp_path).folder == tmp_path / "crop_network"


def test_packaged_weights_that_were_changed_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_crop_network(tmp_path / "packaged")
    monkeypatch.setattr(store, "PACKAGED", tmp_path / "packaged")
    graph = tmp_path / "packaged" / "crop_network" / "crop_network.onnx"
    data = bytearray(graph.read_bytes())
    data[100] ^= 1
    graph.write_bytes(data)
    with pytest.raises(WeightsError, match=r"crop_network\.onnx was changed"):
        loaded(tmp_path / "own")
