"""Training the inverted and saturated CNN by its command: alone, compared side by side, and what it shows people."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from forensics.errors import WeightsError
from forensics.registry import Setup
from forensics.types import Measured
from img_ml.detectors.saturation_cnn import crops, load
from img_ml.train.__main__ import app
from tests.forensics.pictures import sample_of
from tests.img_ml.tiny import TINY
from tests.img_ml.train.conftest import picture


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")
    return tmp_path / "weights"


def train(dataset: Path, kept: Path, *arguments: object) -> Result:
    given = ["--batch", 6, "--threads", 1, "--side", 64, "--checkpoint", kept / "kept.safetensors", *arguments]
    return CliRunner().invoke(app, ["saturation_cnn", "--dataset", str(dataset), *map(str, given)])


def test_what_was_trained_is_loaded_with_its_saturation_and_side(dataset: Path, weights: Path, tmp_path: Path) -> None:
    result = train(dataset, tmp_path, "--steps", 2, "--check-every", 1, "--saturation", 500)
    assert result.exit_code == 0, result.output
    config = json.loads((weights / "saturation_cnn" / "config.json").read_text())
    assert (config["saturation"], config["side"]) == (500, 64)
    (signal,) = load(Setup(weights))([sample_of(np.asarray(picture(1, smooth=True)))])
    assert isinstance(signal, Measured)
    assert "6 crops" in signal.sentence


def test_a_comparison_prints_all_side_by_side_and_installs_the_best(
    dataset: Path, weights: Path, tmp_path: Path
) -> None:
    result = train(dataset, tmp_path, "--compare", "--steps", 4, "--check-every", 2)
    assert result.exit_code == 0, result.output
    head, *lines = [line for line in result.stdout.splitlines() if "│" in line or "┃" in line]
    for name in ("as it is", "saturated 8x", "saturated 500x"):
        assert name in head
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert [row[0] for row in cells] == ["2", "4", "best AUC"]
    assert all(0 <= float(cell) <= 1 for row in cells for cell in row[1:])
    config = json.loads((weights / "saturation_cnn" / "config.json").read_text())
    best = [float(cell) for cell in cells[-1][2::2]]
    assert config["held_out_auc"] == pytest.approx(max(best), abs=6e-4)
    assert [0, 8, 500][best.index(max(best))] == config["saturation"]
    assert not list(tmp_path.glob("*kept*"))


def test_the_contact_sheet_shows_samples_before_and_after(dataset: Path, weights: Path, tmp_path: Path) -> None:
    result = train(dataset, tmp_path, "--steps", 1, "--check-every", 1, "--debug-dir", tmp_path / "seen")
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "seen" / "saturation_cnn.samples.png") as image:
        assert image.size == (6 * 208 + 8, 28 + 6 * (128 + 8))


@pytest.mark.parametrize(("option", "value"), [("--saturation", 9), ("--side", 16), ("--side", 500)])
def test_settings_that_nobody_trains_with_are_refused(
    dataset: Path, weights: Path, tmp_path: Path, option: str, value: int
) -> None:
    result = train(dataset, tmp_path, option, value)
    assert result.exit_code == 2
    assert f"{option} is {value}" in result.stderr


@pytest.mark.parametrize("text", ["{}", '{"saturation": 8, "side": 2}', '{"saturation": -1, "side": 64}', "none"])
def test_a_config_that_describes_no_network_is_told(tmp_path: Path, text: str) -> None:
    from img_ml.weights.store import install
    from img_ml.weights.table import find

    TINY["saturation_cnn"](tmp_path)
    tensors = (tmp_path / "saturation_cnn" / "model.safetensors").read_bytes()

    def fill(folder: Path) -> str:
        (folder / "model.safetensors").write_bytes(tensors)
        (folder / "config.json").write_text(text)
        return ""

    install(find("saturation_cnn"), tmp_path, "test", fill)
    with pytest.raises(WeightsError, match=r"does not (name|describe)"):
        load(Setup(tmp_path))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (32, 32), (100, 223), (500, 900)], ids=str)
def test_every_image_gives_full_crops(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    for side in (32, 224):
        found = crops(pixels, side)
        assert {one.shape for one in found} == {(side, side, 3)}
        assert 1 <= len(found) <= 6
