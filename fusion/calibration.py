"""Calibration: from the model's margin to an honest probability, and from a probability to a label."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from fusion.verdict import Label


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
    """At or above `ai` the label is AI, at or below `non_ai` NON-AI, between them UNCERTAIN; non_ai <= ai."""

    ai: float
    non_ai: float

    def label(self, probability: float) -> Label:
        """The label of a probability."""
        if probability >= self.ai:
            return "AI"
        return "NON-AI" if probability <= self.non_ai else "UNCERTAIN"


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
) -> Thresholds:
    """The widest labels that keep both error rates on held-out scores.

    At most `false_positive_rate` of the images of label 0 are called AI, and at most `false_negative_rate` of those
    of label 1 NON-AI. Where the two cross, both move to their middle and the band closes.
    """
    ai = _above(probability[label == 0], false_positive_rate)
    non_ai = -_above(-probability[label == 1], false_negative_rate)
    if non_ai > ai:
        ai = non_ai = (ai + non_ai) / 2
    return Thresholds(float(ai), float(non_ai))


def _above(scores: NDArray[np.float64], rate: float) -> float:
    """The lowest threshold that at most `rate` of the scores reach."""
    allowed = int(np.floor(rate * len(scores)))
    ordered = np.sort(scores)[::-1]
    return float(np.nextafter(ordered[min(allowed, len(ordered) - 1)], np.inf))
