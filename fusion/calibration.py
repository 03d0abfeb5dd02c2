"""Calibration: from the model's margin to an honest probability, and from a probability to a label."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from fusion.verdict import Label, Leaning

# The share of either class that may lean the wrong way on held-out scores.
LEANING_ERROR = 0.15


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling: calibrated log-odds = slope * margin + intercept (Platt, 1999)."""

    slope: float
    intercept: float

    def log_odds(self, margin: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated log-odds of AI."""
        return np.asarray(self.slope * margin + self.intercept)

    def probability(self, margin: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probability of AI."""
        return np.asarray(expit(self.log_odds(margin)))


@dataclass(frozen=True, slots=True)
class Thresholds:
    """At or above `ai` the label is AI, at or below `non_ai` NON-AI, between them UNCERTAIN; non_ai <= ai.

    At or above `leans_ai` an image leans towards AI, at or below `leans_non_ai` towards not; leans_non_ai <= leans_ai.
    Models that were trained before leanings existed lean nowhere but where they have a label.
    """

    ai: float
    non_ai: float
    leans_ai: float = math.inf
    leans_non_ai: float = -math.inf

    def label(self, probability: float) -> Label:
        """The label of a probability."""
        if probability >= self.ai:
            return "AI"
        return "NON-AI" if probability <= self.non_ai else "UNCERTAIN"

    def leaning(self, probability: float) -> Leaning | None:
        """What a probability is closer to, with an error of its own; None where it says too little for that."""
        if probability >= min(self.leans_ai, self.ai):
            return "ai"
        return "non_ai" if probability <= max(self.leans_non_ai, self.non_ai) else None


def fit_calibration(margin: NDArray[np.float64], label: NDArray[np.int64], weight: NDArray[np.float64]) -> Calibration:
    """The calibration of least log loss on held-out margins; the slope stays positive, so the order is kept."""
    sign = np.where(label == 1, 1.0, -1.0)

    def loss(parameters: NDArray[np.float64]) -> float:
        log_odds = np.exp(parameters[0]) * margin + parameters[1]
        return float(-np.sum(weight * log_expit(sign * log_odds)) / weight.sum())

    found = minimize(loss, np.zeros(2), method="L-BFGS-B").x
    return Calibration(float(np.exp(found[0])), float(found[1]))


def pick_thresholds(
    probability: NDArray[np.float64],
    label: NDArray[np.int64],
    false_positive_rate: float,
    false_negative_rate: float,
    kind: NDArray[np.str_] | None = None,
    rates: Mapping[str, float] = MappingProxyType({}),
) -> Thresholds:
    """The widest labels that keep every error rate on held-out scores.

    At most `false_positive_rate` of the images of label 0 are called AI, of each kind by itself where `kind` is given,
    and of one that `rates` names at most its own rate; at most `false_negative_rate` of those of label 1 are called
    NON-AI. Where the two cross, both move to their middle and the band closes. Leanings keep LEANING_ERROR alike.
    """
    kind = np.full(len(label), "") if kind is None else kind
    kinds = np.unique(kind[label == 0]).tolist()
    scores = {one: probability[(label == 0) & (kind == one)] for one in kinds}
    ai = max(_above(scores[one], rates.get(one, false_positive_rate)) for one in kinds)
    non_ai = -_above(-probability[label == 1], false_negative_rate)
    if non_ai > ai:
        ai = non_ai = (ai + non_ai) / 2
    leans_ai = min(ai, max(_above(scores[one], LEANING_ERROR) for one in kinds))
    leans_non_ai = max(non_ai, -_above(-probability[label == 1], LEANING_ERROR))
    if leans_non_ai > leans_ai:
        leans_ai = leans_non_ai = min(max((leans_ai + leans_non_ai) / 2, non_ai), ai)
    return Thresholds(float(ai), float(non_ai), float(leans_ai), float(leans_non_ai))


def _above(scores: NDArray[np.float64], rate: float) -> float:
    """The lowest threshold that at most `rate` of the scores reach."""
    allowed = int(np.floor(rate * len(scores)))
    ordered = np.sort(scores)[::-1]
    return float(np.nextafter(ordered[min(allowed, len(ordered) - 1)], np.inf))
