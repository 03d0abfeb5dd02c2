"""The fusion model: a weigher with its schema, calibration and thresholds, and what its weights are held against."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusion.calibration import Calibration, Thresholds
from fusion.features import FeatureSchema
from fusion.weighers.kinds import KINDS
from fusion.weighers.weigher import Kind, Weigher

# Below this share of the model's total weight, what was measured is too little to answer from.
MINIMUM_MEASURED = 0.5


@dataclass(frozen=True, slots=True)
class Reference:
    """What a feature's value is held against in the reasons: its usual range (10 to 90 %) in real training images.

    `share` is the feature's part of all weight the model gave in training, 0 to 1.
    """

    low: float
    high: float
    share: float


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the model makes of a batch of n vectors of f features.

    `log_odds` (n,) is calibrated, NaN where too little was measured. `contributions` (n, f) and `base` (one value)
    are in the same unit: each row of contributions plus the base is the log-odds.
    """

    log_odds: NDArray[np.float64]
    contributions: NDArray[np.float64]
    base: float


@dataclass(frozen=True, slots=True)
class FusionModel:
    """A trained fusion, ready to weigh."""

    kind: Kind
    weigher: Weigher
    schema: FeatureSchema
    calibration: Calibration
    thresholds: Thresholds
    references: tuple[Reference, ...]

    def weigh(self, matrix: NDArray[np.float64]) -> Weighed:
        """Calibrated log-odds and each feature's share of them."""
        shares = self.weigher.contributions(matrix)
        slope, intercept = self.calibration.slope, self.calibration.intercept
        contributions = slope * shares[:, :-1]
        base = float(slope * shares[0, -1] + intercept) if len(shares) else 0.0
        log_odds = np.where(self._enough(matrix), contributions.sum(axis=1) + base, np.nan)
        return Weighed(log_odds, contributions, base)

    def log_odds(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated log-odds alone, NaN where too little was measured; cheaper than weighing."""
        return np.where(self._enough(matrix), self.calibration.log_odds(self.weigher.margin(matrix)), np.nan)

    def _enough(self, matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
        share = np.array([reference.share for reference in self.references])
        return np.asarray((~np.isnan(matrix) * share).sum(axis=1) >= MINIMUM_MEASURED)

    def description(self) -> dict[str, Any]:
        """Everything but the weigher, as plain JSON values."""
        return {
            "kind": self.kind,
            "schema": self.schema.to_dict(),
            "calibration": asdict(self.calibration),
            "thresholds": asdict(self.thresholds),
            "references": [asdict(reference) for reference in self.references],
        }

    @classmethod
    def described(cls, content: Mapping[str, Any], model_file: bytes) -> "FusionModel":
        """The model of a description and the verified bytes of its model file.

        Raises ArtifactError, ValueError, KeyError or TypeError where they are not one.
        """
        kind = KINDS[content["kind"]]
        return cls(
            kind.name,
            kind.load(model_file),
            FeatureSchema.from_dict(content["schema"]),
            Calibration(**content["calibration"]),
            Thresholds(**content["thresholds"]),
            tuple(Reference(**reference) for reference in content["references"]),
        )
