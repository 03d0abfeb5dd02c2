"""What is to be scored: images below a folder, rows of Parquet files, or lines of a CSV, in one fixed order."""

import csv
import hashlib
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from forensics.errors import DatasetError, UsageError
from scripts.dataset.discover import find_images

Kind = Literal["images", "parquet", "csv"]
# In the order of preference, where the user names no column.
_BYTES_COLUMNS = ("image", "bytes", "image_bytes")
_CSV_COLUMNS = ("image_url", "url", "filepath")


@dataclass(frozen=True, slots=True)
class Piece:
    """One image, or some neighbouring rows of a Parquet file.

    `name` is what the scores call it, `place` an absolute path or a URL. `first` is the first row of the file and
    `count` how many there are; `first` is -1 where the place is the image itself.
    """

    name: str
    place: str
    first: int = -1
    count: int = 1

    def part(self, start: int, stop: int) -> "Piece":
        """Its images from `start` to before `stop`, counted from the piece's own first."""
        if self.first < 0:
            return self
        return Piece(self.name, self.place, self.first + start, stop - start)


@dataclass(frozen=True, slots=True)
class Listing:
    """All images of an input in order; `digest` tells two listings apart, `column` is that of the image's bytes."""

    kind: Kind
    column: str
    digest: str
    pieces: tuple[Piece, ...]
    ends: tuple[int, ...]

    @property
    def images(self) -> int:
        """How many images there are."""
        return self.ends[-1]

    def span(self, start: int, stop: int) -> list[Piece]:
        """The pieces that hold the images from `start` to before `stop`."""
        pieces = []
        at = bisect_right(self.ends, start)
        while start < stop:
            piece, end = self.pieces[at], min(self.ends[at], stop)
            before = self.ends[at] - piece.count
            pieces.append(piece.part(start - before, end - before))
            start, at = end, at + 1
        return pieces


def read_listing(source: Path, column: str | None, out: Path) -> Listing:
    """What the input holds; files below `out` are no part of it.

    Raises DatasetError where it holds nothing that could be scored, or `column` does not fit.
    """
    if source.is_dir():
        return _of_folder(source, column, out)
    if not source.exists():
        raise UsageError(f"{source} does not exist: name a folder of images, a Parquet file or a CSV.")
    if source.suffix.lower() == ".csv":
        return _of_csv(source, column)
    if source.suffix.lower() == ".parquet":
        return _of_parquet(source.parent, [source], column)
    raise UsageError(f"{source} is not a folder, and its name does not end in .parquet or .csv.")


def _of_folder(folder: Path, column: str | None, out: Path) -> Listing:
    images = [path for _, path in find_images([folder]) if not _is_below(path, out)]
    tables = sorted(
        path for path in folder.rglob("*.parquet") if _is_visible(path, folder) and not _is_below(path, out)
    )
    if images and tables:
        raise DatasetError(
            f"{folder} holds images ({images[0].name}) and Parquet files ({tables[0].name}): name a folder of one kind."
        )
    if tables:
        return _of_parquet(folder, tables, column)
    if not images:
        raise DatasetError(f"{folder} holds neither images nor Parquet files.")
    if column is not None:
        raise UsageError(f"{folder} is a folder of images, which has no column {column}.")
    pieces = [Piece(path.relative_to(folder).as_posix(), _absolute(path)) for path in images]
    pieces.sort(key=lambda piece: piece.name)
    return _listing("images", "", pieces, ((piece.name, Path(piece.place).stat().st_size) for piece in pieces))


def _of_parquet(folder: Path, paths: Sequence[Path], column: str | None) -> Listing:
    pieces, chosen = [], ""
    for path in paths:
        try:
            file = pq.ParquetFile(path)
            found, rows = _bytes_column(path, file.schema_arrow, column), file.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from None
        if chosen and found != chosen:
            raise DatasetError(f"The images of {path} are in its column {found}, those of {paths[0]} in {chosen}.")
        chosen = found
        if rows:
            pieces.append(Piece(path.relative_to(folder).as_posix(), _absolute(path), 0, rows))
    if not pieces:
        raise DatasetError(f"{paths[0]} holds no rows.")
    return _listing("parquet", chosen, pieces, ((p.name, p.count, Path(p.place).stat().st_size) for p in pieces))


def _bytes_column(path: Path, schema: pa.Schema, wanted: str | None) -> str:
    """The column of the images' bytes: `name`, or `name.bytes` inside a struct as datasets of the hub have it."""
    fitting = {name: found for name in schema.names if (found := _column_of_bytes(schema.field(name)))}
    if wanted is not None:
        name = wanted.removesuffix(".bytes") if wanted not in schema.names else wanted
        if name not in fitting:
            raise DatasetError(f"{path} has no column {wanted} of image bytes: {_told(fitting)}.")
        return fitting[name]
    for name in _BYTES_COLUMNS:
        if name in fitting:
            return fitting[name]
    if len(fitting) != 1:
        raise DatasetError(f"It is unclear which column of {path} holds the images: {_told(fitting)}. Use --column.")
    return next(iter(fitting.values()))


def _column_of_bytes(field: pa.Field) -> str:
    """The column as it is read; empty where it holds no bytes."""
    if _is_binary(field.type):
        return str(field.name)
    if pa.types.is_struct(field.type):
        inside = field.type.get_field_index("bytes")
        if inside >= 0 and _is_binary(field.type.field(inside).type):
            return f"{field.name}.bytes"
    return ""


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _told(fitting: dict[str, str]) -> str:
    return f"it has bytes in {', '.join(fitting.values())}" if fitting else "no column of it holds bytes"


def _of_csv(path: Path, column: str | None) -> Listing:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            chosen = _csv_column(path, reader.fieldnames or (), column)
            values = [(record[chosen] or "").strip() for record in reader]
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not UTF-8 text: save it as CSV in UTF-8.") from None
    except csv.Error as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from None
    if not values:
        raise DatasetError(f"{path} lists no images.")
    pieces = [Piece(value, _place(path.parent, value)) for value in values]
    return _listing("csv", chosen, pieces, ((value,) for value in values))


def _csv_column(path: Path, names: Sequence[str], wanted: str | None) -> str:
    candidates = _CSV_COLUMNS if wanted is None else (wanted,)
    for name in candidates:
        if name in names:
            return name
    raise DatasetError(f"{path} has no column {' or '.join(candidates)}: it has {', '.join(names) or 'none'}.")


def _place(folder: Path, value: str) -> str:
    """A URL as it is, a path from the folder of the CSV; nothing for nothing."""
    return value if "://" in value or not value else _absolute(folder / value)


def _listing(kind: Kind, column: str, pieces: Sequence[Piece], marks: Iterator[tuple[object, ...]]) -> Listing:
    digest = hashlib.sha256(repr((kind, column)).encode())
    for mark in marks:
        digest.update(repr(mark).encode())
    ends = tuple(accumulate(piece.count for piece in pieces))
    return Listing(kind, column, digest.hexdigest(), tuple(pieces), ends)


def _is_visible(path: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _is_below(path: Path, folder: Path) -> bool:
    return Path(_absolute(path)).is_relative_to(_absolute(folder))


def _absolute(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - keeps links
