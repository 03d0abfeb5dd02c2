"""The training command: from a dataset.csv to an artifact that loads, with honest numbers beside it."""

import errno
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fusion.artifacts.artifact import load_artifact
from fusion.train_fusion import app
from tests.fusion.conftest import IMAGES, Train, write_dataset

# The encoder of the light profile takes a second an image.
TINY = ("--profile", "tiny")


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stderr


def test_the_artifact_is_complete_and_listed(artifact: Path) -> None:
    manifest = json.loads((artifact / "manifest.json").read_text())
    assert set(manifest["files"]) == {p.name for p in artifact.iterdir()} - {"manifest.json"}
    assert {"MODEL_CARD.md", "metrics.json", "roc.svg", "reliability.svg"} <= set(manifest["files"])
    assert manifest["schema"]["sha256"] == load_artifact(artifact).model.schema.digest()


@pytest.mark.parametrize("kind", ["artifact", "logistic", "network"])
def test_every_kind_learns_and_tells_what_it_measured(kind: str, request: pytest.FixtureRequest) -> None:
    text = (request.getfixturevalue(kind) / "metrics.json").read_text()
    metrics = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert metrics["test"]["AUC"]["value"] > 0.9
    assert metrics["chosen"]["candidate"] in [entry["candidate"] for entry in metrics["cross_validation"]]
    assert metrics["rows"]["test real"] == {"views": IMAGES, "sources": 1}
    assert set(metrics["auc_without_detector"]) >= {"noise", "spectrum"}


def test_a_stack_is_trained_by_the_same_command_and_comes_back(stack: Path) -> None:
    assert json.loads((stack / "metrics.json").read_text())["test"]["AUC"]["value"] > 0.9
    assert "fusion.stack.zip" in json.loads((stack / "manifest.json").read_text())["files"]
    assert load_artifact(stack).model.kind == "stack"


def test_the_card_states_the_measured_numbers(artifact: Path) -> None:
    metrics = json.loads((artifact / "metrics.json").read_text())
    card = (artifact / "MODEL_CARD.md").read_text()
    assert f"| AUC | {metrics['test']['AUC']['value']:.3f} |" in card
    assert f"AI from {metrics['thresholds']['ai']:.3f} up" in card


def test_the_same_seed_gives_the_same_model(train: Train, artifact: Path, tmp_path: Path) -> None:
    assert load_artifact(train(tmp_path / "again")).fingerprint == load_artifact(artifact).fingerprint
    other = train(tmp_path / "other", "--seed", "1")
    assert load_artifact(other).fingerprint != load_artifact(artifact).fingerprint


def test_without_arguments_it_takes_the_dataset_here_and_writes_a_new_folder_each_time(
    dataset: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = dataset.read_text().splitlines()
    rows = [lines[0], *(f"{dataset.parent}/{line}" for line in lines[1:])]
    (tmp_path / "dataset.csv").write_text("\n".join(rows))
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert run("--cache", cache, "--views", "1", *TINY)[0] == 0
    assert sorted(p.name for p in (tmp_path / "trained").iterdir()) == ["tiny-xgboost", "tiny-xgboost-2"]


@pytest.mark.parametrize("order", [("dataset.csv", "dataset.cleaned.csv"), ("dataset.cleaned.csv", "dataset.csv")])
def test_without_arguments_it_takes_what_was_cleaned_unless_the_dataset_was_written_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
) -> None:
    # Neither holds images: which one was read shows in what is missing.
    for place, name in enumerate(order):
        (tmp_path / name).write_text(f"filepath,label,split\nof-{name}.png,1,train\nof-{name}.png,0,train\n")
        os.utime(tmp_path / name, (1000 + place, 1000 + place))
    monkeypatch.chdir(tmp_path)
    code, told = run("--views", "1", *TINY)
    assert (code, f"of-{order[1]}.png" in told) == (2, True), told
    assert ("run python -m scripts.clean_dataset again" in " ".join(told.split())) == (order[1] == "dataset.csv")


def test_a_failed_run_leaves_the_older_artifact_alone(artifact: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in artifact.iterdir()}
    code, told = run("--dataset", tmp_path / "none.csv", "--out", artifact)
    assert (code, "There is no" in told) == (2, True)
    assert {path: path.read_bytes() for path in artifact.iterdir()} == before


def test_training_in_the_place_of_an_artifact_keeps_the_choice_of_the_one_in_force(
    train: Train, tmp_path: Path
) -> None:
    train(tmp_path / "light")
    (tmp_path / "light" / "current.json").write_text('{"artifact": "../other", "earlier": ["."]}')
    train(tmp_path / "light", "--seed", "1")
    assert "../other" in (tmp_path / "light" / "current.json").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["light"]


def test_a_folder_with_something_else_in_it_is_never_replaced(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "photos"
    out.mkdir()
    (out / "holiday.jpg").write_text("me")
    code, told = run("--dataset", dataset, "--out", out)
    assert (code, "holds no artifact" in told) == (2, True)
    assert [p.name for p in out.iterdir()] == ["holiday.jpg"]


def test_sources_on_both_sides_of_the_test_split_are_told_and_stay_on_the_card(
    dataset: Path, cache: Path, tmp_path: Path
) -> None:
    path = dataset.parent / "shared-sources.csv"
    path.write_text(dataset.read_text().replace(",s1-0,", ",s0-0,"))
    code, told = run("--dataset", path, "--cache", cache, "--out", tmp_path / "o", "--views", "1", *TINY)
    assert (code, "1 sources stand in test and in train or val" in " ".join(told.split())) == (0, True)
    assert "1 sources of the test split were learned from too" in (tmp_path / "o" / "MODEL_CARD.md").read_text()


def test_a_full_disk_ends_in_a_sentence(
    dataset: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    run("--dataset", dataset, "--cache", cache, "--out", tmp_path / "warm", "--views", "1", *TINY)
    monkeypatch.setattr(Path, "write_bytes", full)
    code, told = run("--dataset", dataset, "--cache", cache, "--out", tmp_path / "o", "--views", "1", *TINY)
    assert (code, "The disk is full" in told) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["warm"]


def test_too_few_sources_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = write_dataset(tmp_path)
    lines = [line for line in path.read_text().splitlines() if not line.startswith(("2-", "3-", "4-", "5-"))]
    path.write_text("\n".join(lines))
    code, told = run("--dataset", path, "--cache", tmp_path / "c", "--out", tmp_path / "o", "--views", "1", *TINY)
    assert code == 2
    assert "at least 5 sources" in told
    assert not (tmp_path / "o").exists()


def test_a_dataset_too_small_to_split_is_refused_not_answered_with_a_constant(tmp_path: Path) -> None:
    path = write_dataset(tmp_path)
    kept = ("filepath", "-0.png,", "-1.png,")
    path.write_text("\n".join(line for line in path.read_text().splitlines() if any(part in line for part in kept)))
    code, told = run("--dataset", path, "--cache", tmp_path / "c", "--out", tmp_path / "o", "--views", "1", *TINY)
    assert code == 2
    assert "nothing to learn from" in told
