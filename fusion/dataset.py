"""A labelled dataset: the rows of a dataset.csv, checked before any work is done on them."""

import csv
from dataclasses import dataclass
from pathlib import Path

from forensics.errors import ImgMlError

SPLITS = ("train", "val", "test")


class DatasetError(ImgMlError):
    """A dataset that cannot be used; its text says what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled image: `label` 1 is AI and 0 is not; `source` is what splits and folds keep together."""

    path: Path
    label: int
    split: str
    source: str
    kind: str


def read_dataset(csv_path: Path) -> list[Row]:
    """The rows of a CSV with the columns filepath,label,split; paths are relative to the file.

    `source` (the image itself where the column is missing) and `kind` (`ai` or `real`) are optional. Raises
    DatasetError for a missing file or column, an unknown label or split, missing images, or a single class.
    """
    try:
        with csv_path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = {"filepath", "label", "split"} - set(reader.fieldnames or ())
            if missing:
                raise DatasetError(f"{csv_path} lacks the column {', '.join(sorted(missing))}.")
            rows = [_row(csv_path, number, record) for number, record in enumerate(reader, start=2)]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{csv_path} cannot be read: {error}") from error
    _check(csv_path, rows)
    return rows


def _row(csv_path: Path, number: int, record: dict[str, str]) -> Row:
    label, split = (record["label"] or "").strip(), (record["split"] or "").strip()
    if label not in ("0", "1"):
        raise DatasetError(f"{csv_path}, line {number}: the label is {label!r}; it must be 0 (not AI) or 1 (AI).")
    if split not in SPLITS:
        raise DatasetError(f"{csv_path}, line {number}: the split is {split!r}; it must be one of {', '.join(SPLITS)}.")
    path = csv_path.parent / record["filepath"]
    source = record.get("source") or str(path)
    return Row(path, int(label), split, source, record.get("kind") or ("ai" if label == "1" else "real"))


def _check(csv_path: Path, rows: list[Row]) -> None:
    absent = [row.path for row in rows if not row.path.is_file()]
    if absent:
        raise DatasetError(f"{len(absent)} of the images of {csv_path} do not exist, the first is {absent[0]}.")
    if {row.label for row in rows if row.split != "test"} != {0, 1}:
        raise DatasetError(f"{csv_path} needs images of both classes outside the test split.")
