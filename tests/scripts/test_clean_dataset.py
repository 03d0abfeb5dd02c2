"""Cleaning a dataset.csv: what goes, what stays, and that no kept image is ever deleted."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from img_ml.data.dataset import read_dataset
from scripts.clean_dataset import app
from tests.scripts.pictures import save, scene

BASE = [("r0.png", 0, "train"), ("r1.png", 0, "test"), ("a0.png", 1, "train"), ("a1.png", 1, "test")]


def clean(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def write(folder: Path, rows: Sequence[tuple[object, int, str]]) -> Path:
    path = folder / "dataset.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("filepath", "label", "split", "remark"), *((*row, f"about {row[0]}") for row in rows)])
    return path


def records(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def told(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The images of BASE, all different."""
    for number, (name, _, _) in enumerate(BASE):
        save(tmp_path / name, number)
    return tmp_path


def reasons(folder: Path, extra: Sequence[tuple[object, int, str]]) -> dict[str, tuple[str, str]]:
    """(reason, duplicate_of) by path, after cleaning BASE and more rows; every other row is kept."""
    result = clean(write(folder, [*BASE, *extra]))
    assert result.exit_code == 0, result.output
    left_out = records(folder / "dataset.cleaning.csv")
    kept = records(folder / "dataset.cleaned.csv")
    assert len(kept) + len(left_out) == len(BASE) + len(extra)
    return {record["filepath"]: (record["reason"], record["duplicate_of"]) for record in left_out}


def test_a_clean_dataset_stays_as_it_is_with_all_its_columns(folder: Path) -> None:
    path = write(folder, BASE)
    result = clean(path)
    assert result.exit_code == 0
    assert "Nothing to clean." in result.stdout
    assert records(folder / "dataset.cleaned.csv") == records(path)
    assert records(folder / "dataset.cleaning.csv") == []


def test_unusable_files_go(folder: Path) -> None:
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    (folder / "page.png").write_text("<html>")
    (folder / "folder.png").mkdir()
    save(folder / "tiny.png", 9, 63, 200)
    extra = [(name, 0, "train") for name in ("gone.png", "broken.jpg", "page.png", "folder.png", "tiny.png")]
    assert {name: reason for name, (reason, _) in reasons(folder, extra).items()} == {
        "gone.png": "missing",
        "broken.jpg": "unreadable",
        "page.png": "unreadable",
        "folder.png": "missing",
        "tiny.png": "tiny",
    }


def test_the_smallest_allowed_side_can_be_chosen(folder: Path) -> None:
    save(folder / "small.png", 9, 40, 40)
    assert clean(write(folder, [*BASE, ("small.png", 0, "train")]), "--minimum-side", 40).exit_code == 0
    assert len(records(folder / "dataset.cleaned.csv")) == 5


def test_the_same_bytes_under_both_labels_go_altogether(folder: Path) -> None:
    save(folder / "x.png", 7)
    save(folder / "y.png", 7)
    assert reasons(folder, [("x.png", 0, "train"), ("y.png", 1, "test")]) == {
        "x.png": ("labels_contradict", "y.png"),
        "y.png": ("labels_contradict", "x.png"),
    }


@pytest.mark.parametrize(
    ("splits", "kept"),
    [(("train", "test"), 1), (("train", "val"), 1), (("val", "test"), 1), (("test", "train"), 0)],
)
def test_the_copy_nearer_to_training_goes(folder: Path, splits: tuple[str, str], kept: int) -> None:
    names = ("x.png", "y.png")
    for name in names:
        save(folder / name, 7)
    found = reasons(folder, [(name, 1, split) for name, split in zip(names, splits, strict=True)])
    assert found == {names[1 - kept]: ("same_bytes_across_splits", names[kept])}


def test_copies_in_one_split_leave_the_first(folder: Path) -> None:
    save(folder / "x.png", 7)
    save(folder / "y.png", 7)
    extra = [("x.png", 1, "train"), ("y.png", 1, "train"), ("x.png", 1, "train")]
    result = clean(write(folder, [*BASE, *extra]))
    assert result.exit_code == 0
    found = [(record["filepath"], record["reason"]) for record in records(folder / "dataset.cleaning.csv")]
    assert found == [("y.png", "same_bytes"), ("x.png", "listed_twice")]


def test_a_copy_encoded_again_goes_in_favour_of_the_split_that_evaluates(folder: Path) -> None:
    scene(1).save(folder / "again.jpg", quality=70)
    assert reasons(folder, [("again.jpg", 0, "train")]) == {"again.jpg": ("looks_alike_across_splits", "r1.png")}
    assert reasons(folder, [("again.jpg", 0, "test")]) == {"again.jpg": ("looks_alike", "r1.png")}


def test_a_reconstruction_stays_beside_its_original_but_not_across_splits(folder: Path) -> None:
    scene(1).save(folder / "rebuilt.jpg", quality=70)
    assert reasons(folder, [("rebuilt.jpg", 1, "test")]) == {}
    assert reasons(folder, [("rebuilt.jpg", 1, "train")]) == {"rebuilt.jpg": ("pair_across_splits", "r1.png")}


def test_duplicates_across_splits_are_called_out_in_plain_words(folder: Path) -> None:
    save(folder / "x.png", 1)
    result = clean(write(folder, [*BASE, ("x.png", 0, "train")]))
    assert "judged on what it had seen" in told(result.stdout)


def test_paths_stay_valid_when_the_cleaned_csv_lies_elsewhere(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "other/c.csv"
    assert clean(write(folder, BASE), "--out", out, "--report", tmp_path / "r.csv").exit_code == 0
    assert [row.path.resolve() for row in read_dataset(out)] == [(folder / name).resolve() for name, _, _ in BASE]


def test_without_delete_no_image_is_touched(folder: Path) -> None:
    save(folder / "x.png", 1)
    clean(write(folder, [*BASE, ("x.png", 0, "train")]))
    assert (folder / "x.png").exists()


def test_delete_removes_the_files_of_left_out_rows_only(folder: Path) -> None:
    save(folder / "x.png", 1)
    save(folder / "stranger.png", 1)
    (folder / "page.png").write_text("<html>")
    extra = [("x.png", 0, "train"), ("page.png", 0, "train"), ("gone.png", 0, "train")]
    result = clean(write(folder, [*BASE, *extra]), "--delete")
    assert result.exit_code == 0
    assert "Deleted 2 files." in result.stderr
    images = {path.name for path in folder.glob("*.png")}
    assert images == {name for name, _, _ in BASE} | {"stranger.png"}


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="the system has no such file")
def test_delete_spares_a_file_that_the_disk_did_not_give(folder: Path) -> None:
    (folder / "x.png").symlink_to("/proc/self/mem")  # reading it from the start is an input/output error
    assert clean(write(folder, [*BASE, ("x.png", 0, "train")]), "--delete").exit_code == 0
    assert (folder / "x.png").is_symlink()
    (left,) = records(folder / "dataset.cleaning.csv")
    assert left["reason"] == "not_read"


@pytest.mark.parametrize("spelling", ["r1.png", "./r1.png", "sub/../r1.png", "link.png", "linked/r1.png", "hard.png"])
def test_delete_never_removes_a_file_that_a_kept_row_names_otherwise(folder: Path, spelling: str) -> None:
    (folder / "sub").mkdir()
    (folder / "link.png").symlink_to("r1.png")
    (folder / "linked").symlink_to(folder)
    os.link(folder / "r1.png", folder / "hard.png")
    assert clean(write(folder, [*BASE, (spelling, 0, "train")]), "--delete").exit_code == 0
    assert {name for name, _, _ in BASE} <= {path.name for path in folder.glob("*.png")}


def test_delete_spares_the_files_that_the_command_writes(folder: Path) -> None:
    path = write(folder, [*BASE, ("dataset.csv", 0, "train"), ("dataset.cleaned.csv", 0, "train")])
    (folder / "dataset.cleaned.csv").write_text("older")
    assert clean(path, "--delete").exit_code == 0
    assert path.exists()
    assert len(records(folder / "dataset.cleaned.csv")) == 4


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "There is no"),
        ("filepath,label\nr0.png,0\n", "lacks the column split"),
        ("filepath,label,split\nr0.png,real,train\n", "Write the labels as numbers"),
        ("filepath,label,split\n", "lists no images"),
        ("filepath,label,split\ngone.png,0,train\n", "nothing would remain"),
        ("filepath,label,split\nr0.png,0,train\ngone.png,1,train\n", "only images of label 0 would remain"),
    ],
)
def test_bad_input_is_refused_in_a_sentence_and_nothing_is_written(
    folder: Path, text: str | None, sentence: str
) -> None:
    path = folder / "dataset.csv"
    if text is not None:
        path.write_text(text)
    result = clean(path, "--delete")
    assert result.exit_code == 2
    assert sentence in told(result.stderr)
    assert "Traceback" not in result.output
    assert [found.name for found in folder.glob("dataset.clean*")] == []
    assert (folder / "r0.png").exists()


def test_one_file_cannot_be_both_results(folder: Path) -> None:
    result = clean(write(folder, BASE), "--out", folder / "x.csv", "--report", folder / "x.csv")
    assert result.exit_code == 2
    assert not (folder / "x.csv").exists()


def test_many_images_are_read_by_several_processes(folder: Path) -> None:
    extra = []
    for number in range(60):
        save(folder / f"many{number}.png", 100 + number)
        extra.append((f"many{number}.png", number % 2, "train"))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert reasons(folder, [*extra, ("broken.png", 0, "train")]) == {"broken.png": ("unreadable", "")}


def test_without_arguments_the_dataset_here_is_cleaned(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, BASE)
    monkeypatch.chdir(folder)
    assert clean().exit_code == 0
    assert len(records(folder / "dataset.cleaned.csv")) == len(BASE)
