"""Training GhostNet by its command: it learns, and is installed for its detector; Ctrl-C leaves a checkpoint."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from forensics.registry import Setup
from forensics.types import Measured
from img_ml.detectors.ghostnet import full_crops, load
from img_ml.train.__main__ import app
from img_ml.weights.lock import read_lock
from tests.forensics.pictures import sample_of
from tests.img_ml.train.conftest import picture


@pytest.mark.slow
def test_it_learns_and_the_detector_loads_what_it_learned(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")
    options = {"steps": 32, "batch": 6, "check-every": 8, "learning-rate": 0.002, "threads": 1}
    given = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    given += ["--backbone", "ghostnet_050", "--checkpoint", str(tmp_path / "kept.safetensors")]
    result = CliRunner().invoke(app, ["ghostnet", "--dataset", str(dataset), *given])
    assert result.exit_code == 0, result.output
    assert "on held-out sources" in result.output
    assert not (tmp_path / "kept.safetensors").exists()
    config = json.loads((tmp_path / "weights" / "ghostnet" / "config.json").read_text())
    assert config["held_out_auc"] > 0.95
    assert set(read_lock(tmp_path / "weights")["ghostnet"].files) == {"config.json", "model.safetensors"}
    detector = load(Setup(tmp_path / "weights"))
    scores = {True: [], False: []}
    for smooth, found in scores.items():
        for signal_ in detector([sample_of(np.asarray(picture(9000 + n, smooth=smooth))) for n in range(4)]):
            assert isinstance(signal_, Measured)
            found.append(signal_.numbers["ghostnet_score"])
    assert min(scores[True]) > max(scores[False])


def test_ctrl_c_leaves_a_checkpoint_and_exit_code_3(dataset: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "kept.safetensors"
    command = [sys.executable, "-m", "img_ml.train", "ghostnet", "--dataset", str(dataset), "--threads", "1"]
    command += ["--backbone", "ghostnet_050", "--batch", "4", "--check-every", "1", "--patience", "1000"]
    environment = {**os.environ, "IMG_ML_WEIGHTS_DIR": str(tmp_path / "weights"), "IMG_ML_DEVICE": "cpu"}
    process = subprocess.Popen(
        [*command, "--checkpoint", str(checkpoint)], stderr=subprocess.PIPE, text=True, env=environment
    )
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 3, told
    assert "the same command goes on from there" in told
    assert "Traceback" not in told
    assert "progress" in checkpoint.read_bytes()[:100_000].decode(errors="ignore")


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (100, 223), (224, 224), (500, 900)], ids=str)
def test_every_image_gives_full_crops(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    crops = full_crops(pixels)
    assert {one.shape for one in crops} == {(224, 224, 3)}
    if max(size) <= 224:
        assert np.array_equal(crops[0][: size[0], : size[1]], pixels)


def test_a_dataset_that_cannot_be_learned_from_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["ghostnet", "--dataset", str(tmp_path / "none.csv")])
    assert result.exit_code == 2
    assert "There is no" in result.output
