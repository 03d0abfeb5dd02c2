"""The command that puts an artifact in force: checked first, listed, and back in one word."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from forensics.errors import ArtifactError
from fusion.artifacts.__main__ import app
from fusion.artifacts.artifact import load_artifact
from fusion.artifacts.in_force import fusion_in_force
from fusion.judge import load_judge
from fusion.settings import FusionSettings
from img_ml.profiles import load_profile
from img_ml.settings import ImgMlSettings
from tests.fusion import published


@pytest.fixture
def models(artifact: Path, logistic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder with the light artifact in place and a logistic one beside it."""
    shutil.copytree(artifact, tmp_path / "light")
    shutil.copytree(logistic, tmp_path / "logistic")
    monkeypatch.setenv("IMG_ML_MODEL_DIR", str(tmp_path))
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def in_force() -> str:
    return load_judge(ImgMlSettings(), FusionSettings()).fingerprint


def test_use_puts_an_artifact_in_force_and_back_takes_it_out(models: Path) -> None:
    own, other = (load_artifact(models / name).fingerprint for name in ("light", "logistic"))
    assert in_force() == own
    result = run("use", models / "logistic")
    assert (result.exit_code, other in result.stderr) == (0, True)
    assert in_force() == other
    assert run("back").exit_code == 0
    assert in_force() == own
    assert run("back").exit_code == 2


def test_list_tells_both_with_their_measured_auc(models: Path) -> None:
    run("use", models / "logistic")
    shown = run("list").stdout
    for name in ("light", "logistic"):
        assert load_artifact(models / name).fingerprint in shown
    assert shown.count("1.000") == 2
    dataset = json.loads((models / "light" / "metrics.json").read_text())["dataset_sha256"]
    assert shown.count(dataset[:8]) == 2


def test_an_artifact_in_force_that_was_moved_away_is_told_with_the_way_back(models: Path) -> None:
    run("use", models / "logistic")
    (models / "logistic").rename(models / "elsewhere")
    with pytest.raises(ArtifactError, match=r"not there any longer: `python -m fusion.artifacts back --profile light`"):
        fusion_in_force(load_profile("light", models))
    assert run("back").exit_code == 0
    fusion_in_force(load_profile("light", models))


def test_a_tampered_artifact_is_refused_and_nothing_changes(models: Path) -> None:
    (models / "logistic" / "fusion.logistic.json").write_bytes(b"x")
    before = in_force()
    result = run("use", models / "logistic")
    assert (result.exit_code, "does not match its manifest" in result.stderr) == (2, True)
    assert in_force() == before


def test_back_passes_over_what_is_gone(models: Path) -> None:
    own = in_force()
    shutil.copytree(models / "logistic", models / "third")
    (models / "third" / "manifest.json").write_bytes((models / "third" / "manifest.json").read_bytes() + b"\n")
    run("use", models / "logistic")
    run("use", models / "third")
    shutil.rmtree(models / "logistic")
    result = run("back")
    assert (result.exit_code, "Passed over: There is no fusion model" in result.stderr) == (0, True), result.stderr
    assert in_force() == own


def test_going_back_to_an_artifact_that_was_damaged_since_is_refused(models: Path) -> None:
    run("use", models / "logistic")
    (models / "light" / "fusion.ubj").write_bytes(b"x")
    before = in_force()
    assert run("back").exit_code == 2
    assert in_force() == before


def test_an_artifact_that_rests_on_other_detectors_than_the_profile_runs_is_refused(models: Path) -> None:
    profile = models / "small.toml"
    profile.write_text('detectors = ["exif"]\nartifact = "small"\n')
    result = run("use", models / "logistic", "--profile", profile)
    assert (result.exit_code, "does not run: " in result.stderr) == (2, True)
    assert not (models / "small").exists()


def test_list_tells_of_a_prior_what_it_rests_on_until_an_artifact_is_put_in_force(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.register(monkeypatch)
    fingerprint = fusion_in_force(load_profile("full", models)).fingerprint
    result = run("list", "--profile", "full")
    assert result.exit_code == 0
    for text in (str(models / "light"), "test_strong_prob up to 1.10", "test_weak_prob up to 0.39", fingerprint):
        assert text in result.stdout
    assert "holds no artifact" in result.stderr
    assert run("back", "--profile", "full").exit_code == 2
    assert run("use", models / "logistic", "--profile", "full").exit_code == 0
    shown = run("list", "--profile", "full").stdout
    assert load_artifact(models / "logistic").fingerprint in shown
    assert "prior: " not in shown


def test_list_of_a_profile_that_cannot_answer_says_why(models: Path) -> None:
    profile = models / "small.toml"
    profile.write_text('detectors = ["exif"]\nartifact = "small"\n')
    result = run("list", "--profile", profile)
    assert (result.exit_code, "cannot stand in for it" in result.stderr) == (2, True)
