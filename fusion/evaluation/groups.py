"""What an artifact is worth for each generator, each source and each format."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fusion.evaluation.metrics import WITHIN_SOURCE_MINIMUM, Estimate, Ranking, estimate
from fusion.evaluation.scored import ScoredTable


@dataclass(frozen=True, slots=True)
class Group:
    """One generator, source or format: its images, their AUC, and what they are called.

    `auc` holds the group's own two classes against each other; for a generator its images against every image of
    label 0. None where a class is missing, or has too few images to say anything.
    """

    name: str
    ai: int
    not_ai: int
    auc: Estimate | None
    called_ai: float
    uncertain: float
    called_non_ai: float


def by_generator(scored: ScoredTable) -> list[Group]:
    """The groups of AI images that one generator made, the unnamed under "(not named)"."""
    table = scored.table
    names = np.where(table.generator == "", "(not named)", table.generator)
    negatives = table.label == 0
    found = []
    for name in np.unique(names[table.label == 1]):
        inside = (names == name) & (table.label == 1)
        found.append(_group(str(name), scored.where(inside), _auc(scored.where(inside | negatives))))
    return found


def by_source(scored: ScoredTable) -> list[Group]:
    """The groups of one source each."""
    return list(_groups(scored, scored.table.source))


def by_format(scored: ScoredTable) -> list[Group]:
    """The groups of one file format each, as the CSV names it (of the original where the images are crops)."""
    return list(_groups(scored, np.where(scored.table.format == "", "(unknown)", scored.table.format)))


def _groups(scored: ScoredTable, names: NDArray[np.str_]) -> Iterator[Group]:
    for name in np.unique(names):
        inside = scored.where(names == name)
        yield _group(str(name), inside, _auc(inside))


def _auc(scored: ScoredTable) -> Estimate | None:
    positives = int(scored.table.label.sum())
    if min(positives, len(scored.table) - positives) < WITHIN_SOURCE_MINIMUM:
        return None
    return estimate(Ranking(scored.score, scored.table.label).auc, scored.table.source)


def _group(name: str, inside: ScoredTable, auc: Estimate | None) -> Group:
    label, called = inside.table.label, inside.called
    return Group(
        name,
        ai=int((label == 1).sum()),
        not_ai=int((label == 0).sum()),
        auc=auc,
        called_ai=float(np.mean(called == 1)),
        uncertain=float(np.mean(called == 0)),
        called_non_ai=float(np.mean(called == -1)),
    )
