"""The pointer: what is in force, what was before, and the way back."""

import json
import shutil
from pathlib import Path

import pytest

from forensics.errors import ArtifactError
from fusion.artifacts.artifact import POINTER_FILE
from fusion.artifacts.pointer import point, point_back, read_pointer


def any_artifact(path: Path) -> None:
    """Lets every artifact pass."""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models: light with an artifact of its own, and two others beside it."""
    for name in ("light", "first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("{}")
    return tmp_path


def test_without_a_pointer_the_folder_is_its_own_artifact(models: Path) -> None:
    assert read_pointer(models / "light").artifact == models / "light"


def test_pointing_remembers_and_back_goes_the_same_way(models: Path) -> None:
    light = models / "light"
    point(light, models / "first")
    point(light, models / "second")
    assert read_pointer(light).artifact.resolve() == models / "second"
    assert [point_back(light, any_artifact)[0].artifact.resolve() for _ in range(2)] == [models / "first", light]
    with pytest.raises(ArtifactError, match="no earlier artifact"):
        point_back(light, any_artifact)
    assert read_pointer(light).artifact == light


def test_a_folder_of_models_can_be_moved_as_a_whole(models: Path, tmp_path: Path) -> None:
    point(models / "light", models / "first")
    moved = tmp_path.with_name(tmp_path.name + "-moved")
    shutil.move(models, moved)
    assert read_pointer(moved / "light").artifact.resolve() == moved / "first"


def test_an_artifact_elsewhere_is_named_by_its_whole_path(
    models: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    point(models / "light", elsewhere)
    assert json.loads((models / "light" / POINTER_FILE).read_text())["artifact"] == str(elsewhere)


def test_a_profile_without_an_artifact_of_its_own_has_nothing_to_go_back_to(models: Path) -> None:
    point(models / "standard", models / "first")
    assert read_pointer(models / "standard").artifact.resolve() == models / "first"
    with pytest.raises(ArtifactError, match="no earlier artifact"):
        point_back(models / "standard", any_artifact)


def test_a_pointer_written_by_hand_needs_no_past(models: Path) -> None:
    (models / "light" / POINTER_FILE).write_text('{"artifact": "../first"}')
    assert read_pointer(models / "light").artifact.resolve() == models / "first"


def test_pointing_at_what_is_in_force_changes_nothing(models: Path) -> None:
    point(models / "light", models / "first")
    point(models / "light", models / "first")
    assert point_back(models / "light", any_artifact)[0].artifact.resolve() == models / "light"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"artifact": "x", "earlier": 3}', "[" * 100_000])
def test_a_damaged_pointer_is_refused_with_what_to_do(models: Path, text: str) -> None:
    (models / "light" / POINTER_FILE).write_text(text)
    with pytest.raises(ArtifactError, match="Delete it"):
        read_pointer(models / "light")
