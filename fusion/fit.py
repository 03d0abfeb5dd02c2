"""Choose, train and calibrate the fusion model on the development splits; the test split is never looked at."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from fusion.calibration import Calibration, Thresholds, fit_calibration, pick_thresholds
from fusion.dataset import DatasetError
from fusion.extract import FeatureTable
from fusion.metrics import auc
from fusion.model import FusionModel, Reference

FOLDS = 5
# Deeper trees and more rounds than these gave nothing more in cross-validation.
CANDIDATES: tuple[dict[str, Any], ...] = tuple(
    {"max_depth": depth, "rounds": rounds, "min_child_weight": weight}
    for depth in (3, 5)
    for rounds in (200, 500)
    for weight in (5, 30)
)
FIXED: dict[str, Any] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "eta": 0.04,
    "subsample": 0.6,
    "colsample_bynode": 0.3,
    "lambda": 5.0,
    "base_score": 0.5,
    # One thread: sums in a fixed order, so that the same data and seed give the same file.
    "nthread": 1,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training run is asked for."""

    views: int = 2
    seed: int = 0
    false_positive_rate: float = 0.01
    false_negative_rate: float = 0.05


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained model, with the out-of-fold margins its calibration and thresholds come from."""

    model: FusionModel
    chosen: dict[str, Any]
    cross_validation: tuple[tuple[dict[str, Any], float], ...]
    margin: NDArray[np.float64]


def fit(table: FeatureTable, plan: Plan) -> Fitted:
    """The candidate of best AUC in cross-validation grouped by source, trained on all of train and val."""
    development = table.where(table.split != "test")
    folds = _folds(development, plan.seed)
    weight = balanced_weights(development.label, development.source)
    scored = []
    for candidate in CANDIDATES:
        margin = _out_of_fold(development, weight, folds, candidate, plan.seed)
        scored.append((candidate, auc(margin, development.label), margin))
    chosen, _, margin = max(scored, key=lambda item: item[1])
    calibration = fit_calibration(margin, development.label, weight)
    thresholds = pick_thresholds(
        calibration.probability(margin), development.label, plan.false_positive_rate, plan.false_negative_rate
    )
    booster = _train(development, weight, chosen, plan.seed)
    model = _model(booster, development, calibration, thresholds)
    return Fitted(model, chosen, tuple((c, value) for c, value, _ in scored), margin)


def balanced_weights(label: NDArray[np.int64], source: NDArray[np.str_]) -> NDArray[np.float64]:
    """Row weights of mean 1: both classes weigh alike, and inside one a source weighs as the root of its size."""
    weight = np.empty(len(label))
    for value in (0, 1):
        inside = label == value
        _, place, count = np.unique(source[inside], return_inverse=True, return_counts=True)
        share = 1 / np.sqrt(count[place])
        weight[inside] = share / share.sum()
    return weight * len(label) / 2


def _folds(table: FeatureTable, seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    sources = len(np.unique(table.source))
    if sources < FOLDS:
        raise DatasetError(f"Cross-validation needs at least {FOLDS} sources outside test; the dataset has {sources}.")
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return list(_checked(splitter.split(table.values, table.label, table.source), table))


def _checked(
    folds: Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]], table: FeatureTable
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    for inside, outside in folds:
        if len(np.unique(table.label[inside])) < 2:
            raise DatasetError("A fold is left with one class only; add sources of the rarer class.")
        yield inside, outside


def _out_of_fold(
    table: FeatureTable,
    weight: NDArray[np.float64],
    folds: list[tuple[NDArray[np.intp], NDArray[np.intp]]],
    candidate: dict[str, Any],
    seed: int,
) -> NDArray[np.float64]:
    """Each row's margin from a model that saw no row of its source."""
    margin = np.empty(len(table.label))
    for inside, outside in folds:
        kept = np.zeros(len(table.label), dtype=bool)
        kept[inside] = True
        booster = _train(table.where(kept), weight[kept], candidate, seed)
        margin[outside] = booster.predict(_matrix(table.values[outside], table), output_margin=True)
    return margin


def _train(table: FeatureTable, weight: NDArray[np.float64], candidate: dict[str, Any], seed: int) -> xgboost.Booster:
    settings = {name: value for name, value in candidate.items() if name != "rounds"}
    data = _matrix(table.values, table, label=table.label, weight=weight)
    return xgboost.train(FIXED | settings | {"seed": seed}, data, num_boost_round=candidate["rounds"])


def _matrix(values: NDArray[np.float64], table: FeatureTable, **more: Any) -> xgboost.DMatrix:
    return xgboost.DMatrix(values, missing=np.nan, feature_names=list(table.schema.names), **more)


def _model(
    booster: xgboost.Booster, table: FeatureTable, calibration: Calibration, thresholds: Thresholds
) -> FusionModel:
    gains = booster.get_score(importance_type="total_gain")
    gain = np.array([float(np.sum(gains.get(name, 0.0))) for name in table.schema.names])
    if gain.sum() == 0:
        raise DatasetError(
            "The trees found nothing to split on: the dataset is too small, or its classes do not differ."
        )
    share = gain / gain.sum()
    real = table.values[table.label == 0]
    references = []
    for column, part in zip(real.T, share, strict=True):
        known = column[~np.isnan(column)]
        low, high = np.quantile(known, [0.1, 0.9]) if len(known) else (np.nan, np.nan)
        references.append(Reference(float(low), float(high), float(part)))
    return FusionModel(booster, table.schema, calibration, thresholds, tuple(references))
