"""Going on from an artifact: it learns the new images, is held against a fixed set, and refused where it is worse."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fusion.artifacts.artifact import load_artifact
from fusion.train_fusion import app
from fusion.training.cache import image_key
from img_ml.profiles import load_profile
from tests.fusion.conftest import IMAGES, photo_like

Run = Callable[..., Result]


@pytest.fixture
def go_on(dataset: Path, cache: Path, logistic: Path, tmp_path: Path) -> Run:
    """Trains on from the logistic artifact, which a profile of its own has in force."""
    profile = tmp_path / "mine.toml"
    names = list(load_profile("tiny", tmp_path).detectors)
    profile.write_text(f"detectors = {json.dumps(names)}\nartifact = {json.dumps(str(logistic))}\ntier = 'light'\n")

    def run(new: Path, out: Path, *more: str, into: Path = profile) -> Result:
        given = ["--dataset", dataset, "--cache", cache, "--views", 1, "--profile", into, "--add", new, "--out", out]
        return CliRunner().invoke(app, [*map(str, given), *more])

    return run


def write_new(folder: Path, *, flipped: bool = False, source: str = "new") -> Path:
    """Images of another generator alone; `flipped` ones are photographs that are called AI."""
    lines = ["filepath,label,split,source"]
    for number in range(2 * IMAGES):
        photo_like(7000 + number, smooth=not flipped).save(folder / f"new-{number}.png")
        lines.append(f"new-{number}.png,1,train,{source}")
    (folder / "new.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "new.csv"


def test_it_goes_on_with_the_choices_of_the_artifact_in_force(
    go_on: Run, dataset: Path, logistic: Path, tmp_path: Path
) -> None:
    done = go_on(write_new(tmp_path), tmp_path / "second")
    assert done.exit_code == 0, done.output
    assert f"{2 * IMAGES} images are added" in done.stderr
    assert f"Against {load_artifact(logistic).fingerprint} on the {2 * IMAGES} images" in done.stderr
    before, now = (json.loads((folder / "metrics.json").read_text()) for folder in (logistic, tmp_path / "second"))
    assert now["chosen"]["candidate"] == before["chosen"]["candidate"]
    assert len(now["cross_validation"]) == 1
    learned = load_artifact(tmp_path / "second").learned - load_artifact(logistic).learned
    assert len(learned) == 2 * IMAGES
    kept = (tmp_path / "second" / "regression.txt").read_text().split()
    held_out = {image_key(path.read_bytes()) for path in dataset.parent.glob("0-*.png")}
    assert set(kept) == held_out


def test_what_is_worse_on_the_regression_set_is_refused(go_on: Run, dataset: Path, tmp_path: Path) -> None:
    """A flood of photographs that are called AI turns what the model knew round."""
    lines = ["filepath,label,split,source"]
    for copy in range(6):
        for path in sorted(dataset.parent.glob("[2-5]-*.png")):
            label = 1 - int(path.stem.split("-")[1])
            lines.append(f"{path},{label},train,wrong{copy}-{label}-{path.stem[0]}")
    (tmp_path / "new.csv").write_text("\n".join(lines), encoding="utf-8")
    done = go_on(tmp_path / "new.csv", tmp_path / "second")
    assert done.exit_code == 1, done.output
    assert "Refused: it is worse beyond the interval" in done.stderr
    assert not (tmp_path / "second").exists()


def test_sources_of_the_regression_set_are_not_learned_from(go_on: Run, tmp_path: Path) -> None:
    done = go_on(write_new(tmp_path, source="s0-1"), tmp_path / "second")
    assert f"0 images are added; {2 * IMAGES} are left out, for the regression set holds them" in done.stderr


def test_the_regression_set_stays_what_it_was(go_on: Run, logistic: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(logistic, tmp_path / "first")
    (tmp_path / "first" / "regression.txt").write_text("0" * 64 + "\n")
    names = list(load_profile("tiny", tmp_path).detectors)
    profile = tmp_path / "other.toml"
    profile.write_text(f"detectors = {json.dumps(names)}\nartifact = 'first'\n")
    done = go_on(write_new(tmp_path), tmp_path / "second", into=profile)
    assert done.exit_code == 2
    assert "1 of the 1 images" in done.stderr


def test_without_a_trained_artifact_there_is_nothing_to_go_on_from(go_on: Run, tmp_path: Path) -> None:
    profile = tmp_path / "none.toml"
    profile.write_text(f"detectors = {json.dumps(list(load_profile('light', tmp_path).detectors))}\nartifact = 'x'\n")
    done = go_on(write_new(tmp_path), tmp_path / "second", into=profile)
    assert done.exit_code == 2
    assert "train without --add first" in done.stderr.replace("\n", " ")
