"""Choose, train and calibrate the fusion on the development splits; the test split is never looked at."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from forensics.errors import DatasetError
from forensics.registry import HeadKind, get
from fusion.calibration import fit_calibration, pick_thresholds
from fusion.evaluation.metrics import auc
from fusion.model import FusionModel, Reference
from fusion.training.heads import Fold, TrainedHead, train_heads
from fusion.training.table import FeatureTable
from fusion.weighers.kinds import KINDS
from fusion.weighers.weigher import Candidate, Kind, Rows, Weigher, WeigherKind
from img_ml.data.folds import balanced_weights, best_round, grouped_folds, skip_detectors, validation_rows

Found = TypeVar("Found")
Floats = NDArray[np.float64]
# Rows that the shares of the features are measured on.
_REFERENCE_ROWS = 2000
# What every other kind is held against; it trains in seconds.
YARDSTICK: Kind = "logistic"


@dataclass(frozen=True, slots=True)
class FusionPlan:
    """What a training run is asked for.

    `false_positive_rate` is that of images of label 0, `art_rate` that of those of the kind `human_art`.
    `skip` is the share of detectors struck out of each training row, `heads` are kinds of head chosen by detector,
    `weighed` the detectors that the fusion is to weigh; empty: all or the learned ones alone, whichever is better in
    cross-validation. `candidate`, where given, is the only one that is tried.
    """

    model: Kind = "xgboost"
    views: int = 2
    seed: int = 0
    false_positive_rate: float = 0.01
    art_rate: float = 1 / 30
    false_negative_rate: float = 0.05
    skip: float = 0.1
    heads: Mapping[str, HeadKind] = field(default_factory=dict)
    weighed: tuple[str, ...] = ()
    candidate: Candidate | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate in cross-validation: its AUC, the rounds it is trained for, and each row's out-of-fold margin.

    `detectors` are those whose numbers it was given.
    """

    candidate: Candidate
    detectors: tuple[str, ...]
    auc: float
    rounds: int | None
    margin: Floats
    weighers: tuple[Weigher, ...]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained fusion. `table` has every row, with the numbers that are weighed and the heads' probabilities.

    `without` holds for each detector the out-of-fold AUC when it is missing. `yardstick` is the best out-of-fold AUC of
    a logistic regression over the same choices, None where the model is one itself.
    """

    model: FusionModel
    heads: tuple[TrainedHead, ...]
    table: FeatureTable
    chosen: Trial
    trials: tuple[Trial, ...]
    without: dict[str, float]
    yardstick: float | None = None

    @property
    def best_by_detectors(self) -> dict[tuple[str, ...], float]:
        """The best out-of-fold AUC of each set of detectors that was tried."""
        found: dict[tuple[str, ...], float] = {}
        for trial in self.trials:
            found[trial.detectors] = max(trial.auc, found.get(trial.detectors, 0.0))
        return found

    @property
    def weights(self) -> dict[str, str]:
        """The marks of the weights whose own numbers are weighed; those under a head stand in the head."""
        weighed = {feature.detector for feature in self.model.schema.features} - {head.detector for head in self.heads}
        return {name: mark for name, mark in sorted(self.table.marks.items()) if mark and name in weighed}


def fit(table: FeatureTable, plan: FusionPlan) -> Fitted:
    """The candidate of best AUC in cross-validation grouped by source, trained on all of train and val."""
    kind = KINDS[plan.model]
    if plan.candidate is not None:
        # Lists of JSON were tuples when they were chosen among.
        kind = replace(
            kind, candidates=tuple(c for c in kind.candidates if _same(c, plan.candidate)) or kind.candidates
        )
    rows = np.flatnonzero(table.split != "test")
    label, source = table.label[rows], table.source[rows]
    weight = balanced_weights(label, source)
    folds = grouped_folds(label, source, plan.seed)
    with threadpool_limits(1):
        table, heads = train_heads(table, rows, folds, weight, plan.seed, plan.heads)
        table = _measured_in(table, rows)
        sets = _sets(table, plan)
        trials = _trials(kind, table.where(rows), sets, plan, folds)
        chosen = max(trials, key=lambda trial: trial.auc)
        table = table.of_detectors(chosen.detectors)
        development = table.where(rows)
        weigher = _Trainer(kind, development, plan).final(chosen)
        model = _model(kind.name, weigher, development, chosen.margin, weight, plan)
        yardstick = None
        if kind.name != YARDSTICK:
            plain = _trials(KINDS[YARDSTICK], table.where(rows), (chosen.detectors,), plan, folds)
            yardstick = max(trial.auc for trial in plain)
    heads = tuple(head for head in heads if head.detector in chosen.detectors)
    return Fitted(model, heads, table, chosen, trials, _without(chosen, development, folds), yardstick)


def _same(first: Candidate, second: Candidate) -> bool:
    return json.dumps(dict(first), sort_keys=True) == json.dumps(dict(second), sort_keys=True)


def _sets(table: FeatureTable, plan: FusionPlan) -> tuple[tuple[str, ...], ...]:
    """The sets of detectors to choose among, the smallest first: of two that are as good it is taken."""
    names = tuple(dict.fromkeys(feature.detector for feature in table.schema.features))
    learned = tuple(name for name in names if get(name).load is not None)
    return (names,) if plan.weighed or not learned or learned == names else (learned, names)


def _trials(
    kind: WeigherKind,
    development: FeatureTable,
    sets: Sequence[tuple[str, ...]],
    plan: FusionPlan,
    folds: Sequence[Fold],
) -> tuple[Trial, ...]:
    """Every candidate of the kind over every set of detectors."""
    return tuple(
        trial for names in sets for trial in _Trainer(kind, development.of_detectors(names), plan).trials(folds)
    )


def _measured_in(table: FeatureTable, rows: NDArray[np.intp]) -> FeatureTable:
    """Without the features that no development row has: a model would give them weights out of thin air."""
    return table.select(np.asarray(~np.isnan(table.values[rows]).all(axis=0)))


class _Trainer:
    """Trains candidates of one kind on the development rows."""

    def __init__(self, kind: WeigherKind, development: FeatureTable, plan: FusionPlan) -> None:
        self._kind = kind
        self._table = development
        self._seed = plan.seed
        detectors = [feature.detector for feature in development.schema.features]
        self._struck = skip_detectors(development.values, detectors, plan.skip, plan.seed)
        self._names = development.schema.names
        self._detectors = tuple(dict.fromkeys(detectors))

    def trials(self, folds: Sequence[Fold]) -> tuple[Trial, ...]:
        """Every candidate on every fold, on all cores."""
        return tuple(self._trial(candidate, folds) for candidate in self._kind.candidates)

    def final(self, trial: Trial) -> Weigher:
        """The trial's candidate trained on every row."""
        return self._trained(trial.candidate, np.arange(len(self._table)), trial.rounds)

    def _trial(self, candidate: Candidate, folds: Sequence[Fold]) -> Trial:
        """Out-of-fold margins, all folds trained for the same rounds.

        Early stopping goes by the val rows among those that each fold learns from, by the mean of their AUC over the
        folds: the few sources of one val split alone stop far too early or too late. All folds, and the final model,
        are then trained for the best round on all of their rows, val included.
        """
        rounds = None
        if self._kind.curve is not None:
            curves = [found for found in self._parallel(self._curve, candidate, folds) if found is not None]
            rounds = best_round(curves)
        weighers = self._parallel(lambda c, rows: self._trained(c, rows, rounds), candidate, folds)
        margin = np.empty(len(self._table))
        for (_, held_out), weigher in zip(folds, weighers, strict=True):
            margin[held_out] = weigher.margin(self._table.values[held_out])
        return Trial(candidate, self._detectors, auc(margin, self._table.label), rounds, margin, tuple(weighers))

    def _parallel(
        self, work: Callable[[Candidate, NDArray[np.intp]], Found], candidate: Candidate, folds: Sequence[Fold]
    ) -> list[Found]:
        # Threads: the libraries let go of the interpreter while they train.
        jobs = Parallel(n_jobs=os.cpu_count() or 1, prefer="threads")
        return list(jobs(delayed(work)(candidate, learned) for learned, _ in folds))

    def _curve(self, candidate: Candidate, rows: NDArray[np.intp]) -> Floats | None:
        """The AUC of the rows to watch after each round of training on the others; None where there are none."""
        assert self._kind.curve is not None
        table = self._table
        watch = validation_rows(table.label[rows], table.source[rows], table.split[rows], self._seed)
        if not watch.any():
            return None
        learned = self._rows(rows[~watch], self._struck)
        watching = self._rows(rows[watch], table.values)
        return self._kind.curve(learned, self._names, candidate, self._seed, watching)

    def _trained(self, candidate: Candidate, rows: NDArray[np.intp], rounds: int | None) -> Weigher:
        return self._kind.train(self._rows(rows, self._struck), self._names, candidate, self._seed, rounds)

    def _rows(self, indices: NDArray[np.intp], values: Floats) -> Rows:
        label, source = self._table.label[indices], self._table.source[indices]
        return Rows(values[indices], label, balanced_weights(label, source), source)


def _model(
    kind: Kind, weigher: Weigher, development: FeatureTable, margin: Floats, weight: Floats, plan: FusionPlan
) -> FusionModel:
    calibration = fit_calibration(margin, development.label, weight)
    thresholds = pick_thresholds(
        calibration.probability(margin),
        development.label,
        plan.false_positive_rate,
        plan.false_negative_rate,
        development.kind,
        {"human_art": plan.art_rate},
    )
    references = _references(weigher, development, plan.seed)
    return FusionModel(kind, weigher, development.schema, calibration, thresholds, references)


def _references(weigher: Weigher, development: FeatureTable, seed: int) -> tuple[Reference, ...]:
    some = np.random.default_rng(seed).permutation(len(development))[:_REFERENCE_ROWS]
    size = np.abs(weigher.contributions(development.values[some])[:, :-1]).mean(axis=0)
    if not size.sum() > 0:
        raise DatasetError(
            "The model found nothing to learn from: the dataset is too small, or its classes do not differ."
        )
    real = development.values[development.label == 0]
    references = []
    for column, share in zip(real.T, size / size.sum(), strict=True):
        known = column[~np.isnan(column)]
        low, high = np.quantile(known, [0.1, 0.9]) if len(known) else (np.nan, np.nan)
        references.append(Reference(float(low), float(high), float(share)))
    return tuple(references)


def _without(chosen: Trial, development: FeatureTable, folds: Sequence[Fold]) -> dict[str, float]:
    """The out-of-fold AUC with each detector missing; what random skipping in training is there for."""
    owner = np.array([feature.detector for feature in development.schema.features])
    found = {}
    for detector in sorted(set(owner)):
        values = np.where(owner == detector, np.nan, development.values)
        margin = np.empty(len(development))
        for (_, held_out), weigher in zip(folds, chosen.weighers, strict=True):
            margin[held_out] = weigher.margin(values[held_out])
        found[str(detector)] = auc(margin, development.label)
    return found
