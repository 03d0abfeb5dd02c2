"""A labelled dataset: the rows of a dataset.csv, checked before any work is done on them."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from forensics.errors import DatasetError as DatasetError

SPLITS = ("train", "val", "test")
# What the names of image files end in, in small letters.
IMAGE_ENDINGS = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp"),
        *(".tif", ".tiff", ".avif", ".heic", ".heif"),
    )
)


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled image: `label` 1 is AI and 0 is not; `source` is what splits and folds keep together.

    `kind` tells groups inside a label apart (`ai`, `real`, `human_art`), `generator` what made it ("" where nobody
    says). `record` is the line of the CSV as it stands there.
    """

    path: Path
    label: int
    split: str
    source: str
    kind: str
    generator: str = ""
    record: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


def read_dataset(csv_path: Path) -> list[Row]:
    """The rows of a CSV that is fit for training: read_rows, every image there, both classes outside test.

    Raises DatasetError where it is not.
    """
    rows = read_rows(csv_path)
    _check(csv_path, rows)
    return rows


def read_datasets(csv_paths: Sequence[Path]) -> list[Row]:
    """The rows of several CSVs, each fit for training as read_dataset says.

    Of an image that several of them hold (by `source` and `source_image`), the rows of the first are taken; of one that
    any of them has in test, only rows of test. Raises DatasetError where one is not fit.
    """
    found = [read_dataset(path) for path in csv_paths]
    judged = {_original(row) for rows in found for row in rows if row.split == "test"} - {None}
    rows: list[Row] = []
    known: set[tuple[str, str]] = set()
    for dataset in found:
        usable = [row for row in dataset if row.split == "test" or _original(row) not in judged]
        fresh = [row for row in usable if _original(row) not in known]
        known |= {original for row in fresh if (original := _original(row)) is not None}
        rows += fresh
    return rows


def read_rows(csv_path: Path) -> list[Row]:
    """The rows of a CSV with the columns filepath,label,split; paths are relative to the file.

    `source` (the image itself where the column is missing), `kind` (`ai` or `real`) and `generator` are optional.
    Raises DatasetError for a missing file or column, no rows, or an unknown label or split.
    """
    try:
        with csv_path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = {"filepath", "label", "split"} - set(reader.fieldnames or ())
            if missing:
                raise DatasetError(
                    f"{csv_path} lacks the column {', '.join(sorted(missing))}: it needs filepath,label,split. "
                    "python -m scripts.make_dataset_csv writes one from folders of images."
                )
            rows = [_row(csv_path, number, record) for number, record in enumerate(reader, start=2)]
    except FileNotFoundError:
        raise DatasetError(
            f"There is no {csv_path}: name a dataset, or make one with python -m scripts.make_dataset_csv."
        ) from None
    except UnicodeDecodeError:
        raise DatasetError(f"{csv_path} is not UTF-8 text: save it as CSV in UTF-8.") from None
    except (OSError, csv.Error) as error:
        raise DatasetError(f"{csv_path} cannot be read: {error}.") from error
    if not rows:
        raise DatasetError(f"{csv_path} lists no images.")
    return rows


def sources_of_test_elsewhere(rows: Sequence[Row]) -> list[str]:
    """The sources that stand in test and in train or val too, where they make the test figures flatter."""
    held_out = {row.source for row in rows if row.split == "test"}
    return sorted(held_out & {row.source for row in rows if row.split != "test"})


def _row(csv_path: Path, number: int, record: dict[str, str]) -> Row:
    label, split = (record["label"] or "").strip(), (record["split"] or "").strip()
    if label not in ("0", "1"):
        raise DatasetError(
            f"{csv_path}, line {number}: the label is {label!r}; it must be 0 (not AI) or 1 (AI). "
            "Write the labels as numbers."
        )
    if split not in SPLITS:
        raise DatasetError(f"{csv_path}, line {number}: the split is {split!r}; it must be one of {', '.join(SPLITS)}.")
    path = csv_path.parent / (record["filepath"] or "")
    source = record.get("source") or str(path)
    kind = record.get("kind") or ("ai" if label == "1" else "real")
    return Row(path, int(label), split, source, kind, record.get("generator") or "", record)


def _original(row: Row) -> tuple[str, str] | None:
    """What names the image that a row's file was cut from, where the CSV tells it."""
    image = row.record.get("source_image")
    return (row.source, image) if image else None


def check_files(csv_path: Path, rows: Sequence[Row]) -> None:
    """Raise DatasetError where images are missing."""
    absent = [row.path for row in rows if not row.path.is_file()]
    if absent:
        raise DatasetError(
            f"{len(absent)} of the images of {csv_path} do not exist, the first is {absent[0]}. "
            "python -m scripts.clean_dataset writes a CSV without them."
        )


def _check(csv_path: Path, rows: Sequence[Row]) -> None:
    check_files(csv_path, rows)
    if {row.label for row in rows if row.split != "test"} != {0, 1}:
        raise DatasetError(f"{csv_path} needs images of both classes, labels 0 and 1, outside the test split.")
