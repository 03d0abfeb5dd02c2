"""What each detector is worth alone: every headline probability of AI, measured as the fusion is."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from forensics.registry import get
from fusion.artifacts.artifact import Artifact
from fusion.evaluation.metrics import Estimate, Floats, Labels, Ranking, Texts, estimates, share, within_source_auc
from fusion.evaluation.scored import ScoredTable
from fusion.training.table import FeatureTable


@dataclass(frozen=True, slots=True)
class SingleDetector:
    """One probability of AI by itself, on the `images` for which it was measured.

    `accuracy` is the share of right answers at 0.5; a detector that is not calibrated may rank well and yet be wrong
    there.
    """

    name: str
    images: int
    auc: Estimate
    within_source_auc: Estimate
    average_precision: Estimate
    accuracy: Estimate


def fused_alone(name: str, scored: ScoredTable) -> SingleDetector:
    """The fusion's own row."""
    return _measured(name, scored.score, scored.table)


def alone(table: FeatureTable) -> list[SingleDetector]:
    """The rows of the probabilities in a table of images as they are, those left out that were measured nowhere."""
    return [_measured(name, values, table) for name, values in _columns(table) if not np.isnan(values).all()]


def heads_alone(name: str, artifact: Artifact, scored: ScoredTable) -> list[SingleDetector]:
    """The rows of an artifact's trained heads, which are told apart from those of others by the artifact's name."""
    numbers = {head.number for head in artifact.heads}
    columns = ((number, values) for number, values in _columns(scored.table) if number in numbers)
    found = [(number, values) for number, values in columns if not np.isnan(values).all()]
    return [_measured(f"{number} ({name})", values, scored.table) for number, values in found]


def _columns(table: FeatureTable) -> Iterator[tuple[str, Floats]]:
    for column, feature in enumerate(table.schema.features):
        probability = get(feature.detector).spec.probability
        if probability is not None and probability.name == feature.name:
            yield feature.name, table.values[:, column]


def measured_alone(name: str, values: Floats, label: Labels, source: Texts, image: Texts) -> SingleDetector:
    """The row of a probability (n,), NaN where it was not measured."""
    known = ~np.isnan(values)
    values, label, source, image = values[known], label[known], source[known], image[known]
    ranking = Ranking(values, label)
    found = estimates(
        {
            "auc": ranking.auc,
            "within_source_auc": within_source_auc(values, label, source, image),
            "average_precision": ranking.average_precision,
            "accuracy": share((values >= 0.5) == (label == 1), np.ones(len(label), dtype=bool)),
        },
        source,
        image,
    )
    return SingleDetector(name, int(known.sum()), **found)


def _measured(name: str, values: Floats, table: FeatureTable) -> SingleDetector:
    return measured_alone(name, values, table.label, table.source, table.image)
