"""Heads: classifiers over a detector's embedding, trained out of fold: no image is scored by one that saw it."""

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from forensics.errors import UsageError
from forensics.registry import DetectorSpec, HeadKind, get
from forensics.types import Evidence, Measured, Signal, Skipped
from fusion.calibration import Calibration, fit_calibration
from fusion.training.table import FeatureTable
from fusion.weighers import network
from fusion.weighers.weigher import Rows, Weigher
from img_ml.data.folds import best_round, validation_rows

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]
Floats = NDArray[np.float64]

_ESTIMATORS: Mapping[HeadKind, Callable[[int], Any]] = {
    "svm": lambda seed: SVC(kernel="rbf", C=1.0, gamma="scale", random_state=seed),
    "svm_linear": lambda seed: LinearSVC(C=0.01, dual=False, max_iter=5000, random_state=seed),
    "linear": lambda seed: LogisticRegression(C=0.1, max_iter=2000, random_state=seed),
}
# The last kind: the fusion's own network, wider, since an embedding is.
_NETWORK = {"hidden_layer_sizes": (512, 128), "alpha": 1e-3}


@dataclass(frozen=True, slots=True)
class TrainedHead:
    """A head of one detector, with the calibration that its out-of-fold margins gave.

    `weights` tells the detector's weights that the embeddings came from.
    """

    detector: str
    detector_version: int
    weights: str
    number: str
    estimator: Pipeline | Weigher = field(repr=False)
    calibration: Calibration

    def probability(self, embedding: NDArray[np.float32]) -> Floats:
        """Calibrated probability of AI (n,) for embeddings (n, d); NaN for rows that hold NaN."""
        found = np.full(len(embedding), np.nan)
        known = ~np.isnan(embedding).any(axis=1)
        if known.any():
            found[known] = self.calibration.probability(_margin(self.estimator, embedding[known]))
        return found


def head_kinds(told: Sequence[str], detectors: Sequence[str]) -> dict[str, HeadKind]:
    """The kinds of head that a user chose, `DETECTOR=KIND` each; DatasetError where one of them cannot be."""
    kinds: dict[str, HeadKind] = {}
    for one in told:
        name, _, wanted = one.partition("=")
        kind = next((kind for kind in get_args(HeadKind) if kind == wanted), None)
        if kind is None:
            raise UsageError(f"--head is {one!r}: write DETECTOR=KIND, with one of {', '.join(get_args(HeadKind))}.")
        if name not in detectors or get(name).spec.head is None:
            headed = ", ".join(detector for detector in detectors if get(detector).spec.head is not None)
            raise UsageError(f"The profile has no detector {name!r} with a head; those with one: {headed or 'none'}.")
        kinds[name] = kind
    return kinds


def train_heads(
    table: FeatureTable,
    development: NDArray[np.intp],
    folds: Sequence[Fold],
    weight: Floats,
    seed: int,
    kinds: Mapping[str, HeadKind] | None = None,
) -> tuple[FeatureTable, tuple[TrainedHead, ...]]:
    """A head for each embedding of the table, and the table with the heads' probabilities filled in.

    `kinds` are chosen by detector, in place of what it declares.
    `development` are the rows to learn from, `folds` and `weight` count within them. A development row gets the
    probability that a head trained without its fold gives; every other row that of the final head, trained on all.
    """
    heads = []
    values = table.values.copy()
    learned = table.where(development)
    for detector, embedding in table.embeddings.items():
        spec = get(detector).spec
        assert spec.head is not None
        trainer = _HeadTrainer(spec, learned, weight, seed, (kinds or {}).get(detector, spec.head.kind))
        if len(np.unique(learned.label[trainer.known])) < 2:
            continue
        head, scores = trainer.train(folds)
        column = table.schema.names.index(head.number)
        values[:, column] = head.probability(embedding)
        values[development, column] = scores
        heads.append(head)
    return table.with_values(values), tuple(heads)


class _HeadTrainer:
    """Trains the head of one detector on the development rows; `known` are those that have an embedding."""

    def __init__(self, spec: DetectorSpec, learned: FeatureTable, weight: Floats, seed: int, kind: HeadKind) -> None:
        self._spec = spec
        self._kind = kind
        self._table = learned
        self._embedding = learned.embeddings[spec.name].astype(np.float64)
        self._weight = weight
        self._seed = seed
        self.known = np.flatnonzero(~np.isnan(self._embedding).any(axis=1))

    def train(self, folds: Sequence[Fold]) -> tuple[TrainedHead, Floats]:
        """The head, and the out-of-fold probability of each row."""
        assert self._spec.head is not None
        label = self._table.label
        pairs = [(np.intersect1d(a, self.known), np.intersect1d(b, self.known)) for a, b in folds]
        usable = [(rows, held) for rows, held in pairs if len(held) and len(np.unique(label[rows])) == 2]
        rounds = self._rounds([rows for rows, _ in usable]) if self._kind == "mlp" else None
        margin = np.full(len(label), np.nan)
        for rows, held_out in usable:
            margin[held_out] = _margin(self._fitted(rows, rounds), self._embedding[held_out])
        scored = ~np.isnan(margin)
        calibration = fit_calibration(margin[scored], label[scored], self._weight[scored])
        final = self._fitted(self.known, rounds)
        weights = self._table.marks.get(self._spec.name, "")
        spec = self._spec
        head = TrainedHead(spec.name, spec.version, weights, self._spec.head.number, final, calibration)
        return head, np.where(scored, calibration.probability(margin), np.nan)

    def _fitted(self, rows: NDArray[np.intp], rounds: int | None) -> "Pipeline | Weigher":
        if self._kind == "mlp":
            return network.train(self._rows(rows), (), _NETWORK, self._seed, rounds)
        pipeline = Pipeline([("scale", StandardScaler()), ("head", _ESTIMATORS[self._kind](self._seed))])
        return pipeline.fit(self._embedding[rows], self._table.label[rows], head__sample_weight=self._weight[rows])

    def _rounds(self, learned: Sequence[NDArray[np.intp]]) -> int | None:
        """The best round by the val images among those that each fold learns from, on the mean over the folds."""
        table, curves = self._table, []
        for rows in learned:
            watch = validation_rows(table.label[rows], table.source[rows], table.split[rows], self._seed)
            if watch.any():
                parts = self._rows(rows[~watch]), self._rows(rows[watch])
                curves.append(network.curve(parts[0], (), _NETWORK, self._seed, parts[1]))
        return best_round(curves)

    def _rows(self, indices: NDArray[np.intp]) -> Rows:
        return Rows(self._embedding[indices], self._table.label[indices], self._weight[indices])


def _margin(estimator: "Pipeline | Weigher", embedding: NDArray[Any]) -> Floats:
    if isinstance(estimator, Pipeline):
        return np.asarray(estimator.decision_function(embedding), dtype=np.float64)
    return estimator.margin(np.asarray(embedding, dtype=np.float64))


def apply_heads(heads: Sequence[TrainedHead], evidence: Sequence[Evidence], marks: Mapping[str, str]) -> list[Evidence]:
    """The evidence with the heads' probabilities in place of what their detectors left open.

    A detector that has no head here, or only one for other weights than those in `marks`, keeps what it measured
    without one; where that is nothing, it is skipped, saying so. In place of a head for other weights stands no other
    classifier's probability: the fusion learned from that head's scores.
    """
    by_detector = {head.detector: head for head in heads if head.weights == marks.get(head.detector, "")}
    stale = {head.detector for head in heads} - by_detector.keys()
    return [replace(one, signals=tuple(_with_head(s, by_detector, stale) for s in one.signals)) for one in evidence]


def _with_head(signal: Signal, heads: Mapping[str, TrainedHead], stale: Set[str]) -> Signal:
    if not isinstance(signal, Measured) or signal.embedding is None:
        return signal
    spec, embedding = get(signal.detector).spec, signal.embedding
    head = heads.get(signal.detector)
    if signal.detector in stale and spec.head is not None:
        signal = replace(signal, numbers={**signal.numbers, spec.head.number: math.nan})
    if head is None and any(not math.isnan(value) for value in signal.numbers.values()):
        return replace(signal, embedding=None)
    if head is None:
        return Skipped(
            signal.detector,
            "it has no head trained for its weights: run python -m fusion.train_fusion with this profile",
        )
    probability = float(head.probability(embedding[None, :])[0])
    told = f"{spec.title}: the trained head gives a probability of {probability:.0%} for AI."
    alone = all(math.isnan(value) for name, value in signal.numbers.items() if name != head.number)
    sentence = told if alone else f"{signal.sentence} {told}"
    return replace(signal, numbers={**signal.numbers, head.number: probability}, sentence=sentence, embedding=None)
