"""What cross-fitted members learn from: several datasets as one, folds of whole sources, extra images by AI."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forensics.errors import DatasetError, UsageError
from img_ml.data.dataset import Row, read_rows
from img_ml.data.folds import grouped_folds
from img_ml.engine.held_out import source_mark
from img_ml.train.examples import Division, Weigh, by_source


@dataclass(frozen=True, slots=True)
class Fold:
    """What one member learns from and what it is validated on; `extra` are more images by AI of learned sources."""

    division: Division
    extra: tuple[Row, ...]


def read_extra(file: Path) -> list[Row]:
    """The rows of a CSV of extra images by AI, those of the test split left out; UsageError for another label."""
    rows = [row for row in read_rows(file) if row.split != "test"]
    if any(row.label != 1 for row in rows):
        raise UsageError(f"{file} holds images that are not labelled AI: --extra takes label 1 only.")
    return rows


def folds_of(rows: Sequence[Row], extra: Sequence[Row], members: int, seed: int) -> list[Fold]:
    """One fold a member: it learns from the sources of train and val outside the fold, validated on those inside.

    Raises DatasetError where a fold would lack a class.
    """
    usable = [row for row in rows if row.split != "test"]
    label, source = np.array([row.label for row in usable]), np.array([row.source for row in usable])
    found = []
    for training, validation in grouped_folds(label, source, seed, members):
        if len(np.unique(label[validation])) < 2:
            raise DatasetError("A fold would be validated on one class only: add sources of the rarer class.")
        division = Division(*(tuple(usable[place] for place in side.tolist()) for side in (training, validation)))
        sources = {row.source for row in division.training}
        found.append(Fold(division, tuple(row for row in extra if row.source in sources)))
    return found


def held_out(folds: Sequence[Fold]) -> dict[str, int]:
    """The member that did not learn from a source, by the mark of the source."""
    return {source_mark(row.source): place for place, fold in enumerate(folds) for row in fold.division.validation}


def with_extra(fold: Fold, share: float) -> tuple[Division, Weigh]:
    """The fold with its extra images among those to learn from, drawn as that share of the images by AI."""
    if not fold.extra or share == 0:
        return fold.division, by_source
    division = Division((*fold.division.training, *fold.extra), fold.division.validation)
    extra = {row.path for row in fold.extra}

    def weigh(rows: Sequence[Row]) -> NDArray[np.float64]:
        is_extra = np.array([row.path in extra for row in rows])
        weights = np.empty(len(rows))
        weights[~is_extra] = by_source([row for row in rows if row.path not in extra])
        ai = ~is_extra & (np.array([row.label for row in rows]) == 1)
        source = np.array([row.source for row in rows])[is_extra]
        _, place, count = np.unique(source, return_inverse=True, return_counts=True)
        added = 1 / np.sqrt(count[place])
        weights[is_extra] = added / added.sum() * weights[ai].sum() * share
        weights[ai] *= 1 - share
        return weights

    return division, weigh
