"""Reading a dataset.csv: what is wrong with it is said in a sentence before any work starts."""

from pathlib import Path

import pytest
from PIL import Image

from img_ml.data.dataset import DatasetError, read_dataset, read_datasets


def write(folder: Path, text: str) -> Path:
    (folder / "a.png").write_bytes(b"x")
    path = folder / "dataset.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_optional_columns_have_defaults(tmp_path: Path) -> None:
    rows = read_dataset(write(tmp_path, "filepath,label,split\na.png,0,train\na.png,1,val\n"))
    assert [(r.label, r.split, r.kind) for r in rows] == [(0, "train", "real"), (1, "val", "ai")]
    assert rows[0].source == str(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("filepath,label\na.png,0\n", "lacks the column split"),
        ("filepath,label,split\na.png,fake,train\n", "line 2: the label is 'fake'"),
        ("filepath,label,split\na.png,1,holdout\n", "line 2: the split is 'holdout'"),
        ("filepath,label,split\na.png,1,train\nb.png,0,train\n", "do not exist, the first is"),
        ("filepath,label,split\na.png,1,train\na.png,0,test\n", "both classes"),
        ("", "lacks the column"),
    ],
)
def test_a_bad_csv_is_refused_with_what_to_do(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        read_dataset(write(tmp_path, text))


def test_a_missing_csv_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="There is no"):
        read_dataset(tmp_path / "dataset.csv")


def test_images_of_an_earlier_dataset_are_taken_once(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    head = "filepath,label,split,source,source_image"
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text(f"{head}\na.png,1,test,s,1\na.png,1,train,s,2\na.png,0,train,s,2\n", encoding="utf-8")
    second.write_text(f"{head}\na.png,1,train,s,1\na.png,1,train,t,1\na.png,0,train,s,\n", encoding="utf-8")
    assert [(one.source, one.record["source_image"]) for one in read_datasets([first, second])] == [
        ("s", "1"),
        ("s", "2"),
        ("s", "2"),
        ("t", "1"),
        ("s", ""),
    ]


def test_what_one_dataset_judges_by_is_not_learned_from_another(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    head = "filepath,label,split,source,source_image"
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text(f"{head}\na.png,1,train,s,1\na.png,1,train,s,2\na.png,0,train,s,3\n", encoding="utf-8")
    second.write_text(f"{head}\na.png,1,test,s,1\na.png,1,train,t,1\na.png,0,train,t,2\n", encoding="utf-8")
    found = [(one.source, one.record["source_image"], one.split) for one in read_datasets([first, second])]
    assert found == [
        ("s", "2", "train"),
        ("s", "3", "train"),
        ("s", "1", "test"),
        ("t", "1", "train"),
        ("t", "2", "train"),
    ]
