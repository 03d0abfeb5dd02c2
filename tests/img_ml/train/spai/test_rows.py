"""The rows of a dataset for SPAI."""

from pathlib import Path

import pytest

from img_ml.data.dataset import DatasetError
from img_ml.train.spai.rows import paths, read


def written(folder: Path, content: bytes) -> Path:
    path = folder / "list.csv"
    path.write_bytes(content)
    return path


def test_the_authors_columns_are_read(tmp_path: Path) -> None:
    (row,) = read(written(tmp_path, b"image,class,split\na.png,1,val\n"))
    assert (row.path, row.label, row.split) == (tmp_path / "a.png", 1, "val")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"image,class,split\na.png\n", "line 2: class '' of split ''"),
        (b"image,class,split\n", "lists no images"),
        (b"image,class,split\n" + b"a.png,1,val\n" * 10_000 + b"\xe9.png,1,val\n", "UTF-8"),
    ],
)
def test_lines_that_cannot_be_used_are_told(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        read(written(tmp_path, content))


@pytest.mark.parametrize("column", ["filepath", "image"])
def test_images_to_score_need_no_labels(tmp_path: Path, column: str) -> None:
    assert paths(written(tmp_path, f"{column}\na.png\n".encode())) == [tmp_path / "a.png"]


def test_a_list_without_a_column_of_images_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="neither a column filepath"):
        paths(written(tmp_path, b"url\nhttp://a\n"))
