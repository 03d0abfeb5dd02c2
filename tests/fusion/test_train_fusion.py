"""The training command: from a dataset.csv to an artifact that loads, with honest numbers beside it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fusion.fit import balanced_weights
from fusion.model import MODEL_FILE, load_model
from fusion.train_fusion import app
from tests.fusion.conftest import IMAGES, write_dataset


def test_the_artifact_is_complete_and_listed(artifact: Path) -> None:
    manifest = json.loads((artifact / "manifest.json").read_text())
    assert set(manifest["files"]) == {p.name for p in artifact.iterdir()} - {"manifest.json"}
    assert manifest["schema"]["sha256"] == load_model(artifact).schema.digest()


def test_the_metrics_tell_what_was_measured_and_never_touch_nan(artifact: Path) -> None:
    metrics = json.loads((artifact / "metrics.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert metrics["test"]["AUC"]["value"] > 0.9
    assert metrics["chosen"] in [entry["candidate"] for entry in metrics["cross_validation"]]
    assert metrics["rows"]["test real"] == {"views": IMAGES, "sources": 1}


def test_the_card_states_the_measured_numbers(artifact: Path) -> None:
    metrics = json.loads((artifact / "metrics.json").read_text())
    card = (artifact / "MODEL_CARD.md").read_text()
    assert f"| AUC | {metrics['test']['AUC']['value']:.3f} |" in card
    assert f"AI from {metrics['thresholds']['ai']:.3f} up" in card


def test_the_same_seed_gives_the_same_file(dataset: Path, artifact: Path, tmp_path: Path) -> None:
    out = tmp_path / "light"
    result = CliRunner().invoke(app, ["--dataset", str(dataset), "--out", str(out), "--views", "1"])
    assert result.exit_code == 0
    assert (out / MODEL_FILE).read_bytes() == (artifact / MODEL_FILE).read_bytes()


def test_a_failed_run_leaves_the_older_artifact_alone(tmp_path: Path) -> None:
    out = tmp_path / "light"
    out.mkdir()
    (out / "keep").write_text("me")
    result = CliRunner().invoke(app, ["--dataset", str(tmp_path / "none.csv"), "--out", str(out)])
    assert result.exit_code == 2
    assert [p.name for p in tmp_path.iterdir()] == ["light"]
    assert (out / "keep").read_text() == "me"


def test_too_few_sources_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = write_dataset(tmp_path)
    lines = [line for line in path.read_text().splitlines() if not line.startswith(("2-", "3-", "4-", "5-"))]
    path.write_text("\n".join(lines))
    result = CliRunner().invoke(app, ["--dataset", str(path), "--out", str(tmp_path / "o"), "--views", "1"])
    assert result.exit_code == 2
    assert "at least 5 sources" in result.stderr


def test_a_dataset_too_small_to_split_is_refused_not_answered_with_a_constant(tmp_path: Path) -> None:
    path = write_dataset(tmp_path)
    lines = [
        line
        for line in path.read_text().splitlines()
        if line.startswith("filepath") or "-0.png," in line or "-1.png," in line
    ]
    path.write_text("\n".join(lines))
    result = CliRunner().invoke(app, ["--dataset", str(path), "--out", str(tmp_path / "o"), "--views", "1"])
    assert result.exit_code == 2
    assert "nothing to split on" in result.stderr


def test_weights_even_out_classes_and_damp_large_sources() -> None:
    import numpy as np

    label = np.array([0] * 100 + [1] * 4)
    source = np.array(["big"] * 96 + ["small"] * 4 + ["one"] * 4)
    weight = balanced_weights(label, source)
    assert weight[label == 0].sum() == pytest.approx(weight[label == 1].sum())
    assert weight.mean() == pytest.approx(1)
    assert weight[99] / weight[0] == pytest.approx((96 / 4) ** 0.5)
