"""From folders of images to the records of a dataset.csv: read, label, group, split."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forensics.errors import DatasetError
from img_ml.data.dataset import SPLITS
from scripts.dataset.discover import find_images
from scripts.dataset.inventory import ImageFacts, take_inventory
from scripts.dataset.layouts import read_layout
from scripts.dataset.near_duplicates import alike_clusters
from scripts.dataset.splits import FEWEST_GROUPS, assign_splits, groups_of, has_few_groups

COLUMNS = ("filepath", "label", "split", "generator", "source", "sha256", "width", "height", "format")
LABELS = {0: "real", 1: "AI"}
_HINT = (
    "Labels come from folder names such as real, nature, human_art, ai, fake; "
    "others are named with --label-map FOLDER=0 (not AI) or --label-map FOLDER=1 (AI)."
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """One image on its way into the dataset; `split` "" until it has one."""

    facts: ImageFacts
    label: int
    split: str
    source: str
    generator: str


@dataclass(frozen=True, slots=True)
class Built:
    """The images of a dataset, each with a split, and what the user should know of how they got it."""

    images: tuple[Labelled, ...]
    notes: tuple[str, ...] = field(default=())


def build(roots: Sequence[Path], label_map: Mapping[str, int], shares: Mapping[str, float], seed: int) -> Built:
    """The dataset below the folders; `shares` are the wanted parts of val and test where no folder says the split.

    Raises DatasetError where there is no dataset to be made.
    """
    images, notes = _labelled(roots, label_map)
    cluster = alike_clusters([image.facts for image in images])
    images, more = _with_sources(images, cluster)
    placed, about_splits = _with_splits(images, cluster, shares, seed)
    return Built(tuple(placed), (*notes, *more, *about_splits, *_warnings(placed, cluster, shares)))


def _labelled(roots: Sequence[Path], label_map: Mapping[str, int]) -> tuple[list[Labelled], list[str]]:
    """The readable images that have a label, and what was left out."""
    found = find_images(roots)
    if not found:
        raise DatasetError(f"There are no images below {', '.join(map(str, roots))}: name folders that hold some.")
    readings = {path: read_layout(root, path, label_map) for root, path in found}
    unlabelled = [path for path, reading in readings.items() if reading.label is None]
    if len(unlabelled) == len(readings):
        raise DatasetError(f"None of the {len(readings)} images has a label, the first is {unlabelled[0]}. {_HINT}")
    _check_classes([reading.label for reading in readings.values() if reading.label is not None])
    facts = take_inventory(path for path, reading in readings.items() if reading.label is not None)
    images = [
        Labelled(fact, reading.label, reading.split, reading.source, reading.generator)
        for path, fact in facts.items()
        if isinstance(fact, ImageFacts) and (reading := readings[path]).label is not None
    ]
    broken = [fact for fact in facts.values() if not isinstance(fact, ImageFacts)]
    notes = [_count(unlabelled, f"left out: nothing labels {_them(unlabelled)}")] if unlabelled else []
    notes = [f"{note}, the first is {unlabelled[0]}. {_HINT}" for note in notes]
    if broken:
        notes.append(f"{_count(broken, 'skipped as unreadable')}, the first is {broken[0].path}: {broken[0].problem}")
    if not images:
        raise DatasetError(f"None of the {len(broken)} images can be read, the first is {broken[0].path}.")
    _check_classes([image.label for image in images])
    return images, notes


def _check_classes(labels: Sequence[int]) -> None:
    if len(set(labels)) == 1:
        raise DatasetError(
            f"All {len(labels)} images are of one class, {labels[0]} ({LABELS[labels[0]]}): training needs both. "
            f"Name a folder with images of the other class too. {_HINT}"
        )


def _with_sources(images: list[Labelled], cluster: NDArray[np.int64]) -> tuple[list[Labelled], list[str]]:
    """The images, with near-duplicate clusters as the sources of a label that has too few sources."""
    label = _labels(images)
    group = groups_of([image.source for image in images], cluster)
    few = [which for which in (0, 1) if has_few_groups(group, label, which)]
    names = _cluster_names(images, cluster)
    renamed = [
        replace(image, source=f"{image.source}/{name}") if image.label in few else image
        for image, name in zip(images, names, strict=True)
    ]
    if not few:
        return images, []
    named = " and ".join(f"{which} ({LABELS[which]})" for which in few)
    note = (
        f"Of label {named} there are fewer than {FEWEST_GROUPS} sources (folders that name neither label nor split), "
        "so each cluster of near-duplicates stands as a source of its own. Images of one origin may then lie on both "
        "sides of a split, and figures measured on such splits flatter."
    )
    return renamed, [note]


def _cluster_names(images: Sequence[Labelled], cluster: NDArray[np.int64]) -> list[str]:
    """A name for each image's cluster that does not depend on the order of the images."""
    smallest: dict[int, str] = {}
    for image, key in zip(images, cluster.tolist(), strict=True):
        smallest[key] = min(image.facts.sha256, smallest.get(key, image.facts.sha256))
    return [smallest[key][:12] for key in cluster.tolist()]


def _with_splits(
    images: list[Labelled], cluster: NDArray[np.int64], shares: Mapping[str, float], seed: int
) -> tuple[list[Labelled], list[str]]:
    """Splits of the folders stay; what they lack is taken from train, by group."""
    notes = []
    named = {image.split for image in images if image.split}
    if not named:
        movable, wanted = list(range(len(images))), dict(shares)
    else:
        movable = [index for index, image in enumerate(images) if image.split in ("", "train")]
        wanted = {split: share for split, share in shares.items() if split not in named}
        notes = _notes_on_named(images, named, wanted if movable else {})
    if not movable:
        return images, notes
    wanted = {**wanted, "train": 1 - sum(wanted.values())}
    group = groups_of([images[index].source for index in movable], cluster[movable])
    identity = [images[index].facts.sha256 for index in movable]
    splits = assign_splits(group, _labels(images)[movable], identity, wanted, seed)
    placed = list(images)
    for index, split in zip(movable, splits, strict=True):
        placed[index] = replace(images[index], split=split)
    return placed, notes


def _notes_on_named(images: Sequence[Labelled], named: set[str], wanted: Mapping[str, float]) -> list[str]:
    notes = [f"The splits are those of the folders ({', '.join(split for split in SPLITS if split in named)})."]
    stray = sum(not image.split for image in images)
    if stray:
        notes.append(f"{stray} images lie in no split folder and count as train.")
    notes += [
        f"There is no {split} folder: {share:.0%} of train became {split}, by group."
        for split, share in wanted.items()
        if share > 0
    ]
    return notes


def _warnings(images: Sequence[Labelled], cluster: NDArray[np.int64], shares: Mapping[str, float]) -> list[str]:
    """What is wrong with the splits as they came out."""
    notes = []
    have = Counter((image.split, image.label) for image in images)
    for split in SPLITS:
        missing = [LABELS[label] for label in (0, 1) if not have[split, label]]
        if missing and split == "train":
            notes.append(f"There are no {' and no '.join(missing)} images to train on: train needs both classes.")
        elif missing and shares.get(split, 0) > 0:
            notes.append(f"The split {split} holds no {' and no '.join(missing)} images, so it cannot judge a model.")
    torn: dict[int, set[str]] = {}
    for image, key in zip(images, cluster.tolist(), strict=True):
        torn.setdefault(key, set()).add(image.split)
    count = sum(len(splits) > 1 for splits in torn.values())
    if count:
        notes.append(
            f"{count} images or groups of near-duplicates lie in several of the folders' splits: "
            "python -m scripts.clean_dataset takes them out of training."
        )
    return notes


def _labels(images: Sequence[Labelled]) -> NDArray[np.int64]:
    return np.array([image.label for image in images], dtype=np.int64)


def _count(things: Sequence[object], what: str) -> str:
    return f"{len(things)} image{'' if len(things) == 1 else 's'} {what}"


def _them(things: Sequence[object]) -> str:
    return "it" if len(things) == 1 else "them"
