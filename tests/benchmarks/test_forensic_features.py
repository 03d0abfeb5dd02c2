"""The table of forensic features: every family alone and beside the network, over sources that the network held out."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from benchmarks import forensic_features
from benchmarks.forensic_features import app
from benchmarks.support.forensic.families import FAMILIES
from img_ml.data import bootstrap
from img_ml.data.dataset import read_datasets
from img_ml.engine.held_out import source_mark
from tests.img_ml.tiny import write_crop_network

SOURCES = 12


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_crop_network(tmp_path / "weights", {source_mark(f"s{k}"): k % 3 for k in range(SOURCES - 1)})
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setattr(forensic_features, "ROUNDS", 8)
    monkeypatch.setattr(forensic_features, "CUTS", 1)
    monkeypatch.setattr(bootstrap, "BOOTSTRAPS", 20)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Sources of either class, of which the last is none that the network learned from; AI has the stronger noise."""
    random, lines = np.random.default_rng(0), ["filepath,label,split,source"]
    for number in range(12 * SOURCES):
        source, label = number % SOURCES, number % 2
        pixels = 120 + random.normal(0, 25 if label else 5, (110, 120, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{label},{'val' if source == 1 else 'train'},s{source}")
    lines.append("0.png,0,test,elsewhere")
    (tmp_path / "dataset.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "dataset.csv"


def test_every_family_has_a_row_and_a_run_that_was_killed_goes_on_where_it_was(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kept.jsonl"
    given = ["--dataset", str(dataset), "--keep", str(file)]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.output
    title, _, _, _, network, *rows = done.stdout.splitlines()
    assert title.startswith("132 images, 60 of them AI, of 11 sources")
    assert [_cells(row)[0] for row in rows] == [*FAMILIES, "all of these", "the profile's analyzers"]
    # No source holds both classes, so nothing is measured inside sources.
    assert (network.count("["), {row.count("[") for row in rows}) == (2, {3})
    assert {_cells(row)[-1] for row in (network, *rows)} == {"not measured"}
    wavelets = next(row for row in rows if _cells(row)[0] == "wavelets")
    assert float(_cells(wavelets)[3].split()[0]) > 0.9

    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:-2]) + lines[-2][:50], encoding="utf-8")
    measured, really = [], forensic_features._sight
    monkeypatch.setattr(forensic_features, "_sight", lambda row, *rest: measured.append(row) or really(row, *rest))
    again = CliRunner().invoke(app, given)
    assert (again.exit_code, len(measured)) == (0, 2)
    assert [_untimed(row) for row in again.stdout.splitlines()] == [_untimed(row) for row in done.stdout.splitlines()]
    other = CliRunner().invoke(app, [*given, "--seed", "1"])
    assert other.exit_code == 2
    assert "kept.jsonl holds other measurements" in other.output


def _cells(row: str) -> list[str]:
    return row.removeprefix("| ").removesuffix(" |").split(" | ")


def _untimed(row: str) -> list[str]:
    return [cell for place, cell in enumerate(_cells(row)) if place != 2]


def test_images_are_drawn_by_the_root_of_their_sources_size(dataset: Path) -> None:
    row = read_datasets([dataset])[0]
    rows = [forensic_features.Row(row.path, 0, "train", "large", "real")] * 900
    rows += [forensic_features.Row(row.path, 0, "train", "small", "real")] * 100
    rows += [forensic_features.Row(row.path, 1, "train", "ai", "ai")] * 9000
    marks = {source_mark(name): 0 for name in ("large", "small", "ai")}
    drawn = [one.source for one in forensic_features._drawn(rows, marks, 100, 0)]
    assert drawn == [one.source for one in forensic_features._drawn(rows, marks, 100, 0)]
    assert drawn[:60] == [one.source for one in forensic_features._drawn(rows, marks, 60, 0)]
    assert 35 <= drawn.count("ai") <= 65
    assert 1.5 < drawn.count("large") / drawn.count("small") < 7


def test_sources_that_no_member_held_out_are_told_as_useless(dataset: Path, tmp_path: Path) -> None:
    write_crop_network(tmp_path / "weights", {"0" * 16: 0})
    done = CliRunner().invoke(app, ["--dataset", str(dataset)])
    assert done.exit_code == 2
    assert "no honest number" in done.output
