"""The headline measures of scored rows, each with both intervals."""

import numpy as np

from fusion.evaluation.metrics import (
    Estimate,
    Ranking,
    balanced_accuracy,
    calibration_error,
    estimates,
    share,
    within_source_auc,
)
from fusion.evaluation.scored import ScoredTable
from img_ml.data.bootstrap import Measure

AUC, WITHIN, ERROR, UNCERTAIN = "AUC", "within-source AUC", "expected calibration error", "UNCERTAIN"
RECALL_1, RECALL_5 = "recall at 1 % false positives", "recall at 5 % false positives"


def measures(scored: ScoredTable) -> dict[str, Estimate]:
    """Ranking, calibration, and what each kind of image is called."""
    return estimates(_measures(scored), scored.table.source, scored.table.image)


def _measures(scored: ScoredTable) -> dict[str, Measure]:
    table, score = scored.table, scored.score
    ranking = Ranking(score, table.label)
    ai, non_ai = scored.called_ai, scored.called_non_ai
    everything = np.ones(len(table), dtype=bool)
    found: dict[str, Measure] = {
        AUC: ranking.auc,
        WITHIN: within_source_auc(score, table.label, table.source, table.image),
        "balanced accuracy at 0.5": balanced_accuracy(score >= 0.5, table.label),
        RECALL_1: lambda weight: ranking.recall_at(weight, 0.01),
        RECALL_5: lambda weight: ranking.recall_at(weight, 0.05),
        ERROR: calibration_error(score, table.label),
        UNCERTAIN: share(~ai & ~non_ai, everything),
    }
    for kind in sorted(set(table.kind)):
        found[f"{kind} called AI"] = share(ai, table.kind == kind)
        found[f"{kind} called NON-AI"] = share(non_ai, table.kind == kind)
    for kind in sorted(set(table.kind)):
        found[f"{kind} leaning towards AI"] = share(scored.leans_ai, table.kind == kind)
        found[f"{kind} leaning towards NON-AI"] = share(scored.leans_non_ai, table.kind == kind)
    return found
