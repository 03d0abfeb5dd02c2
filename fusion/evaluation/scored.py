"""Scored rows: a probability and a label for each row of a table, from one artifact."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from fusion.artifacts.artifact import Artifact
from fusion.artifacts.weights_binding import of_other_weights
from fusion.calibration import Thresholds
from fusion.training.table import FeatureTable


@dataclass(frozen=True, slots=True)
class ScoredTable:
    """`probability` (n,) is NaN where too little could be measured; `score` has one half there, undecided."""

    table: FeatureTable
    probability: NDArray[np.float64]
    thresholds: Thresholds

    @property
    def score(self) -> NDArray[np.float64]:
        """The probability, one half where there is none."""
        return np.where(np.isnan(self.probability), 0.5, self.probability)

    @property
    def called_ai(self) -> NDArray[np.bool_]:
        """The rows labelled AI."""
        return np.asarray(self.probability >= self.thresholds.ai)

    @property
    def called_non_ai(self) -> NDArray[np.bool_]:
        """The rows labelled NON-AI."""
        return np.asarray(self.probability <= self.thresholds.non_ai)

    @property
    def leans_ai(self) -> NDArray[np.bool_]:
        """The rows that lean towards AI, or are labelled so."""
        return np.asarray(self.probability >= min(self.thresholds.leans_ai, self.thresholds.ai))

    @property
    def leans_non_ai(self) -> NDArray[np.bool_]:
        """The rows that lean away from AI, or are labelled so."""
        return np.asarray(self.probability <= max(self.thresholds.leans_non_ai, self.thresholds.non_ai))

    @property
    def called(self) -> NDArray[np.int64]:
        """1 AI, -1 NON-AI, 0 UNCERTAIN."""
        return self.called_ai.astype(np.int64) - self.called_non_ai.astype(np.int64)

    def where(self, mask: NDArray[np.bool_] | NDArray[np.intp]) -> "ScoredTable":
        """The rows of a mask, or of indices."""
        return ScoredTable(self.table.where(mask), self.probability[mask], self.thresholds)


def format_gap(table: FeatureTable) -> float:
    """How far the files' formats alone tell the classes apart: total variation distance, 0 to 1."""
    shares = [
        {name: float(np.mean(table.file_format[table.label == label] == name)) for name in np.unique(table.file_format)}
        for label in (0, 1)
    ]
    return sum(abs(shares[0][name] - shares[1][name]) for name in shares[0]) / 2


def score(artifact: Artifact, table: FeatureTable) -> ScoredTable:
    """The artifact's probabilities for each row; features the table lacks count as not measured."""
    table = table.aligned(artifact.model.schema)
    values = table.values.copy()
    others = of_other_weights(artifact.weights, table.marks)
    values[:, [feature.detector in others for feature in table.schema.features]] = np.nan
    for head in artifact.heads:
        if head.detector in table.embeddings and head.weights == table.marks.get(head.detector, ""):
            values[:, table.schema.names.index(head.number)] = head.probability(table.embeddings[head.detector])
    table = table.with_values(values)
    return ScoredTable(table, expit(artifact.model.log_odds(values)), artifact.model.thresholds)
