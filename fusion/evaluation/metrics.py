"""Measures of a scored dataset as functions of row weights, with intervals over sources and over images."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from img_ml.data.bootstrap import Interval, Measure, intervals

CALIBRATION_BINS = 10
# Fewer images of either class give a within-source AUC that says nothing.
WITHIN_SOURCE_MINIMUM = 8

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Texts = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value, with an interval that resamples whole sources and one that resamples single images."""

    value: float
    sources: Interval
    images: Interval


class Ranking:
    """Scores in order, ready to be measured under many weightings (ties count half, as in the Mann-Whitney U)."""

    def __init__(self, score: Floats, label: Labels) -> None:
        _, place = np.unique(score, return_inverse=True)
        self._order = np.argsort(place, kind="stable")
        ordered = place[self._order]
        self._starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(score) else np.array([], int)
        self._positive = label[self._order] == 1

    def auc(self, weight: Floats) -> float:
        """Area under the ROC curve; NaN with one class only."""
        positive, negative = self._by_score(weight)
        pairs = positive.sum() * negative.sum()
        if not pairs:
            return float("nan")
        below = np.cumsum(negative) - negative
        return float((positive * (below + negative / 2)).sum() / pairs)

    def average_precision(self, weight: Floats) -> float:
        """The mean precision over the AI images, each at its own score; NaN without AI images."""
        positive, negative = (part[::-1] for part in self._by_score(weight))
        if not positive.sum():
            return float("nan")
        found, accused = np.cumsum(positive), np.cumsum(negative)
        precision = np.divide(found, found + accused, out=np.zeros_like(found), where=found > 0)
        return float(positive @ precision / positive.sum())

    def recall_at(self, weight: Floats, false_positive_rate: float) -> float:
        """The share of AI images found at the strictest threshold that keeps the false-positive rate."""
        positive, negative = self._by_score(weight)
        if not (positive.sum() and negative.sum()):
            return float("nan")
        found = np.r_[0.0, np.cumsum(positive[::-1])] / positive.sum()
        accused = np.r_[0.0, np.cumsum(negative[::-1])] / negative.sum()
        # A hair of room for the rounding of sums.
        return float(found[accused <= false_positive_rate + 1e-12].max())

    def _by_score(self, weight: Floats) -> tuple[Floats, Floats]:
        """The weight of either class at each distinct score, lowest first."""
        if not len(self._starts):
            return np.zeros(0), np.zeros(0)
        ordered = weight[self._order]
        positive = np.add.reduceat(np.where(self._positive, ordered, 0.0), self._starts)
        negative = np.add.reduceat(np.where(self._positive, 0.0, ordered), self._starts)
        return positive, negative


def auc(score: Floats, label: Labels) -> float:
    """Area under the ROC curve of rows that count alike; NaN with one class only."""
    return Ranking(score, label).auc(np.ones(len(label)))


def share(called: NDArray[np.bool_], among: NDArray[np.bool_]) -> Measure:
    """The share of the rows `among` that are `called`."""
    hit = (called & among).astype(np.float64)

    def measure(weight: Floats) -> float:
        total = float(weight @ among)
        return float(weight @ hit / total) if total else float("nan")

    return measure


def balanced_accuracy(called: NDArray[np.bool_], label: Labels) -> Measure:
    """The mean of both classes' shares of right answers."""
    parts = (share(called, label == 1), share(~called, label == 0))
    return lambda weight: float(np.mean([part(weight) for part in parts]))


def calibration_error(probability: Floats, label: Labels) -> Measure:
    """Expected calibration error over ten equal-width bins (Guo et al., 2017)."""
    bins = np.minimum((probability * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gap = probability - label

    def measure(weight: Floats) -> float:
        gaps = np.bincount(bins, weights=weight * gap, minlength=CALIBRATION_BINS)
        return float(np.abs(gaps).sum() / weight.sum())

    return measure


def mixed_sources(label: Labels, source: Texts, image: Texts) -> list[str]:
    """The sources that hold at least WITHIN_SOURCE_MINIMUM images of both classes; views of one image count once."""
    found = []
    for name in np.unique(source):
        inside = source == name
        counts = [len(np.unique(image[inside & (label == value)])) for value in (0, 1)]
        if min(counts) >= WITHIN_SOURCE_MINIMUM:
            found.append(str(name))
    return found


def within_source_auc(score: Floats, label: Labels, source: Texts, image: Texts) -> Measure:
    """The mean AUC inside the mixed sources, weighing each source alike; NaN where there is none."""
    places = [np.flatnonzero(source == name) for name in mixed_sources(label, source, image)]
    parts = [(inside, Ranking(score[inside], label[inside])) for inside in places]

    def measure(weight: Floats) -> float:
        found = np.array([ranking.auc(weight[inside]) for inside, ranking in parts])
        # A resampled source counts as often as it was drawn; among resampled images each source counts about once.
        times = np.array([weight[inside].mean() for inside, _ in parts])
        known = ~np.isnan(found)
        return float(np.average(found[known], weights=times[known])) if known.any() else float("nan")

    return measure


def estimate(measure: Measure, source: Texts, image: Texts | None = None, seed: int = 0) -> Estimate:
    """The measure of all rows with both intervals."""
    return estimates({"": measure}, source, image, seed)[""]


def estimates(
    measures: Mapping[str, Measure], source: Texts, image: Texts | None = None, seed: int = 0
) -> dict[str, Estimate]:
    """Each measure of all rows with both intervals, all from the same resamples.

    `image` names the image that each row is a view of, so that views of one image are resampled together; every row
    is an image of its own without it.
    """
    _, by_source = np.unique(source, return_inverse=True)
    by_image = np.arange(len(source)) if image is None else np.unique(image, return_inverse=True)[1]
    over_sources = intervals(measures, by_source, seed)
    over_images = intervals(measures, by_image, seed)
    everything = np.ones(len(source))
    return {
        name: Estimate(measure(everything), over_sources[name], over_images[name]) for name, measure in measures.items()
    }
