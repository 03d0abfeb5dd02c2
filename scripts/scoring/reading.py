"""The bytes of the images of a shard, from files, Parquet rows or URLs, each within the limit."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from forensics.errors import JobError
from scripts.scoring.inputs import Piece
from worker.errors import BadJobError, FetchFailedError, TooLargeError
from worker.fetching.fetch import Fetcher

# Rows of a Parquet file that are decoded at once.
_ROWS = 16

# The place that the bytes are behind, the bytes themselves, or why there are none.
Source = str | bytes | JobError


def sources(pieces: Sequence[Piece], column: str) -> Iterator[tuple[str, Source]]:
    """The name and source of each image of the pieces, in order; rows of Parquet files are read as they are asked."""
    for piece in pieces:
        if piece.first < 0:
            yield piece.name, piece.place
        else:
            yield from _rows(piece, column)


def _rows(piece: Piece, column: str) -> Iterator[tuple[str, Source]]:
    """The rows of one file; where it breaks off, each of the remaining ones says so."""
    row, stop = piece.first, piece.first + piece.count
    problem = "it has fewer rows than when it was listed"
    try:
        for value in _values(Path(piece.place), row, stop, column):
            yield f"{piece.name}#{row}", value if value else BadJobError("The row holds no image bytes.")
            row += 1
    except (OSError, pa.ArrowException) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
    for left in range(row, stop):
        yield f"{piece.name}#{left}", FetchFailedError(f"The Parquet file cannot be read: {problem}.")


def _values(path: Path, start: int, stop: int, column: str) -> Iterator[bytes | None]:
    """The bytes in rows `start` to before `stop`; only row groups that hold some of them are read."""
    with pq.ParquetFile(path) as file:
        first = 0
        for group in range(file.metadata.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if first < stop and first + count > start:
                wanted = range(max(start - first, 0), min(stop - first, count))
                yield from _of_group(file, group, wanted, column)
            first += count


def _of_group(file: pq.ParquetFile, group: int, wanted: range, column: str) -> Iterator[bytes | None]:
    row = 0
    name = column if column in file.schema_arrow.names else column.removesuffix(".bytes")
    for batch in file.iter_batches(batch_size=_ROWS, row_groups=[group], columns=[column]):
        if row >= wanted.stop:
            return
        some = batch.slice(max(wanted.start - row, 0), max(wanted.stop - max(row, wanted.start), 0))
        row += batch.num_rows
        for value in some.column(name).to_pylist():
            yield value.get("bytes") if isinstance(value, dict) else value


async def bytes_of(source: Source, fetcher: Fetcher, max_bytes: int) -> bytes:
    """The bytes of an image; a JobError where there are none, or too many."""
    if isinstance(source, JobError):
        raise source
    if not source:
        raise BadJobError("The row names no image.")
    if isinstance(source, str) and "://" in source:
        return await fetcher.fetch(source)
    data = _of_file(Path(source), max_bytes) if isinstance(source, str) else source
    if len(data) > max_bytes:
        raise TooLargeError(f"The image is larger than {max_bytes} bytes.")
    return data


def _of_file(path: Path, max_bytes: int) -> bytes:
    try:
        if path.exists() and not path.is_file():  # a device may have no end
            raise FetchFailedError("The path does not lead to a file.")
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else str(error)
        raise FetchFailedError(f"The file cannot be read: {told}.") from None
