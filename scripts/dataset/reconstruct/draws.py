"""Which images of a dataset get aligned fakes, and by which autoencoder."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from forensics.errors import DatasetError, UsageError
from img_ml.data.dataset import Row
from img_ml.weights.digest import file_sha256

_REAL, _ART = "real", "human_art"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A row to make a fake of, and the SHA-256 of its file."""

    row: Row
    sha256: str


def choose(rows: Iterable[Row], splits: Collection[str], *, art: bool, count: int | None, seed: int) -> list[Chosen]:
    """Real images of these splits, each file once: all of them, or `count` drawn.

    A source is drawn from about as often as the root of its size says. Raises DatasetError where there are none, or
    one that cannot be read.
    """
    if "test" in splits:
        raise UsageError("The test split is for evaluation only: no fakes are made from it.")
    kinds = (_REAL, _ART) if art else (_REAL,)
    wanted = [row for row in rows if row.split in splits and row.kind in kinds and row.label == 0]
    if not wanted:
        raise DatasetError(f"There are no images of kind {' or '.join(kinds)} in {' or '.join(sorted(splits))}.")
    once: dict[str, Row] = {}
    for row in wanted:
        once.setdefault(file_sha256(row.path), row)
    found = [Chosen(row, sha256) for sha256, row in once.items()]
    return found if count is None or count >= len(found) else _drawn(found, count, seed)


def _drawn(found: Sequence[Chosen], count: int, seed: int) -> list[Chosen]:
    """`count` of them, without replacement: those with the highest weighted keys, which follow from seed and bytes."""
    size = Counter(chosen.row.source for chosen in found)
    # u ** (1 / weight), with the weight 1 / root of the source's size.
    key = {
        chosen.sha256: _uniform(f"draw {seed} {chosen.sha256}") ** (size[chosen.row.source] ** 0.5) for chosen in found
    }
    taken = set(sorted(key, key=lambda sha256: key[sha256], reverse=True)[:count])
    return [chosen for chosen in found if chosen.sha256 in taken]


def one_of(sha256: str, names: Sequence[str], seed: int) -> int:
    """The place of the autoencoder that an image gets; one more of them changes only the images it takes over."""
    return max(range(len(names)), key=lambda place: _uniform(f"pick {seed} {sha256} {names[place]}"))


def _uniform(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
