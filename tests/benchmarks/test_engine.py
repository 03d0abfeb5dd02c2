"""The engine's benchmark inside this process, on tiny networks and a handful of pixels: every detector goes its way."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.engine import app
from benchmarks.support.engine.random_weights import WRITERS
from benchmarks.support.machine import machine_name

# The one that runs on the CPU alone is not measured.
NETWORKS = set(WRITERS) - {"crop_network"}
TINY = ("--tiny", "--device", "cpu", "--images", "3", "--size", "48x40", "--batch", "2", "--repeat", "1")


def test_every_network_of_a_profile_is_measured_and_compared_with_its_plain_way(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--profile", "full", *TINY, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "┃" in result.stdout
    content = json.loads((tmp_path / f"engine-{machine_name()}.json").read_text())
    assert content["settings"]["weights"] == "tiny"
    assert {one["detector"] for one in content["plan"]["networks"]} == NETWORKS
    mode = content["modes"]["off"]
    assert set(mode["detectors"]) == NETWORKS
    assert set(content["plain_way_ms_per_image"]) == NETWORKS
    assert mode["images_per_second"] > 0
    assert mode["ratio_to_bare_forward_passes"]["median"] > 0
    assert mode["ratio_to_plain_way"]["median"] > 0
    assert sum(one["share"] for one in mode["detectors"].values()) == pytest.approx(1, abs=0.01)


def test_nothing_to_measure_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "none"))
    result = CliRunner().invoke(app, ["--profile", "full", "--device", "cpu", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "No learned detector could be loaded" in result.stderr
