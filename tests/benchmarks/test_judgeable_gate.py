"""The gate's training: trees that tell drawn folders from pictures, and at most a wanted share held back."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner

from benchmarks import judgeable_gate
from benchmarks.judgeable_gate import HELD_BACK, Folder, app, cross_fit, in_groups
from forensics import judgeable
from forensics.picture_numbers import NUMBERS
from tests.forensics.pictures import photo

PICTURES = 24
NO_ROWS = np.zeros((0, len(NUMBERS)))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    pages, pictures = tmp_path / "pages", tmp_path / "pictures"
    for source in ("first", "second"):
        (pages / source).mkdir(parents=True)
        (pictures / source).mkdir(parents=True)
    dice, font, astronaut = np.random.default_rng(0), ImageFont.load_default(14), photo("astronaut")
    for number in range(PICTURES):
        page = Image.new("RGB", (250, 240), "white")
        for line in range(10, 230, 20):
            ImageDraw.Draw(page).text((5, line), f"line {dice.integers(10**9)} of a page", 0, font)
        source = ("first", "second")[number % 2]
        page.save(pages / source / f"{number}.png", compress_level=1)
        top, left = dice.integers(0, 260, 2)
        part = astronaut[top : top + 240, left : left + 240]
        Image.fromarray(part).save(pictures / source / f"{number}.png", compress_level=1)
    return pages, pictures


def test_trained_trees_hold_back_pages_and_no_picture(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, pictures = map(str, folders)
    trees = tmp_path / "trees.json"
    monkeypatch.setattr(judgeable, "TREES", trees)
    monkeypatch.setattr(judgeable_gate, "ROUNDS", 20)
    monkeypatch.setattr(judgeable_gate, "LEAST_WEIGHT", 1)
    asked = ["--drawn", pages, "--pictures", pictures, "--test-drawn", pages, "--test-pictures", pictures]
    try:
        done = CliRunner().invoke(app, [*asked, "--trees", str(trees), "--out", str(tmp_path)])
    finally:
        judgeable.drawn_trees.cache_clear()
    assert done.exit_code == 0, done.output
    content = json.loads(trees.read_text())
    assert [(one["name"], one["drawn"], one["images"]) for one in content["learned_from"]] == [
        ("first", True, PICTURES // 2),
        ("second", True, PICTURES // 2),
        ("first", False, PICTURES // 2),
        ("second", False, PICTURES // 2),
    ]
    (result,) = tmp_path.glob("judgeable_gate-*.json")
    held_out, kept, drawn, taken = json.loads(result.read_text())["rows"]
    assert (drawn["images"], drawn["sources"], drawn["held_back"]) == (PICTURES, 2, PICTURES)
    assert taken["held_back"] <= max(1, HELD_BACK * PICTURES)
    assert held_out["out_of_fold"]
    assert kept["out_of_fold"]
    assert (held_out["images"], kept["images"]) == (PICTURES, PICTURES)


def test_a_source_is_measured_by_trees_and_a_threshold_that_never_saw_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that say nothing, but are the same for one source: who learns from it knows it, who does not cannot."""
    monkeypatch.setattr(judgeable_gate, "ROUNDS", 20)
    monkeypatch.setattr(judgeable_gate, "LEAST_WEIGHT", 1)
    dice = np.random.default_rng(0)
    folders = [
        Folder(str(number), str(number), number % 2 == 0, np.full((20, len(NUMBERS)), value), NO_ROWS, 20)
        for number, value in enumerate(dice.permutation(24).astype(float))
    ]
    fitted = cross_fit(folders)
    right = [float(np.mean(fitted.scores[n] > 0)) == one.drawn for n, one in enumerate(folders)]
    assert sum(right) <= 20
    for number, one in enumerate(folders):
        if not one.drawn:
            assert fitted.thresholds[number] <= max(
                float(fitted.scores[other].max()) for other, f in enumerate(folders) if not f.drawn and other != number
            )


def test_groups_add_up_their_sources() -> None:
    counts = [
        {
            "name": "a",
            "drawn": True,
            "sources": 1,
            "images": 3,
            "too_small": 1,
            "held_back": 2,
            "reasons": {"blank": 2},
        },
        {
            "name": "a",
            "drawn": True,
            "sources": 1,
            "images": 4,
            "too_small": 0,
            "held_back": 1,
            "reasons": {"noise": 1},
        },
        {"name": "b", "drawn": False, "sources": 1, "images": 5, "too_small": 0, "held_back": 0, "reasons": {}},
    ]
    rows = in_groups(counts)
    assert [(r["name"], r["sources"], r["images"], r["too_small"], r["held_back"]) for r in rows] == [
        ("a", 2, 7, 1, 3),
        ("b", 1, 5, 0, 0),
    ]
    assert rows[0]["reasons"] == {"blank": 2, "noise": 1}


def test_one_source_of_a_kind_cannot_be_held_out(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    asked = ["--drawn", str(folders[0] / "first"), "--pictures", str(folders[1])]
    done = CliRunner().invoke(app, [*asked, "--trees", str(tmp_path / "t.json"), "--out", str(tmp_path)])
    assert done.exit_code == 2


def test_a_folder_without_files_is_told_in_a_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--test-drawn", str(tmp_path)])
    assert done.exit_code == 2
