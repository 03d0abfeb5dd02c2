"""The rows of a dataset for SPAI: the project's columns, or image,class,split as the authors' files have them."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from img_ml.data.dataset import SPLITS, DatasetError, Row, read_rows
from img_ml.train.examples import Division, divide
from img_ml.train.spai.config import DataConfig

# Theirs to ours.
COLUMNS = {"image": "filepath", "class": "label"}


def read(path: Path) -> list[Row]:
    """The rows of the CSV, paths relative to it; DatasetError where it cannot be used."""
    if not _is_theirs(path):
        return read_rows(path)
    return [_row(path, number, record) for number, record in enumerate(_records(path), start=2)]


def paths(path: Path) -> list[Path]:
    """The images that the CSV lists in its column filepath or image, whatever else it says; paths relative to it."""
    records = _records(path)
    column = next((name for name in ("filepath", "image") if name in records[0]), None)
    if column is None:
        raise DatasetError(f"{path} has neither a column filepath nor one named image.")
    return [path.parent / (record[column] or "") for record in records]


def divided(rows: Sequence[Row], validation: str, seed: int) -> Division:
    """What is trained and what is validated on; the test split is in neither. `validation` is `split` or `sources`.

    Raises DatasetError where a class is missing on a side.
    """
    if validation == "sources":
        return divide(rows, seed)
    division = Division(
        tuple(row for row in rows if row.split == "train"), tuple(row for row in rows if row.split == "val")
    )
    for name, part in (("train", division.training), ("val", division.validation)):
        if {row.label for row in part} != {0, 1}:
            raise DatasetError(f"The split {name} needs images of both labels; DATA.WATCHED sources needs no val.")
    return division


def divided_for_spectra(rows: Sequence[Row], config: DataConfig, seed: int) -> Division:
    """What pre-training learns from and what it watches: the rows of PRETRAIN_ON alone, the test split left out.

    Real images need no others beside them. Where there is no val split, or with WATCHED sources, a fifth of the
    sources is for validation. Raises DatasetError where nothing is left to train or to validate on.
    """
    wanted = {"real": {0}, "all": {0, 1}}[config.PRETRAIN_ON]
    usable = [row for row in rows if row.split != "test" and row.label in wanted]
    by_split = [tuple(row for row in usable if row.split == split) for split in ("train", "val")]
    if config.WATCHED == "split" and all(by_split):
        return Division(*by_split)
    sources = sorted({row.source for row in usable})
    # At least one, and never all of them.
    shuffled = np.random.default_rng(seed).permutation(len(sources))[: max(1, len(sources) // 5)]
    aside = {sources[place] for place in shuffled.tolist()}
    if len(sources) < 2:
        told = "no real images" if config.PRETRAIN_ON == "real" and not usable else "images of one source only"
        raise DatasetError(
            f"There are {told} outside test: pre-training learns the spectra of real images (label 0) and watches a "
            "part of them. With --opt DATA.PRETRAIN_ON all it takes generated ones as well."
        )
    return Division(
        tuple(row for row in usable if row.source not in aside), tuple(row for row in usable if row.source in aside)
    )


def some(rows: Sequence[Row], most: int, seed: int) -> Sequence[Row]:
    """At most so many of the rows, drawn with the seed."""
    if len(rows) <= most:
        return rows
    places = np.random.default_rng(seed).permutation(len(rows))[:most]
    return [rows[place] for place in sorted(places.tolist())]


def table(rows: Sequence[dict[str, object]]) -> str:
    """The rows as CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _row(path: Path, number: int, record: dict[str, str]) -> Row:
    label, split = (record["class"] or "").strip(), (record["split"] or "").strip()
    if label not in ("0", "1") or split not in SPLITS:
        raise DatasetError(f"{path}, line {number}: class {label!r} of split {split!r} is not known.")
    image = path.parent / (record["image"] or "")
    source = record.get("source") or str(image)
    return Row(image, int(label), split, source, "ai" if label == "1" else "real", "", record)


def _records(path: Path) -> list[dict[str, str]]:
    """The lines by their columns; DatasetError where there are none, or they cannot be read."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            records = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a CSV in UTF-8: {error}.") from error
    if not records:
        raise DatasetError(f"{path} lists no images.")
    return records


def _is_theirs(path: Path) -> bool:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            names = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return {"image", "class", "split"} <= set(names) and "filepath" not in names
