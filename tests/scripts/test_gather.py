"""Gathering crops from clones: what comes in, what is told, and that files tell nothing about the label."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile, get_sampling
from typer.testing import CliRunner, Result

from img_ml.data.dataset import read_dataset
from scripts.gather import app
from tests.scripts.pictures import scene
from tests.scripts.repositories import bare, commit, object_of, repository

SIDE = 64
HEADINGS = ("repo", "label", "path_regex", "generator", "licence", "most")
REAL = ("ann/photos", "real", r"^fulls/.*\.jpg$", "camera", "CC0-1.0", "")
AI = ("bob/fakes", "ai", r"\.(png|webp)$", "dalle3", "none stated", "")


def picture(number: int, format_name: str, width: int = 200, height: int = 160, **options: object) -> bytes:
    file = io.BytesIO()
    scene(number, width, height).save(file, format_name, **options)
    return file.getvalue()


def photos(*numbers: int) -> dict[str, bytes]:
    return {f"fulls/{number}.jpg": picture(number, "JPEG", quality=70, comment=b"camera") for number in numbers}


def fakes(*numbers: int) -> dict[str, bytes]:
    return {f"out/{number}.png": picture(number, "PNG") for number in numbers}


@pytest.fixture
def clones(tmp_path: Path) -> Path:
    """ann/photos with a work tree, bob/fakes bare; three images each."""
    repository(tmp_path / "clones" / "ann+photos", {**photos(1, 2, 3), "README.md": b"nothing"})
    bare(tmp_path / "clones" / "bob" / "fakes", fakes(11, 12, 13))
    return tmp_path / "clones"


def table(path: Path, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([headings, *rows])
    return path


def run(clones: Path, rows: Sequence[Sequence[str]] = (REAL, AI), *options: object, out: str = "out") -> Result:
    sources = table(clones.parent / "sources.csv", HEADINGS, rows)
    arguments = (sources, "--from", clones, "--out", clones.parent / out, "--side", SIDE, *options)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def records(clones: Path, out: str = "out") -> list[dict[str, str]]:
    with (clones.parent / out / "dataset.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def report(clones: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((clones.parent / "out" / "report.json").read_text())
    return found


def told(result: Result) -> str:
    return " ".join(result.stderr.split())


def opened(clones: Path) -> Iterator[tuple[dict[str, str], JpegImageFile]]:
    for record in records(clones):
        with Image.open(clones.parent / "out" / record["filepath"]) as image:
            assert isinstance(image, JpegImageFile)
            yield record, image


def test_clones_with_and_without_a_work_tree_give_a_dataset_fit_for_training(clones: Path) -> None:
    result = run(clones)
    assert result.exit_code == 0, result.output
    rows = read_dataset(clones.parent / "out" / "dataset.csv")
    assert {(row.label, row.kind, row.split, row.source, row.generator) for row in rows} == {
        (0, "real", "train", "ann/photos", "camera"),
        (1, "ai", "train", "bob/fakes", "dalle3"),
    }
    facts = {(r["source_format"], r["source_width"], r["source_height"]) for r in records(clones)}
    assert facts == {("JPEG", "200", "160"), ("PNG", "200", "160")}
    assert len({record["source_image"] for record in records(clones)}) == 6
    assert result.stdout == ""


def test_both_classes_are_crops_of_one_encoder_without_metadata(clones: Path) -> None:
    run(clones)
    seen = {
        record["label"]: (image.size, get_sampling(image), str(image.quantization), sorted(image.info))
        for record, image in opened(clones)
    }
    assert seen["0"] == seen["1"]
    assert seen["0"][:2] == ((SIDE, SIDE), 0)


def test_the_same_seed_gives_the_same_dataset_and_another_seed_another(clones: Path) -> None:
    for out, seed in (("one", 5), ("two", 5), ("three", 6)):
        assert run(clones, (REAL, AI), "--seed", seed, out=out).exit_code == 0
    assert records(clones, "one") == records(clones, "two")
    assert {r["filepath"] for r in records(clones, "one")}.isdisjoint(r["filepath"] for r in records(clones, "three"))


def test_unusable_files_are_skipped_and_counted_by_reason(clones: Path) -> None:
    plain = io.BytesIO()
    Image.new("RGB", (200, 200), "white").save(plain, "JPEG")
    bad = {
        "fulls/page.jpg": b"<html>",
        "fulls/cut.jpg": photos(4)["fulls/4.jpg"][:300],
        "fulls/pointer.jpg": b"version https://git-lfs.github.com/spec/v1\n",
        "fulls/small.jpg": picture(5, "JPEG", 63, 300),
        "fulls/white.jpg": plain.getvalue(),
        "fulls/again/1.jpg": photos(1)["fulls/1.jpg"],
        "fulls/resaved.jpg": picture(2, "JPEG", quality=40),
    }
    commit(clones / "ann+photos", bad)
    assert run(clones).exit_code == 0
    real = report(clones)["sources"][0]
    assert (real["matching"], real["drawn"], real["images"]) == (10, 10, 3)
    assert real["skipped"] == {"flat": 1, "same_bytes": 1, "too_small": 1, "unreadable": 3}
    assert real["images_left_out"] == {"looks_alike": 1}


def test_bytes_that_a_clone_lacks_are_counted_and_make_it_incomplete(clones: Path) -> None:
    object_of(clones / "ann+photos", "fulls/2.jpg").unlink()
    result = run(clones)
    assert result.exit_code == 3, result.output
    assert report(clones)["sources"][0]["skipped"] == {"absent": 1}
    assert report(clones)["sources"][0]["images"] == 2


def test_missing_repositories_are_named_and_the_others_gathered(clones: Path) -> None:
    (clones / "cyd+broken" / ".git").mkdir(parents=True)
    gone = [("cyd/gone", *REAL[1:]), ("cyd/broken", *REAL[1:])]
    result = run(clones, (REAL, *gone, AI))
    assert result.exit_code == 3
    assert "cyd/gone: There is no clone of it" in told(result)
    assert set(report(clones)["absent"]) == {"cyd/gone", "cyd/broken"}
    assert {record["source"] for record in records(clones)} == {"ann/photos", "bob/fakes"}


def test_nothing_of_val_and_test_of_another_dataset_comes_in(clones: Path, tmp_path: Path) -> None:
    assert run(clones).exit_code == 0
    gathered = {record["source_image"]: record for record in records(clones)}
    by_bytes, by_look, of_train = (r for r in gathered.values() if r["source"] == "ann/photos")
    other = tmp_path / "other"
    other.mkdir()
    scene(99, SIDE, SIDE).save(other / "unlike.png")
    with Image.open(tmp_path / "out" / by_look["filepath"]) as image:
        image.save(other / "crop.webp", quality=80)
    rows = [
        ("unlike.png", 0, "val", "x/y", by_bytes["source_image"]),
        ("crop.webp", 0, "test", "x/z", "0" * 16),
        ("unlike.png", 0, "train", "x/z", of_train["source_image"]),
        ("unlike.png", 1, "test", "Bob/Fakes", "1" * 16),
    ]
    exclude = table(other / "dataset.csv", ("filepath", "label", "split", "source", "source_image"), rows)
    assert run(clones, (REAL, AI), "--exclude", exclude).exit_code == 0
    left = records(clones)
    assert {record["source"] for record in left} == {"ann/photos"}
    assert report(clones)["refused"] == ["bob/fakes"]
    assert by_bytes["source_image"] not in {record["source_image"] for record in left}
    assert by_look["filepath"] not in {record["filepath"] for record in left}
    assert of_train["filepath"] in {record["filepath"] for record in left}
    assert report(clones)["sources"][0]["images_left_out"] == {"same_bytes_across_splits": 1}
    assert report(clones)["sources"][0]["crops_left_out"]["looks_alike_across_splits"] >= 1


def test_a_repository_that_is_done_is_not_read_again_until_it_changes(clones: Path) -> None:
    run(clones)
    first = records(clones)
    for number in (1, 2, 3):
        object_of(clones / "ann+photos", f"fulls/{number}.jpg").rename(clones / f"{number}.kept")
    assert run(clones).exit_code == 0
    assert records(clones) == first
    assert run(clones, (REAL, AI), "--crops", 1).exit_code == 3


def test_a_crop_that_is_gone_is_cut_again(clones: Path) -> None:
    run(clones)
    first = records(clones)
    (clones.parent / "out" / first[0]["filepath"]).unlink()
    assert run(clones).exit_code == 0
    assert records(clones) == first
    assert (clones.parent / "out" / first[0]["filepath"]).is_file()


def test_the_report_has_every_source_with_its_licence_commit_and_counts(clones: Path) -> None:
    run(clones)
    sources = report(clones)["sources"]
    assert [(s["repository"], s["licence"], s["images"]) for s in sources] == [
        ("ann/photos", "CC0-1.0", 3),
        ("bob/fakes", "none stated", 3),
    ]
    assert all(len(source["commit"]) == 40 for source in sources)
    counted = {"0": 0, "1": 0}
    for record in records(clones):
        counted[record["label"]] += 1
    assert [source["crops"] for source in sources] == list(counted.values())
    assert report(clones)["totals"]["ai"]["images"] == 3


def test_a_row_may_say_how_many_images_to_take(clones: Path) -> None:
    assert run(clones, ((*REAL[:-1], "2"), AI), "--most-per-row", 1).exit_code == 0
    assert [source["images"] for source in report(clones)["sources"]] == [2, 1]


def test_many_images_are_cut_by_several_processes_into_the_same_crops(tmp_path: Path) -> None:
    repository(tmp_path / "clones" / "photos", photos(*range(30)))
    assert run(tmp_path / "clones", (REAL,), "--crops", 1).exit_code == 0
    assert run(tmp_path / "clones", (REAL,), "--crops", 1, "--most-per-row", 10, out="few").exit_code == 0
    many, few = ({r["filepath"] for r in records(tmp_path / "clones", out)} for out in ("out", "few"))
    assert len(many) == 30
    assert few < many


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (("ann", "real", ".*"), "it must be written owner/name"),
        (("../photos", "real", ".*"), "it must be written owner/name"),
        (("ann/photos", "photo", ".*"), "the label is 'photo'"),
        (("ann/photos", "real", "(["), "not a regular expression"),
        (("ann/photos", "real", ".*", "", "", "many"), "most is 'many'"),
        (("ann/photos", "real", "^nowhere/"), "Their patterns match no usable image."),
        (("cyd/gone", "real", ".*"), "There is no clone of it"),
    ],
)
def test_what_cannot_be_gathered_is_told_in_a_sentence(clones: Path, row: Sequence[str], sentence: str) -> None:
    result = run(clones, (row,))
    assert result.exit_code == 2
    assert sentence in told(result)
    assert not (clones.parent / "out" / "dataset.csv").exists()
