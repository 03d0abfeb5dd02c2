"""The measured quality of a trained model: out of fold on the development splits, and once on test."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from fusion.extract import FeatureTable
from fusion.fit import Fitted
from fusion.metrics import (
    Interval,
    auc,
    balanced_accuracy,
    by_images,
    by_sources,
    calibration_error,
    recall_at,
    within_source_auc,
)


@dataclass(frozen=True, slots=True)
class Report:
    """Named measures with intervals; `development` is out of fold, `test` was never used to choose anything.

    `counts` holds for each split and kind the number of views and of sources.
    """

    development: dict[str, Interval]
    test: dict[str, Interval]
    counts: dict[str, tuple[int, int]]


def measure(fitted: Fitted, table: FeatureTable) -> Report:
    """The report of a fitted model on the table it was fitted from."""
    development = table.where(table.split != "test")
    test = table.where(table.split == "test")
    out_of_fold = fitted.model.calibration.probability(fitted.margin)
    counts = {}
    for split in ("train", "val", "test"):
        for kind in np.unique(table.kind):
            inside = (table.split == split) & (table.kind == kind)
            counts[f"{split} {kind}"] = (int(inside.sum()), len(np.unique(table.source[inside])))
    scored = _measures(fitted, test, expit(fitted.model.weigh(test.values).log_odds)) if len(test.label) else {}
    return Report(_measures(fitted, development, out_of_fold), scored, counts)


def _measures(fitted: Fitted, table: FeatureTable, probability: NDArray[np.float64]) -> dict[str, Interval]:
    # A row that could not be measured has no probability; it counts as undecided.
    score = np.where(np.isnan(probability), 0.5, probability)
    label, source = table.label, table.source
    thresholds = fitted.model.thresholds
    called_ai, called_non_ai = score >= thresholds.ai, score <= thresholds.non_ai
    found = {
        "AUC": by_sources(lambda rows: auc(score[rows], label[rows]), source),
        "AUC, interval over images": by_images(lambda rows: auc(score[rows], label[rows]), len(label)),
        "AUC within sources, interval over images": by_images(
            lambda rows: within_source_auc(score[rows], label[rows], source[rows]), len(label)
        ),
        "balanced accuracy at 0.5": by_sources(lambda rows: balanced_accuracy(score[rows], label[rows]), source),
        "recall at 1 % false positives": by_sources(lambda rows: recall_at(score[rows], label[rows], 0.01), source),
        "recall at 5 % false positives": by_sources(lambda rows: recall_at(score[rows], label[rows], 0.05), source),
        "expected calibration error": by_sources(lambda rows: calibration_error(score[rows], label[rows]), source),
        "AI called AI": _share(called_ai, label == 1, source),
        "AI called NON-AI": _share(called_non_ai, label == 1, source),
        "UNCERTAIN": _share(~called_ai & ~called_non_ai, label >= 0, source),
    }
    for kind in np.unique(table.kind[label == 0]):
        found[f"{kind} called AI"] = _share(called_ai, table.kind == kind, source)
        found[f"{kind} called NON-AI"] = _share(called_non_ai, table.kind == kind, source)
    return found


def _share(called: NDArray[np.bool_], among: NDArray[np.bool_], source: NDArray[np.str_]) -> Interval:
    """The share of the rows `among` that are `called`."""

    def share(rows: NDArray[np.intp]) -> float:
        inside = rows[among[rows]]
        return float(called[inside].mean()) if len(inside) else float("nan")

    return by_sources(share, source)
