"""From what repositories gave to the rows of a dataset.csv: nothing twice, nothing of another val or test."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from forensics.errors import DatasetError
from img_ml.data.dataset import Row
from scripts.dataset.cleaning import find_left_out
from scripts.dataset.encoding import Encoding
from scripts.dataset.gather.gathering import Gathered, Image
from scripts.dataset.gather.sources import SourceRow
from scripts.dataset.inventory import ImageFacts, Unreadable, take_inventory

COLUMNS = (
    *("filepath", "label", "kind", "split", "generator", "source"),
    *("source_image", "source_format", "source_width", "source_height"),
)
# As much of a file's SHA-256 as the column source_image holds.
_DIGEST = 16
_NOT_LOOKED_AT = Encoding(0.0, (0, 0, 0, 0, 0))


@dataclass(frozen=True, slots=True)
class Crop:
    """One crop on its way into the dataset."""

    path: Path
    source: SourceRow
    image: Image


@dataclass(frozen=True, slots=True)
class Assembled:
    """The crops that stay, and how many images and crops of each row went, by reason."""

    crops: tuple[Crop, ...]
    images_left_out: Mapping[SourceRow, Mapping[str, int]]
    crops_left_out: Mapping[SourceRow, Mapping[str, int]]


def assemble(
    gathered: Sequence[tuple[Sequence[SourceRow], Gathered]], folder: Path, held_out: Sequence[Row]
) -> Assembled:
    """The crops in `folder`, without repeated images, repeated crops, and what looks like an image of `held_out`.

    Of look-alikes of one label the first stays. Raises DatasetError where a crop or a held-out image cannot be read.
    """
    images = [(rows[image.row], image) for rows, found in gathered for image in found.images]
    judged = take_inventory(row.path for row in held_out)
    _check(judged)
    images, images_left_out = _without_repeated_images(images, held_out, judged)
    crops = [Crop(folder / name, source, image) for source, image in images for name in image.files]
    facts = take_inventory(crop.path for crop in crops)
    _check(facts)
    rows = [_row(crop.path, crop.source) for crop in crops]
    gone = {left.row: left.reason for left in find_left_out([*rows, *held_out], {**facts, **judged}, 1)}
    counts: dict[SourceRow, Counter[str]] = {}
    for index, reason in gone.items():
        if index < len(crops):
            counts.setdefault(crops[index].source, Counter())[reason] += 1
    return Assembled(tuple(crop for index, crop in enumerate(crops) if index not in gone), images_left_out, counts)


def record_of(crop: Crop, filepath: str) -> dict[str, object]:
    """The line of the dataset.csv, whose keys are COLUMNS."""
    facts = crop.image.facts
    values = (filepath, crop.source.label, crop.source.kind, "train", crop.source.generator, crop.source.repository)
    return dict(zip(COLUMNS, (*values, facts.sha256[:_DIGEST], facts.format, facts.width, facts.height), strict=True))


def _without_repeated_images(
    images: Sequence[tuple[SourceRow, Image]], held_out: Sequence[Row], judged: Mapping[Path, ImageFacts | Unreadable]
) -> tuple[list[tuple[SourceRow, Image]], dict[SourceRow, Counter[str]]]:
    """Whole images are compared too: crops at other places of one image do not look alike."""
    known = {row.record.get("source_image", "") for row in held_out} - {""}
    # No two images may pass for one file, so each has a path of its own; nothing is read from it.
    paths = [Path(str(number), image.facts.sha256) for number, (_, image) in enumerate(images)]
    rows = [_row(path, source) for path, (source, _) in zip(paths, images, strict=True)]
    facts = {path: _facts(path, image) for path, (_, image) in zip(paths, images, strict=True)}
    gone = {left.row: left.reason for left in find_left_out([*rows, *held_out], {**facts, **judged}, 1)}
    gone |= {
        index: "same_bytes_across_splits"
        for index, (_, image) in enumerate(images)
        if image.facts.sha256[:_DIGEST] in known
    }
    counts: dict[SourceRow, Counter[str]] = {}
    for index, reason in gone.items():
        if index < len(images):
            counts.setdefault(images[index][0], Counter())[reason] += 1
    return [pair for index, pair in enumerate(images) if index not in gone], counts


def _row(path: Path, source: SourceRow) -> Row:
    return Row(path, source.label, "train", source.repository, source.kind, source.generator)


def _facts(path: Path, image: Image) -> ImageFacts:
    facts = image.facts
    return ImageFacts(
        path,
        facts.sha256,
        facts.width,
        facts.height,
        facts.format,
        facts.perceptual_hash,
        facts.thumbnail,
        _NOT_LOOKED_AT,
    )


def _check(facts: Mapping[Path, ImageFacts | Unreadable]) -> None:
    broken = [fact for fact in facts.values() if isinstance(fact, Unreadable)]
    if broken:
        raise DatasetError(
            f"{len(broken)} images cannot be compared, the first is {broken[0].path}: {broken[0].problem}"
        )
