"""From local clones to records of crops: which images are drawn, read and cut, one repository after another."""

import hashlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from forensics.errors import JobError
from forensics.files import write_atomically
from forensics.reading.decode import DecodeLimits
from forensics.sandbox.sandbox import Sandbox
from scripts.dataset.gather.cropping import Cropping, Cut, Refused, cut
from scripts.dataset.gather.snapshots import Blob, BlobReader, files_of
from scripts.dataset.gather.sources import SourceRow


@dataclass(frozen=True, slots=True)
class Image:
    """An image that gave crops: its row among those of its repository, its facts, and its crops' file names.

    The crops' bytes are no longer in `facts`.
    """

    row: int
    facts: Cut
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowCount:
    """What became of a row's files: how many match, how many of those were drawn, and why drawn ones gave nothing."""

    matching: int
    drawn: int
    skipped: dict[str, int]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a repository gave at a commit; `rows` in the order of its rows in the sources."""

    commit: str
    rows: tuple[RowCount, ...]
    images: tuple[Image, ...]


def gather(
    clone: Path, commit: str, rows: Sequence[SourceRow], most: int, cropping: Cropping, folder: Path, sandbox: Sandbox
) -> Gathered:
    """Cut at most `most` images of each row that does not say how many into `folder`, as files named by their SHA-256.

    Raises DatasetError where git cannot read the clone or an image brings its process down.
    """
    files = files_of(clone, commit)
    matching = [[file for file in files if row.pattern.search(file.path)] for row in rows]
    drawn = [
        draw(some, row.most or most, f"{cropping.seed}/{row.repository}")
        for row, some in zip(rows, matching, strict=True)
    ]
    wanted, skipped = _once([(index, blob) for index, some in enumerate(drawn) for blob in some])
    images: list[Image] = []
    with BlobReader(clone) as reader:
        for index, outcome in _cut_all(reader, wanted, cropping, sandbox):
            if isinstance(outcome, Refused):
                skipped[index, outcome.reason] += 1
            else:
                names = tuple(_write(folder, crop) for crop in outcome.crops)
                images.append(Image(index, replace(outcome, crops=()), names))
    counts = (
        RowCount(len(matching[i]), len(drawn[i]), {why: n for (row, why), n in sorted(skipped.items()) if row == i})
        for i in range(len(rows))
    )
    return Gathered(commit, tuple(counts), tuple(images))


def draw(blobs: Sequence[Blob], most: int, seed: str) -> list[Blob]:
    """At most `most` files, taken in turn from each folder in an order that depends on the seed and the paths alone."""
    folders: dict[str, list[Blob]] = {}
    for blob in sorted(blobs, key=lambda blob: _shuffled(seed, blob.path)):
        folders.setdefault(str(PurePosixPath(blob.path).parent), []).append(blob)
    taken: list[Blob] = []
    waiting = sorted(folders, key=lambda name: _shuffled(seed, name))
    queues = [deque(folders[name]) for name in waiting]
    while queues and len(taken) < most:
        for queue in queues[: most - len(taken)]:
            taken.append(queue.popleft())
        queues = [queue for queue in queues if queue]
    return taken


def _shuffled(seed: str, text: str) -> bytes:
    return hashlib.sha256(f"{seed}/{text}".encode(errors="surrogateescape")).digest()


def _once(drawn: Iterable[tuple[int, Blob]]) -> tuple[list[tuple[int, Blob]], Counter[tuple[int, str]]]:
    """Each object once, for the first row that has it, and how many files repeat one."""
    first: dict[str, tuple[int, Blob]] = {}
    skipped: Counter[tuple[int, str]] = Counter()
    for index, blob in drawn:
        if blob.name in first:
            skipped[index, "same_bytes"] += 1
        else:
            first[blob.name] = (index, blob)
    return list(first.values()), skipped


def _cut_all(
    reader: BlobReader, wanted: Sequence[tuple[int, Blob]], cropping: Cropping, sandbox: Sandbox
) -> Iterator[tuple[int, Cut | Refused]]:
    """The outcome of each image, in the order wanted, with few of them in memory."""
    contents = ((reader.read(blob), cropping, sandbox.rules.limits) for _, blob in wanted)
    for (index, _), outcome in zip(wanted, sandbox.each(_cut, contents), strict=True):
        yield index, Refused("unreadable", str(outcome)) if isinstance(outcome, JobError) else outcome


def _cut(data: bytes | None, cropping: Cropping, limits: DecodeLimits) -> Cut | Refused:
    return _ABSENT if data is None else cut(data, cropping, limits)


_ABSENT = Refused("absent", "The clone lacks the file's bytes.")


def _write(folder: Path, crop: bytes) -> str:
    name = f"{hashlib.sha256(crop).hexdigest()}.jpg"
    if not (folder / name).is_file():
        write_atomically(folder / name, crop)
    return name
