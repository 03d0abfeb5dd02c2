"""What each kind of image is called at the artifact's thresholds, counted."""

from dataclasses import dataclass

import numpy as np

from fusion.evaluation.scored import ScoredTable


@dataclass(frozen=True, slots=True)
class Called:
    """How many images of one kind are called AI, UNCERTAIN and NON-AI; `label` is what they are, 1 for AI."""

    kind: str
    label: int
    ai: int
    uncertain: int
    non_ai: int


def confusion(scored: ScoredTable) -> list[Called]:
    """A row for each kind, what is not AI first."""
    table, called = scored.table, scored.called
    found = []
    for label in (0, 1):
        for kind in np.unique(table.kind[table.label == label]):
            inside = (table.kind == kind) & (table.label == label)
            counts = (int((called[inside] == value).sum()) for value in (1, 0, -1))
            found.append(Called(str(kind), label, *counts))
    return found
