"""The folder of the scores: which parts are there, that they belong together, and who may write."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from forensics.documents import json_of
from forensics.files import write_atomically
from scripts.scoring.errors import ScoringError
from scripts.scoring.rows import mark_of

# Names that begin with _ or . are passed over by what reads a folder of Parquet files.
MANIFEST = "_manifest.json"
_LOCK = ".lock"

Settings = Mapping[str, str | int | float | None]


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of a finished part: `configuration` marks the detectors and weights that its actor had."""

    images: int
    configuration: str


@dataclass(frozen=True, slots=True)
class ScoreFolder:
    """The parts of one run; `mark` tells it from every run with other images or other settings."""

    path: Path
    mark: str

    def part(self, shard: int) -> Path:
        """Where the scores of a shard belong."""
        return self.path / f"part-{shard:05d}.parquet"

    def finished(self, images: Mapping[int, int]) -> dict[int, Part]:
        """The parts that are there and whole, given how many images each shard has."""
        found = {}
        for shard, count in images.items():
            part = self._read(shard)
            if part is not None and part.images == count:
                found[shard] = part
        return found

    def _read(self, shard: int) -> Part | None:
        try:
            metadata = pq.read_metadata(self.part(shard))
        except (OSError, pa.ArrowException):
            return None
        mark, _, configuration = mark_of(metadata.metadata).partition(" ")
        return Part(metadata.num_rows, configuration) if mark == self.mark else None

    def write(self, shard: int, content: bytes) -> None:
        """Put a part in its place, whole or not at all."""
        write_atomically(self.part(shard), content)

    def counts(self, shards: int) -> Counter[str]:
        """How many images got each label, and how many none (`error`), over all parts."""
        counted: Counter[str] = Counter()
        for shard in range(shards):
            table = pq.ParquetFile(self.part(shard)).read(columns=["label"])
            counted.update(label or "error" for label in table["label"].to_pylist())
        return counted


@contextmanager
def opened(path: Path, settings: Settings) -> Iterator[ScoreFolder]:
    """The folder of a run with these settings, which nobody else writes to meanwhile.

    Raises ScoringError where it holds a run with other settings, or another process writes to it.
    """
    path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ScoringError(f"Another run is writing to {path}: wait for it, or name another --out.") from None
    try:
        text = json.dumps(settings, indent=2) + "\n"
        _check(path, settings)
        for left in path.glob(".part-*.parquet-*"):
            left.unlink()  # of a run that was killed while it wrote
        if not (path / MANIFEST).is_file():
            write_atomically(path / MANIFEST, text)
        yield ScoreFolder(path, hashlib.sha256(text.encode()).hexdigest()[:16])
    finally:
        lock.release()


def _check(path: Path, settings: Settings) -> None:
    try:
        before = json_of((path / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if any(path.glob("part-*.parquet")):
            raise ScoringError(f"{path} holds parts that this command did not write: name another --out.") from None
        return
    except ValueError:
        raise ScoringError(f"{path / MANIFEST} cannot be read: name another --out.") from None
    names = dict.fromkeys((*settings, *before))
    other = [name for name in names if before.get(name) != settings.get(name)]
    if other:
        what, theirs, ours = other[0].replace("_", " "), before.get(other[0]), settings.get(other[0])
        raise ScoringError(
            f"{path} holds the scores of another run: its {what} is {theirs}, that of this one {ours}. "
            "Name another --out, or give the settings of that run."
        )
