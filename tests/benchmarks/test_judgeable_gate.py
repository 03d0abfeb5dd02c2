"""The gate's training: trees that tell drawn folders from pictures, and at most a wanted share held back."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner

from benchmarks import judgeable_gate
from benchmarks.judgeable_gate import HELD_BACK, app
from forensics import judgeable
from tests.forensics.pictures import photo

PICTURES = 64


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    pages, pictures = tmp_path / "pages", tmp_path / "pictures"
    pages.mkdir()
    pictures.mkdir()
    dice, font, astronaut = np.random.default_rng(0), ImageFont.load_default(14), photo("astronaut")
    for number in range(PICTURES):
        page = Image.new("RGB", (210, 200), "white")
        for line in range(10, 190, 20):
            ImageDraw.Draw(page).text((5, line), f"line {dice.integers(10**9)} of a page", 0, font)
        page.save(pages / f"{number}.png", compress_level=1)
        top, left = dice.integers(0, 300, 2)
        part = astronaut[top : top + 200, left : left + 200]
        Image.fromarray(part).save(pictures / f"{number}.png", compress_level=1)
    return pages, pictures


def test_trained_trees_hold_back_pages_and_no_picture(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, pictures = map(str, folders)
    trees = tmp_path / "trees.json"
    monkeypatch.setattr(judgeable, "TREES", trees)
    monkeypatch.setattr(judgeable_gate, "ROUNDS", 20)
    asked = ["--drawn", pages, "--pictures", pictures, "--test-drawn", pages, "--test-pictures", pictures]
    try:
        done = CliRunner().invoke(app, [*asked, "--trees", str(trees), "--out", str(tmp_path)])
    finally:
        judgeable.drawn_trees.cache_clear()
    assert done.exit_code == 0, done.output
    content = json.loads(trees.read_text())
    assert [(one["name"], one["drawn"], one["images"]) for one in content["learned_from"]] == [
        ("pages", True, PICTURES),
        ("pictures", False, PICTURES),
    ]
    (result,) = tmp_path.glob("judgeable_gate-*.json")
    drawn, taken = json.loads(result.read_text())["rows"]
    assert (drawn["images"], drawn["held_back"]) == (PICTURES, PICTURES)
    assert taken["held_back"] <= max(1, HELD_BACK * PICTURES)


def test_a_folder_without_files_is_told_in_a_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--test-drawn", str(tmp_path)])
    assert done.exit_code == 2
