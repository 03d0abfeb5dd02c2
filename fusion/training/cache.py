"""The feature cache: what detectors measured, in Parquet, keyed by image, view and detector version.

One folder holds one subfolder for each detector and version (`noise-1/`), in it Parquet files with the columns
`image` (SHA-256 of the bytes), `view`, `skipped` (the reason, or null), `embedding`, and one column a number. A file
is added whole or not at all, so a killed run loses only what was still in memory.
"""

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from forensics.errors import ImgMlError
from forensics.files import write_atomically
from forensics.registry import DetectorSpec
from forensics.types import Measured, Signal

Key = tuple[str, str]
# More files than this are merged into one.
_MOST_FILES = 8


class CacheError(ImgMlError):
    """A feature cache that cannot be read."""


@dataclass(frozen=True, slots=True)
class CachedSignal:
    """What one detector found in one view of one image."""

    image: str
    view: str
    signal: Signal


@dataclass(frozen=True, slots=True)
class Column:
    """Everything cached of one detector: `place` finds the row of an (image, view) in the others.

    `numbers` (n, k) float64 in the order of the detector's declaration, NaN where not measured; `embedding` (n, d)
    float32, or None.
    """

    place: dict[Key, int]
    numbers: NDArray[np.float64]
    embedding: NDArray[np.float32] | None

    def rows(self, keys: Sequence[Key]) -> NDArray[np.intp]:
        """The row of each key, -1 where it is not cached."""
        return np.array([self.place.get(key, -1) for key in keys], dtype=np.intp)


class FeatureCache:
    """A folder of measured features; `mark` sets one set of weights of a learned detector apart from another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of_other_pixels(self, name: str) -> "FeatureCache":
        """The cache of the same images read in another way, which gave other pixels."""
        return FeatureCache(self._folder / name)

    def keys(self, spec: DetectorSpec, mark: str = "") -> set[Key]:
        """The (image, view) pairs that this version of the detector has seen."""
        table = self._read(spec, mark, ["image", "view"])
        return set(zip(table["image"].to_pylist(), table["view"].to_pylist(), strict=True))

    def read(self, spec: DetectorSpec, mark: str = "") -> Column:
        """All that is cached of this version of the detector."""
        table = self._read(spec, mark, None)
        keys = zip(table["image"].to_pylist(), table["view"].to_pylist(), strict=True)
        place = {key: row for row, key in enumerate(keys)}
        numbers = [table[n.name].to_numpy(zero_copy_only=False).astype(np.float64) for n in spec.numbers]
        stacked = np.stack(numbers, axis=1) if numbers else np.empty((len(table), 0))
        return Column(place, stacked, _embeddings(table))

    def add(self, spec: DetectorSpec, entries: Sequence[CachedSignal], mark: str = "") -> None:
        """Put entries into a file of their own; OSError where the disk refuses, leaving nothing behind."""
        if not entries:
            return
        sink = pa.BufferOutputStream()
        pq.write_table(_table(spec, entries), sink, compression="zstd")
        write_atomically(self._place(spec, mark) / f"{uuid.uuid4().hex}.parquet", sink.getvalue().to_pybytes())

    def compact(self, spec: DetectorSpec, mark: str = "") -> None:
        """Merge many small files into one; a kill in between leaves repeated rows, which do no harm."""
        files = self._files(spec, mark)
        if len(files) <= _MOST_FILES:
            return
        sink = pa.BufferOutputStream()
        pq.write_table(self._read(spec, mark, None), sink, compression="zstd")
        write_atomically(self._place(spec, mark) / f"{uuid.uuid4().hex}.parquet", sink.getvalue().to_pybytes())
        for file in files:
            file.unlink()

    def _read(self, spec: DetectorSpec, mark: str, columns: list[str] | None) -> pa.Table:
        schema = _schema(spec)
        wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
        tables = [wanted.empty_table()]
        for file in self._files(spec, mark):
            try:
                tables.append(pq.read_table(file, columns=columns).select(wanted.names).cast(wanted))
            except (pa.ArrowException, KeyError, ValueError) as error:
                raise CacheError(f"{file} is not a file of this cache ({error}): delete it and run again.") from error
        return pa.concat_tables(tables)

    def _files(self, spec: DetectorSpec, mark: str) -> list[Path]:
        return sorted(self._place(spec, mark).glob("*.parquet"))

    def _place(self, spec: DetectorSpec, mark: str) -> Path:
        return self._folder / "-".join(part for part in (spec.name, str(spec.version), mark) if part)


def image_key(data: bytes) -> str:
    """The key of an image: the SHA-256 of its bytes."""
    return hashlib.sha256(data).hexdigest()


def _schema(spec: DetectorSpec) -> pa.Schema:
    numbers = [pa.field(n.name, pa.float64()) for n in spec.numbers]
    fixed = [("image", pa.string()), ("view", pa.string()), ("skipped", pa.string())]
    return pa.schema([*(pa.field(*f) for f in fixed), pa.field("embedding", pa.list_(pa.float32())), *numbers])


def _table(spec: DetectorSpec, entries: Sequence[CachedSignal]) -> pa.Table:
    measured = [e.signal if isinstance(e.signal, Measured) else None for e in entries]
    columns: dict[str, Iterable[object]] = {
        "image": [e.image for e in entries],
        "view": [e.view for e in entries],
        "skipped": [None if isinstance(e.signal, Measured) else e.signal.reason for e in entries],
        "embedding": [None if m is None else m.embedding for m in measured],
    }
    for number in spec.numbers:
        columns[number.name] = [np.nan if m is None else m.numbers[number.name] for m in measured]
    return pa.table(columns, schema=_schema(spec))


def _embeddings(table: pa.Table) -> NDArray[np.float32] | None:
    found = table["embedding"].to_pylist()
    size = next((len(one) for one in found if one is not None), 0)
    if not size:
        return None
    return np.array([one if one is not None else [np.nan] * size for one in found], dtype=np.float32)
