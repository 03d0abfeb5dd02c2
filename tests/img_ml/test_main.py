"""The list of detectors: complete, for people and for machines."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from forensics.registry import entries
from img_ml.__main__ import app


def test_json_lists_every_detector_with_its_numbers() -> None:
    result = CliRunner().invoke(app, ["detectors", "--json"])
    assert result.exit_code == 0
    listed = {one["name"]: one for one in json.loads(result.stdout)}
    assert set(listed) == {entry.spec.name for entry in entries()}
    assert listed["ela"]["weights"] == "none needed"
    assert listed["exif"]["numbers"][0] == {
        "name": "exif_score",
        "low": 0,
        "high": 1,
        "meaning": "plausibility of the camera metadata",
    }


def test_the_table_names_every_detector() -> None:
    result = CliRunner().invoke(app, ["detectors"])
    assert all(entry.spec.name in result.stdout for entry in entries())


def test_a_lock_file_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path))
    (tmp_path / "weights.lock.json").write_text("nothing")
    result = CliRunner().invoke(app, ["detectors"])
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr
