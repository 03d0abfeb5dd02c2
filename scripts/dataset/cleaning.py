"""Which rows of a dataset should go, and why: unusable files, duplicates, the same content in several splits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from img_ml.data.dataset import Row
from scripts.dataset.inventory import ImageFacts, Unreadable
from scripts.dataset.near_duplicates import alike_pairs

# Reason codes with what the summary says of them, in the order of the summary.
REASONS = {
    "missing": "no such file",
    "unreadable": "cannot be read as an image",
    "not_read": "cannot be read from the disk",
    "tiny": "too few pixels",
    "labels_contradict": "same bytes under both labels",
    "listed_twice": "same file listed twice",
    "same_bytes": "same bytes as another image of its split",
    "same_bytes_across_splits": "same bytes as an image of another split",
    "looks_alike": "looks like another image of its split and label",
    "looks_alike_across_splits": "looks like an image of another split",
    "pair_across_splits": "looks like an image of the other label in another split",
}
ACROSS_SPLITS = ("same_bytes_across_splits", "looks_alike_across_splits", "pair_across_splits")
# Of two copies the one that evaluates stays, so that nothing of test or val is left in training.
_RANK = {"test": 0, "val": 1, "train": 2}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that goes: its position, a code of REASONS, a sentence, and the position of the row it repeats."""

    row: int
    reason: str
    sentence: str
    duplicate_of: int | None = None


def find_left_out(
    rows: Sequence[Row], facts: Mapping[Path, ImageFacts | Unreadable], minimum_side: int
) -> list[LeftOut]:
    """The rows to leave out, in their order."""
    out = _unusable(rows, facts, minimum_side)
    out |= _same_bytes(rows, facts, [index for index in range(len(rows)) if index not in out])
    out |= _alike(rows, facts, [index for index in range(len(rows)) if index not in out])
    return [out[index] for index in sorted(out)]


def _unusable(
    rows: Sequence[Row], facts: Mapping[Path, ImageFacts | Unreadable], minimum_side: int
) -> dict[int, LeftOut]:
    out = {}
    for index, row in enumerate(rows):
        fact = facts[row.path]
        if isinstance(fact, Unreadable):
            out[index] = LeftOut(index, fact.reason, fact.problem)
        elif min(fact.width, fact.height) < minimum_side:
            size = f"{fact.width} x {fact.height}"
            out[index] = LeftOut(index, "tiny", f"The image is {size} pixels; each side needs {minimum_side}.")
    return out


def _same_bytes(
    rows: Sequence[Row], facts: Mapping[Path, ImageFacts | Unreadable], among: Sequence[int]
) -> dict[int, LeftOut]:
    """All rows of bytes with both labels, and all but the best row of bytes with one."""
    copies: dict[str, list[int]] = {}
    for index in among:
        copies.setdefault(_readable(facts, rows[index]).sha256, []).append(index)
    out = {}
    for group in copies.values():
        best, *others = sorted(group, key=lambda index: _RANK[rows[index].split])
        if len({rows[index].label for index in group}) > 1:
            for index in group:
                other = next(other for other in group if rows[other].label != rows[index].label)
                out[index] = LeftOut(index, "labels_contradict", "The same bytes carry both labels.", other)
        else:
            out |= {index: _byte_copy(rows, index, best) for index in others}
    return out


def _byte_copy(rows: Sequence[Row], index: int, best: int) -> LeftOut:
    here, kept = rows[index], rows[best]
    if here.split != kept.split:
        sentence = f"The same bytes are in {kept.split}; the copy in {here.split} goes."
        return LeftOut(index, "same_bytes_across_splits", sentence, best)
    if here.path == kept.path:
        return LeftOut(index, "listed_twice", "The same file is listed twice.", best)
    return LeftOut(index, "same_bytes", f"The same bytes are in {kept.split} already.", best)


def _alike(
    rows: Sequence[Row], facts: Mapping[Path, ImageFacts | Unreadable], among: Sequence[int]
) -> dict[int, LeftOut]:
    """Rows that look like a kept one, going from test to train: of one label anywhere, of the other across splits.

    A real image and its reconstruction in one split are a legitimate pair and both stay.
    """
    neighbours: dict[int, list[int]] = {}
    for first, second in alike_pairs([_readable(facts, rows[index]) for index in among]).tolist():
        neighbours.setdefault(among[first], []).append(among[second])
        neighbours.setdefault(among[second], []).append(among[first])
    out: dict[int, LeftOut] = {}
    seen: set[int] = set()
    for index in sorted(neighbours, key=lambda index: (_RANK[rows[index].split], index)):
        kept = [other for other in sorted(neighbours[index]) if other in seen and other not in out]
        found = [left for other in kept if (left := _look_alike(rows, index, other))]
        if found:
            out[index] = max(found, key=lambda left: left.reason in ACROSS_SPLITS)
        seen.add(index)
    return out


def _look_alike(rows: Sequence[Row], index: int, kept: int) -> LeftOut | None:
    here, other = rows[index], rows[kept]
    if here.label != other.label:
        if here.split == other.split:
            return None
        sentence = f"It looks like an image of the other label in {other.split}; the copy in {here.split} goes."
        return LeftOut(index, "pair_across_splits", sentence, kept)
    if here.split != other.split:
        sentence = f"It looks like an image in {other.split}; the copy in {here.split} goes."
        return LeftOut(index, "looks_alike_across_splits", sentence, kept)
    return LeftOut(index, "looks_alike", f"It looks like another image of label {here.label} in {here.split}.", kept)


def _readable(facts: Mapping[Path, ImageFacts | Unreadable], row: Row) -> ImageFacts:
    fact = facts[row.path]
    if not isinstance(fact, ImageFacts):
        raise TypeError(f"{row.path} is not readable")
    return fact
