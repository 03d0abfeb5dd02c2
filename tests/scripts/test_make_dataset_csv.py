"""From folders of images to a dataset.csv."""

import csv
import os
import shutil
from collections import defaultdict
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from img_ml.data.dataset import read_dataset
from scripts.make_dataset_csv import app
from tests.scripts.pictures import save, scene


def make(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def records(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def told(result: Result) -> str:
    return " ".join(result.stderr.split())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six generators and six cameras of four images each, in folders without splits."""
    for source in range(6):
        for index in range(4):
            save(tmp_path / f"data/ai/gen{source}/{index}.png", 100 + source * 10 + index)
            save(tmp_path / f"data/real/cam{source}/{index}.jpg", 200 + source * 10 + index)
    return tmp_path / "data"


def test_the_csv_describes_every_image_and_is_fit_for_training(data: Path) -> None:
    out = data / "dataset.csv"
    result = make(data, "--out", out)
    assert result.exit_code == 0, result.output
    assert len(read_dataset(out)) == 48
    found = {record["filepath"]: record for record in records(out)}
    first = found["ai/gen0/0.png"]
    assert (first["label"], first["generator"], first["source"]) == ("1", "gen0", "gen0")
    assert (first["width"], first["height"], first["format"], len(first["sha256"])) == ("96", "96", "PNG", 64)
    assert found["real/cam0/0.jpg"]["generator"] == ""


def test_sources_stay_whole_and_every_split_holds_both_classes(data: Path) -> None:
    make(data, "--out", data / "d.csv", "--val", 0.2, "--test", 0.2)
    splits, labels = defaultdict(set), defaultdict(set)
    for record in records(data / "d.csv"):
        splits[record["source"]].add(record["split"])
        labels[record["split"]].add(record["label"])
    assert all(len(found) == 1 for found in splits.values())
    assert labels == {name: {"0", "1"} for name in ("train", "val", "test")}


def test_near_duplicates_bind_their_sources_together(data: Path) -> None:
    scene(100).save(data / "real/cam5/copy.jpg", quality=60)
    for seed in range(4):
        make(data, "--out", data / "d.csv", "--seed", seed)
        found = {record["source"]: record["split"] for record in records(data / "d.csv")}
        assert found["gen0"] == found["cam5"]


def test_the_splits_depend_on_the_seed_alone(data: Path, tmp_path: Path) -> None:
    def splits(out: str, *arguments: object) -> dict[str, str]:
        make(*arguments, "--out", tmp_path / out)
        return {record["sha256"]: record["split"] for record in records(tmp_path / out)}

    first = splits("a.csv", data)
    assert splits("b.csv", data / "real", data / "ai") == first
    assert splits("c.csv", data, "--seed", 1) != first


def test_paths_are_relative_inside_the_folder_of_the_csv_and_absolute_elsewhere(data: Path, tmp_path: Path) -> None:
    make(data, "--out", tmp_path / "inside.csv")
    make(data, "--out", tmp_path / "elsewhere/outside.csv")
    assert records(tmp_path / "inside.csv")[0]["filepath"].startswith("data/ai/")
    assert Path(records(tmp_path / "elsewhere/outside.csv")[0]["filepath"]).is_absolute()
    read_dataset(tmp_path / "elsewhere/outside.csv")


def test_roots_given_relative_to_the_working_folder_count_by_their_own_name(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data / "ai")
    result = make(".", "../real", "--out", "../d.csv")
    assert result.exit_code == 0, result.output
    assert {record["filepath"].split("/")[0]: record["label"] for record in records(data / "d.csv")} == {
        "ai": "1",
        "real": "0",
    }


def test_existing_splits_are_kept_and_val_is_taken_from_train_by_group(tmp_path: Path) -> None:
    for label, word in enumerate(("REAL", "FAKE")):
        for index in range(12):
            save(tmp_path / f"cifake/train/{word}/{index}.png", 100 * label + index)
        for index in range(4):
            save(tmp_path / f"cifake/test/{word}/{index}.png", 100 * label + 50 + index)
    result = make(tmp_path / "cifake", "--out", tmp_path / "d.csv", "--val", 0.25)
    assert "There is no val folder: 25% of train became val, by group." in told(result)
    assert "figures measured on such splits flatter" in told(result)
    count = defaultdict(int)
    for record in records(tmp_path / "d.csv"):
        count[record["split"], record["label"]] += 1
        assert ("/test/" in record["filepath"]) == (record["split"] == "test")
    assert count == {(s, lab): n for s, n in (("train", 9), ("val", 3), ("test", 4)) for lab in "01"}


def test_near_duplicates_across_the_splits_of_the_folders_are_told(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "val", "test"), start=2):
        save(tmp_path / f"d/{split}/ai/a.png", 1)
        save(tmp_path / f"d/{split}/real/a.png", number)
    result = make(tmp_path / "d", "--out", tmp_path / "d.csv")
    assert "python -m scripts.clean_dataset" in told(result)
    assert {record["split"] for record in records(tmp_path / "d.csv")} == {"train", "val", "test"}


def test_few_sources_fall_back_to_clusters_with_a_warning(tmp_path: Path) -> None:
    for index in range(10):
        save(tmp_path / f"d/real/{index}.png", index)
        save(tmp_path / f"d/fake/{index}.png", 50 + index)
    scene(3).save(tmp_path / "d/real/copy.jpg", quality=60)
    result = make(tmp_path / "d", "--out", tmp_path / "d.csv")
    assert "figures measured on such splits flatter" in told(result)
    found = {record["filepath"]: record for record in records(tmp_path / "d.csv")}
    assert found["d/real/3.png"]["source"] == found["d/real/copy.jpg"]["source"]
    assert found["d/real/3.png"]["split"] == found["d/real/copy.jpg"]["split"]
    assert len({record["source"] for record in found.values()}) == 20


def test_unlabelled_and_unreadable_images_are_left_out_and_counted(data: Path) -> None:
    save(data / "odd/a.png", 1)
    (data / "ai/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (data / "ai/.hidden.png").write_bytes(b"x")
    (data / "ai/notes.txt").write_text("x")
    result = make(data, "--out", data / "d.csv")
    assert result.exit_code == 0
    assert "1 image left out: nothing labels it" in told(result)
    assert "odd/a.png" in told(result)
    assert "--label-map" in told(result)
    assert "1 image skipped as unreadable" in told(result)
    assert len(records(data / "d.csv")) == 48


def test_the_label_map_labels_folders_by_name(tmp_path: Path) -> None:
    save(tmp_path / "d/Cats/a.png", 1)
    save(tmp_path / "d/dogs/a.png", 2)
    result = make(tmp_path / "d", "--out", tmp_path / "d.csv", "--label-map", "cats=1", "--label-map", "dogs=0")
    assert result.exit_code == 0, result.output
    assert [record["label"] for record in records(tmp_path / "d.csv")] == ["1", "0"]


def test_a_folder_reached_twice_is_listed_once(data: Path) -> None:
    (data.parent / "link").symlink_to(data)
    result = make(data, data / "ai", data.parent / "link", "--out", data / "d.csv")
    assert result.exit_code == 0
    assert len(records(data / "d.csv")) == 48


def empty(folder: Path) -> None:
    folder.mkdir()


def one_class(folder: Path) -> None:
    save(folder / "fake/a.png", 1)


def no_labels(folder: Path) -> None:
    save(folder / "cats/a.png", 1)


def broken(folder: Path) -> None:
    for word in ("real", "fake"):
        (folder / word).mkdir(parents=True)
        (folder / word / "a.png").write_bytes(b"no image")


def nothing(folder: Path) -> None:
    pass


def a_file(folder: Path) -> None:
    folder.write_text("x")


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (empty, "There are no images below"),
        (one_class, "All 1 images are of one class, 1 (AI)"),
        (no_labels, "None of the 1 images has a label"),
        (broken, "None of the 2 images can be read"),
        (nothing, "does not exist"),
        (a_file, "is not a folder"),
    ],
)
def test_folders_that_make_no_dataset_are_refused_in_a_sentence(tmp_path: Path, prepare, sentence: str) -> None:
    prepare(tmp_path / "d")
    result = make(tmp_path / "d", "--out", tmp_path / "d.csv")
    assert result.exit_code == 2
    assert sentence in told(result)
    assert "Traceback" not in result.output
    assert not (tmp_path / "d.csv").exists()


@pytest.mark.parametrize("value", ["cats", "cats=2", "=1"])
def test_a_label_map_of_another_form_is_refused(data: Path, value: str) -> None:
    result = make(data, "--out", data / "d.csv", "--label-map", value)
    assert result.exit_code == 2
    assert not (data / "d.csv").exists()


@pytest.mark.skipif(os.name != "posix" or os.uname().sysname == "Darwin", reason="needs names that are no UTF-8")
def test_a_name_that_no_csv_can_hold_is_skipped(data: Path) -> None:
    shutil.copy(data / "ai/gen0/0.png", os.fsencode(data / "ai/gen0") + b"/\xff.png")
    result = make(data, "--out", data / "d.csv")
    assert result.exit_code == 0
    assert "not valid UTF-8" in told(result)
    assert len(records(data / "d.csv")) == 48


def test_without_arguments_the_current_folder_is_taken(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data)
    assert make().exit_code == 0
    assert len(records(data / "dataset.csv")) == 48
