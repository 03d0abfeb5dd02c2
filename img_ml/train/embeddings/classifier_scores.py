"""How well a classifier tells labelled embeddings apart, and which of them it finds hard."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

Scores = NDArray[np.float64]
Labels = NDArray[np.int64]


def measures(scores: Scores, labels: Labels, threshold: float) -> Mapping[str, float]:
    """Accuracy, precision, recall, F1 and the share of false positives above the threshold, and the AUC.

    NaN where a measure has nothing to count.
    """
    called, ai = scores > threshold, labels == 1
    hits, called_count, ai_count = float((called & ai).sum()), float(called.sum()), float(ai.sum())
    precision, recall = _share(hits, called_count), _share(hits, ai_count)
    return {
        "images": float(len(labels)),
        "AUC": float(roc_auc_score(labels, scores)) if 0 < ai_count < len(labels) else np.nan,
        "accuracy": float((called == ai).mean()),
        "precision": precision,
        "recall": recall,
        "F1": _share(2 * hits, called_count + ai_count),
        "false positives": _share(called_count - hits, len(labels) - ai_count),
    }


def hard(scores: Scores, labels: Labels, low: float, high: float) -> NDArray[np.bool_]:
    """Which images are hard: on the wrong side of the middle of [low, high], or inside it."""
    wrong = (scores > (low + high) / 2) != (labels == 1)
    return np.asarray(wrong | ((scores >= low) & (scores <= high)))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else np.nan
