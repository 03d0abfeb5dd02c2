"""Heads: classifiers over a detector's embedding, trained out of fold: no image is scored by one that saw it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from forensics.registry import DetectorSpec, get
from forensics.types import Evidence, Measured, Signal, Skipped
from fusion.calibration import Calibration, fit_calibration
from fusion.table import FeatureTable

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]
Floats = NDArray[np.float64]

_ESTIMATORS: Mapping[str, Callable[[int], Any]] = {
    "svm": lambda seed: SVC(kernel="rbf", C=1.0, gamma="scale", random_state=seed),
    "linear": lambda seed: LogisticRegression(C=0.1, max_iter=2000, random_state=seed),
    "mlp": lambda seed: MLPClassifier(
        (512, 128), alpha=1e-3, learning_rate_init=1e-4, early_stopping=True, max_iter=100, random_state=seed
    ),
}


@dataclass(frozen=True, slots=True)
class TrainedHead:
    """A head of one detector, with the calibration that its out-of-fold margins gave."""

    detector: str
    detector_version: int
    number: str
    estimator: Pipeline = field(repr=False)
    calibration: Calibration

    def probability(self, embedding: NDArray[np.float32]) -> Floats:
        """Calibrated probability of AI (n,) for embeddings (n, d); NaN for rows that hold NaN."""
        found = np.full(len(embedding), np.nan)
        known = ~np.isnan(embedding).any(axis=1)
        if known.any():
            found[known] = self.calibration.probability(_margin(self.estimator, embedding[known]))
        return found


def train_heads(
    table: FeatureTable, development: NDArray[np.intp], folds: Sequence[Fold], weight: Floats, seed: int
) -> tuple[FeatureTable, tuple[TrainedHead, ...]]:
    """A head for each embedding of the table, and the table with the heads' probabilities filled in.

    `development` are the rows to learn from, `folds` and `weight` count within them. A development row gets the
    probability that a head trained without its fold gives; every other row that of the final head, trained on all.
    """
    heads = []
    values = table.values.copy()
    for detector, embedding in table.embeddings.items():
        spec = get(detector).spec
        inside = embedding[development].astype(np.float64)
        known = np.flatnonzero(~np.isnan(inside).any(axis=1))
        if len(np.unique(table.label[development][known])) < 2:
            continue
        head, scores = _train_head(spec, inside, table.label[development], known, folds, weight, seed)
        column = table.schema.names.index(head.number)
        values[:, column] = head.probability(embedding)
        values[development, column] = scores
        heads.append(head)
    return table.with_values(values), tuple(heads)


def _train_head(
    spec: DetectorSpec,
    embedding: Floats,
    label: NDArray[np.int64],
    known: NDArray[np.intp],
    folds: Sequence[Fold],
    weight: Floats,
    seed: int,
) -> tuple[TrainedHead, Floats]:
    """The head, and the out-of-fold probability of each row."""
    assert spec.head is not None
    margin = np.full(len(label), np.nan)
    for learned, held_out in folds:
        learned, held_out = np.intersect1d(learned, known), np.intersect1d(held_out, known)
        if len(held_out) and len(np.unique(label[learned])) == 2:
            fitted = _fitted(spec.head.kind, embedding[learned], label[learned], weight[learned], seed)
            margin[held_out] = _margin(fitted, embedding[held_out])
    scored = ~np.isnan(margin)
    calibration = fit_calibration(margin[scored], label[scored], weight[scored])
    final = _fitted(spec.head.kind, embedding[known], label[known], weight[known], seed)
    head = TrainedHead(spec.name, spec.version, spec.head.number, final, calibration)
    return head, np.where(scored, calibration.probability(margin), np.nan)


def _fitted(kind: str, embedding: Floats, label: NDArray[np.int64], weight: Floats, seed: int) -> Pipeline:
    pipeline = Pipeline([("scale", StandardScaler()), ("head", _ESTIMATORS[kind](seed))])
    return pipeline.fit(embedding, label, head__sample_weight=weight)


def _margin(estimator: Pipeline, embedding: NDArray[Any]) -> Floats:
    if hasattr(estimator, "decision_function"):
        return np.asarray(estimator.decision_function(embedding), dtype=np.float64)
    odds = estimator.predict_log_proba(embedding)
    return np.asarray(np.clip(odds[:, 1] - odds[:, 0], -30, 30), dtype=np.float64)


def apply_heads(heads: Sequence[TrainedHead], evidence: Sequence[Evidence]) -> list[Evidence]:
    """The evidence with the heads' probabilities in place of what their detectors left open.

    A detector that needs a head and has none here is skipped, saying so.
    """
    by_detector = {head.detector: head for head in heads}
    return [replace(one, signals=tuple(_with_head(s, by_detector) for s in one.signals)) for one in evidence]


def _with_head(signal: Signal, heads: Mapping[str, TrainedHead]) -> Signal:
    if not isinstance(signal, Measured) or signal.embedding is None:
        return signal
    spec = get(signal.detector).spec
    head = heads.get(signal.detector)
    if head is None:
        return Skipped(signal.detector, "it has no trained head: run python -m fusion.train_fusion with this profile")
    probability = float(head.probability(signal.embedding[None, :])[0])
    sentence = f"{spec.title}: the trained head gives a probability of {probability:.0%} for AI."
    return replace(signal, numbers={**signal.numbers, head.number: probability}, sentence=sentence, embedding=None)
