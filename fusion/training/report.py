"""What a training run measured: out of fold on the development splits, and once on test."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from fusion.evaluation.figures import curves
from fusion.evaluation.measures import measures
from fusion.evaluation.metrics import Estimate, mixed_sources
from fusion.evaluation.scored import ScoredTable
from fusion.evaluation.tables import finite
from fusion.training.fit import Fitted, FusionPlan
from fusion.training.table import FeatureTable


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """Named measures; `development` is out of fold, `test` was never used to choose anything ({} without a test split).

    `counts` holds for each split and kind the number of views and of sources. `plots` are SVG texts by name.
    `sources_of_test_elsewhere` counts the sources of test that were learned from, where there should be none.
    `mixed_sources` counts, for development and test, the sources that a within-source AUC rests on.
    """

    development: dict[str, Estimate]
    test: dict[str, Estimate]
    counts: dict[str, tuple[int, int]]
    plots: dict[str, str]
    sources_of_test_elsewhere: int
    mixed_sources: dict[str, int]


def measure(fitted: Fitted) -> TrainingReport:
    """The report of a fitted model on the table it was fitted from."""
    table, model = fitted.table, fitted.model
    learned = table.where(table.split != "test")
    development = ScoredTable(learned, model.calibration.probability(fitted.chosen.margin), model.thresholds)
    held_out = table.where(table.split == "test")
    scored = {"development, out of fold": development}
    test: dict[str, Estimate] = {}
    if len(held_out):
        scored["test"] = ScoredTable(held_out, expit(model.log_odds(held_out.values)), model.thresholds)
        test = measures(scored["test"])
    counts = {}
    for split in ("train", "val", "test"):
        for kind in np.unique(table.kind):
            inside = (table.split == split) & (table.kind == kind)
            counts[f"{split} {kind}"] = (int(inside.sum()), len(np.unique(table.source[inside])))
    mixed = {
        name: len(mixed_sources(part.label, part.source, part.image))
        for name, part in (("development_out_of_fold", learned), ("test", held_out))
    }
    return TrainingReport(measures(development), test, counts, curves(scored), _shared_sources(table), mixed)


def metrics(fitted: Fitted, report: TrainingReport, plan: FusionPlan) -> dict[str, Any]:
    """Everything a run decided and measured, as plain JSON values."""
    content = {
        "plan": asdict(plan),
        "dataset_sha256": _digest(fitted.table),
        "rows": {name: {"views": views, "sources": sources} for name, (views, sources) in report.counts.items()},
        "sources_of_test_elsewhere": report.sources_of_test_elsewhere,
        "mixed_sources": report.mixed_sources,
        "cross_validation": [
            {
                "candidate": dict(trial.candidate),
                "detectors": list(trial.detectors),
                "rounds": trial.rounds,
                "auc": trial.auc,
            }
            for trial in fitted.trials
        ],
        "logistic_auc": fitted.yardstick,
        "chosen": {"candidate": dict(fitted.chosen.candidate), "rounds": fitted.chosen.rounds},
        "auc_without_detector": fitted.without,
        "calibration": asdict(fitted.model.calibration),
        "thresholds": asdict(fitted.model.thresholds),
        "development_out_of_fold": {name: asdict(estimate) for name, estimate in report.development.items()},
        "test": {name: asdict(estimate) for name, estimate in report.test.items()},
    }
    found: dict[str, Any] = finite(content)
    return found


def _shared_sources(table: FeatureTable) -> int:
    held_out = table.split == "test"
    return len(set(table.source[held_out]) & set(table.source[~held_out]))


def _digest(table: FeatureTable) -> str:
    """SHA-256 over what the images are and how they are labelled and split, wherever their files lie."""
    columns = (table.image, table.label.astype(str), table.split, table.source, table.kind)
    lines = sorted({" ".join(row) for row in zip(*columns, strict=True)})
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
