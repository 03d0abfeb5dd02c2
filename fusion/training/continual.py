"""Going on from the artifact in force: more images, the same choices, and a fixed set that it must not do worse on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from forensics.documents import json_of
from forensics.errors import DatasetError, UsageError
from fusion.artifacts.artifact import LEARNED_DIGITS, Artifact
from fusion.artifacts.in_force import fusion_in_force
from fusion.evaluation.measures import AUC
from fusion.evaluation.metrics import Estimate
from fusion.evaluation.paired import paired
from fusion.evaluation.scored import ScoredTable, score
from fusion.training.cache import image_key
from fusion.training.fit import Fitted
from fusion.training.table import FeatureTable
from fusion.weighers.weigher import Candidate
from img_ml.data.bootstrap import Interval
from img_ml.data.dataset import Row, check_files, read_rows
from img_ml.profiles import Profile

# Stands in the artifact: the SHA-256 of every image of the regression set, one a line.
REGRESSION_FILE = "regression.txt"


@dataclass(frozen=True, slots=True)
class Beginning:
    """The artifact that is gone on from, what it chose, and the images that every later one is held against.

    `regression` holds SHA-256 of image files; `candidate` None where the artifact does not say what it chose.
    """

    artifact: Artifact
    regression: frozenset[str]
    candidate: Candidate | None

    @property
    def detectors(self) -> tuple[str, ...]:
        """What it weighs."""
        return tuple(sorted({feature.detector for feature in self.artifact.model.schema.features}))


def begin(profile: Profile, rows: Sequence[Row]) -> Beginning:
    """What is gone on from: the trained artifact in force, and its regression set.

    The set is the test split of `rows` when the first images are added, without what the artifact learned from, and the
    same from then on. Raises UsageError where nothing was trained, DatasetError where images of the set are not in the
    test split any longer, or it lacks a class.
    """
    found = fusion_in_force(profile)
    if found.kind != "trained":
        raise UsageError(f"Nothing was trained for the profile {profile.name} yet: train without --add first.")
    held_out = {image_key(row.path.read_bytes()): row.label for row in rows if row.split == "test"}
    listed = found.folder / REGRESSION_FILE
    if listed.is_file():
        regression = frozenset(listed.read_text(encoding="utf-8").split())
        if lost := len(regression - held_out.keys()):
            raise DatasetError(
                f"{lost} of the {len(regression)} images that {found.folder} was held against are not in the test "
                "split of the dataset: name the dataset that they are in with --dataset."
            )
    else:
        regression = frozenset(key for key in held_out if key[:LEARNED_DIGITS] not in found.artifact.learned)
    if {held_out[key] for key in regression} != {0, 1}:
        raise DatasetError("The regression set, the test split of the dataset, needs images of both classes.")
    return Beginning(found.artifact, regression, _chosen(found.folder))


def added_rows(files: Sequence[Path], rows: Sequence[Row], beginning: Beginning) -> tuple[list[Row], int]:
    """The rows of the new datasets, and how many were left out: images or sources of the regression set.

    One class alone is enough there. Raises DatasetError where a file cannot be used.
    """
    held_out = {row.source for row in rows if row.split == "test"}
    new = []
    for file in files:
        found = read_rows(file)
        check_files(file, found)
        new += found
    kept = [
        row
        for row in new
        if row.source not in held_out and image_key(row.path.read_bytes()) not in beginning.regression
    ]
    return kept, len(new) - len(kept)


def regression(beginning: Beginning, table: FeatureTable, fitted: Fitted) -> Estimate:
    """The AUC of the new model less that of the one before, on the regression set, with intervals paired by resample.

    `table` holds what was measured, before any head.
    """
    inside: NDArray[np.bool_] = (table.split == "test") & np.isin(table.image, sorted(beginning.regression))
    before = score(beginning.artifact, table.where(inside))
    after = fitted.table.where(inside)
    now = ScoredTable(after, expit(fitted.model.log_odds(after.values)), fitted.model.thresholds)
    return paired(("before", before), ("now", now)).differences[AUC]


def is_worse(change: Estimate) -> bool:
    """Whether all of the interval is a loss."""
    return _interval(change)[1].high < 0


def told(change: Estimate) -> str:
    """The change with its interval."""
    over, interval = _interval(change)
    return f"{change.value:+.3f} ({interval.low:+.3f} to {interval.high:+.3f} over {over})"


def _interval(change: Estimate) -> tuple[str, Interval]:
    """The interval over sources; over images where a class has too few sources to be drawn from."""
    few = math.isnan(change.sources.high)
    return ("images", change.images) if few else ("sources", change.sources)


def _chosen(folder: Path) -> Candidate | None:
    try:
        content: Any = json_of((folder / "metrics.json").read_bytes())
        candidate: Candidate = dict(content["chosen"]["candidate"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return candidate
