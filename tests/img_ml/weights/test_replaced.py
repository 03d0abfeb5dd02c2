"""Weights that a training replaces are kept and come back; what a hub has is not kept."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from img_ml.weights.__main__ import app
from img_ml.weights.record import WeightsRecord
from img_ml.weights.replaced import folder_in
from img_ml.weights.store import install, installed, restore
from img_ml.weights.table import find

GHOST = find("ghostnet")


def put(weights: Path, content: str, auc: float | None, record: WeightsRecord = GHOST) -> None:
    def fill(folder: Path) -> str:
        (folder / "model.safetensors").write_text(content)
        (folder / "config.json").write_text(json.dumps({} if auc is None else {"held_out_auc": auc}))
        return ""

    install(record, weights, record.repository or "trained here", fill)


def content(weights: Path) -> str:
    return installed(GHOST, weights).file("model.safetensors").read_text()


def test_weights_that_were_better_come_back(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(weights, "good", 0.95)
    put(weights, "bad", 0.61)
    assert content(weights) == "bad"
    assert "it was better on the sources it held out: AUC 0.950, the new one 0.610" in caplog.text
    assert CliRunner().invoke(app, ["restore", "ghostnet"]).exit_code == 0
    assert content(weights) == "good"
    restore(GHOST, weights)
    assert content(weights) == "bad", "what a restoring replaced is kept too"


def test_what_came_of_a_hub_or_is_the_same_is_not_kept(weights: Path) -> None:
    put(weights, "mine", 0.7)
    put(weights, "mine", 0.7)
    assert not folder_in(weights).exists()
    published = replace(GHOST, repository="someone/ghostnet")
    for version in ("first", "second"):
        put(weights, version, None, published)
    assert content(folder_in(weights)) == "mine"
    put(weights, "third", None, published)
    assert content(folder_in(weights)) == "mine"


def test_a_kept_file_that_was_changed_is_not_brought_back(weights: Path) -> None:
    put(weights, "good", None)
    put(weights, "bad", None)
    (folder_in(weights) / "ghostnet" / "model.safetensors").write_text("evil")
    told = CliRunner().invoke(app, ["restore", "ghostnet"])
    assert told.exit_code == 2
    assert "was changed since it was replaced" in told.stderr
    assert content(weights) == "bad"


def test_without_anything_replaced_it_is_told(weights: Path) -> None:
    put(weights, "good", None)
    told = CliRunner().invoke(app, ["restore", "ghostnet"])
    assert told.exit_code == 2
    assert "Nothing that ghostnet replaced is kept" in told.stderr


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "weights"))
    return tmp_path / "weights"
