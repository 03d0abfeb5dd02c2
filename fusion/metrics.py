"""Measures of a scored dataset, each with a bootstrap interval that resamples sources."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, roc_curve

BOOTSTRAPS = 1000
LEVEL = 0.95
CALIBRATION_BINS = 10
# Fewer images of either class give a within-source AUC that says nothing.
WITHIN_SOURCE_MINIMUM = 8

Scores = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured value with its 95 % bootstrap interval; NaN ends where resamples could not be measured."""

    value: float
    low: float
    high: float


def auc(score: Scores, label: Labels) -> float:
    """Area under the ROC curve; NaN with one class only."""
    return float(roc_auc_score(label, score)) if 0 < label.sum() < len(label) else float("nan")


def recall_at(score: Scores, label: Labels, false_positive_rate: float) -> float:
    """The share of AI images found at the strictest threshold that keeps the false-positive rate."""
    if not 0 < label.sum() < len(label):
        return float("nan")
    false_positives, recall, _ = roc_curve(label, score)
    return float(recall[false_positives <= false_positive_rate].max())


def balanced_accuracy(probability: Scores, label: Labels) -> float:
    """Mean of both classes' accuracies at probability one half."""
    if not 0 < label.sum() < len(label):
        return float("nan")
    return float(balanced_accuracy_score(label, probability >= 0.5))


def calibration_error(probability: Scores, label: Labels) -> float:
    """Expected calibration error over ten equal-width bins (Guo et al., 2017)."""
    bins = np.minimum((probability * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [
        abs(probability[bins == b].mean() - label[bins == b].mean()) * np.mean(bins == b)
        for b in range(CALIBRATION_BINS)
        if np.any(bins == b)
    ]
    return float(sum(gaps))


def within_source_auc(score: Scores, label: Labels, source: NDArray[np.str_]) -> float:
    """Mean AUC inside the sources that hold both classes, weighing each source alike; NaN where there is none."""
    found = []
    for name in np.unique(source):
        inside = source == name
        positives = int(label[inside].sum())
        if min(positives, int(inside.sum()) - positives) >= WITHIN_SOURCE_MINIMUM:
            found.append(auc(score[inside], label[inside]))
    return float(np.mean(found)) if found else float("nan")


def by_sources(measure: Callable[[NDArray[np.intp]], float], source: NDArray[np.str_], seed: int = 0) -> Interval:
    """The measure of all rows, with an interval from resampling whole sources."""
    groups = [np.flatnonzero(source == name) for name in np.unique(source)]
    return _interval(measure, groups, seed)


def by_images(measure: Callable[[NDArray[np.intp]], float], count: int, seed: int = 0) -> Interval:
    """The measure of all rows, with an interval from resampling single images."""
    return _interval(measure, [np.array([i]) for i in range(count)], seed)


def _interval(measure: Callable[[NDArray[np.intp]], float], groups: list[NDArray[np.intp]], seed: int) -> Interval:
    random = np.random.default_rng(seed)
    draws = []
    for _ in range(BOOTSTRAPS):
        chosen = random.integers(0, len(groups), len(groups))
        draws.append(measure(np.concatenate([groups[i] for i in chosen])))
    known = [draw for draw in draws if not np.isnan(draw)]
    ends = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if known else (np.nan, np.nan)
    return Interval(measure(np.concatenate(groups)), float(ends[0]), float(ends[1]))
