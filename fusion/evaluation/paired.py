"""Two artifacts on the same images: differences with paired intervals, and where only one of them is right."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from fusion.evaluation.measures import AUC
from fusion.evaluation.metrics import Estimate, Floats, Ranking, balanced_accuracy, estimates
from fusion.evaluation.scored import ScoredTable
from img_ml.data.bootstrap import Measure

ACCURACY = "balanced accuracy at 0.5"


@dataclass(frozen=True, slots=True)
class Paired:
    """The second artifact against the first.

    `differences` are second less first, both measured in each resample. `only_first` and `only_second` count the images
    on which that one alone is right at 0.5; `p` is the two-sided exact McNemar test's on these, which takes images as
    independent: where they come from few sources, go by the interval over sources.
    """

    first: str
    second: str
    differences: dict[str, Estimate]
    only_first: int
    only_second: int
    p: float


def paired(first: tuple[str, ScoredTable], second: tuple[str, ScoredTable]) -> Paired:
    """The comparison of two named artifacts whose rows show the same images in the same order."""
    (one, before), (other, after) = first, second
    table = before.table
    label = table.label
    found = estimates(
        {
            AUC: _difference(Ranking(after.score, label).auc, Ranking(before.score, label).auc),
            ACCURACY: _difference(
                balanced_accuracy(after.score >= 0.5, label), balanced_accuracy(before.score >= 0.5, label)
            ),
        },
        table.source,
        table.image,
    )
    right = [(scored.score >= 0.5) == (label == 1) for scored in (before, after)]
    only_first, only_second = int(np.sum(right[0] & ~right[1])), int(np.sum(right[1] & ~right[0]))
    differing = only_first + only_second
    p = float(binomtest(only_first, differing).pvalue) if differing else 1.0
    return Paired(one, other, found, only_first, only_second, p)


def _difference(second: Measure, first: Measure) -> Measure:
    def measure(weight: Floats) -> float:
        return second(weight) - first(weight)

    return measure
