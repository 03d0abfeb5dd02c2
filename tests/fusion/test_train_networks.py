"""The training command with real detectors on tiny weights: heads out of fold, then a judge that uses them."""

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from forensics.reading.decode import decode
from forensics.types import Measured
from fusion.judge import load_judge
from fusion.settings import FusionSettings
from fusion.train_fusion import app
from img_ml.settings import ImgMlSettings
from tests.img_ml.tiny import write_clip, write_dino, write_siglip

PROFILE = 'detectors = ["noise", "dino", "clip_h14", "siglip2"]\nartifact = "model"\n'


def test_heads_of_dino_clip_and_siglip_are_trained_out_of_fold_and_used(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dino(tmp_path / "weights", "dinov2-large")
    write_clip(tmp_path / "weights")
    write_siglip(tmp_path / "weights", "siglip2-so400m")
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")
    profile = tmp_path / "mine.toml"
    profile.write_text(PROFILE)
    places = ["--profile", str(profile), "--out", str(tmp_path / "model"), "--cache", str(tmp_path / "features")]
    options = ["--dataset", str(dataset), "--views", "1", "--model", "logistic", "--head", "dino=svm_linear"]
    trained = CliRunner().invoke(app, [*places, *options])
    assert trained.exit_code == 0, trained.output
    assert set(json.loads((tmp_path / "model" / "fusion.json").read_text())["heads"]) == {"clip_h14", "dino", "siglip2"}
    assert "--head dino=svm_linear" in (tmp_path / "model" / "MODEL_CARD.md").read_text()
    judge = load_judge(ImgMlSettings(IMG_ML_PROFILE=str(profile)), FusionSettings())
    (verdict,) = judge.judge([decode((dataset.parent / "0-1-0.png").read_bytes())])
    assert verdict.fusion == "trained"
    numbers = {}
    for signal in verdict.evidence.signals:
        assert isinstance(signal, Measured)
        numbers |= signal.numbers
    for name in ("dino_prob", "clip_h14_prob", "clip_h14_head_prob", "siglip2_prob"):
        assert math.isfinite(numbers[name]), name
