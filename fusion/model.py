"""The fusion model: XGBoost with its schema, calibration and thresholds inside one .ubj file."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import xgboost
from numpy.typing import NDArray

from forensics.errors import ArtifactError
from fusion.calibration import Calibration, Thresholds
from fusion.features import FeatureSchema

MODEL_FILE = "fusion.ubj"
MANIFEST_FILE = "manifest.json"
_ATTRIBUTE = "img_ml"
# Below this share of the model's total gain, what was measured is too little to answer from.
MINIMUM_GAIN_MEASURED = 0.5


@dataclass(frozen=True, slots=True)
class Reference:
    """What a feature's value is held against in the reasons: its usual range (10 to 90 %) in real training images.

    `gain` is the feature's share of the model's total gain, 0 to 1.
    """

    low: float
    high: float
    gain: float


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
class Artifact:
    """A verified artifact: the model, and the mark that tells which files it came from."""

    model: "FusionModel"
    fingerprint: str


@dataclass(frozen=True, slots=True)
class FusionModel:
    """A trained fusion, ready to weigh."""

    booster: xgboost.Booster
    schema: FeatureSchema
    calibration: Calibration
    thresholds: Thresholds
    references: tuple[Reference, ...]

    def weigh(self, matrix: NDArray[np.float64]) -> Weighed:
        """Calibrated log-odds and each feature's exact share of them (TreeSHAP; Lundberg et al., 2020)."""
        data = xgboost.DMatrix(matrix, missing=np.nan, feature_names=list(self.schema.names))
        shares = self.booster.predict(data, pred_contribs=True).astype(np.float64)
        slope, intercept = self.calibration.slope, self.calibration.intercept
        contributions = slope * shares[:, :-1]
        base = float(slope * shares[0, -1] + intercept) if len(shares) else 0.0
        gains = np.array([reference.gain for reference in self.references])
        enough = (~np.isnan(matrix) * gains).sum(axis=1) >= MINIMUM_GAIN_MEASURED
        log_odds = np.where(enough, contributions.sum(axis=1) + base, np.nan)
        return Weighed(log_odds, contributions, base)

    def save(self, directory: Path) -> None:
        """Write the .ubj file with everything inside."""
        inside = {
            "schema": self.schema.to_dict(),
            "calibration": asdict(self.calibration),
            "thresholds": asdict(self.thresholds),
            "references": [asdict(reference) for reference in self.references],
        }
        self.booster.set_attr(**{_ATTRIBUTE: json.dumps(inside, sort_keys=True)})
        self.booster.save_model(directory / MODEL_FILE)


def load_model(directory: Path) -> FusionModel:
    """The model of an artifact folder; see load_artifact."""
    return load_artifact(directory).model


def load_artifact(directory: Path) -> Artifact:
    """The artifact in a folder, after its files were checked against the manifest's SHA-256.

    The fingerprint is the first 16 hex digits of the SHA-256 of the model file's checked bytes. Raises ArtifactError
    where a file is missing, was changed, or does not fit this release's detectors.
    """
    data = _verified(directory)
    booster = xgboost.Booster(params={"nthread": 1})
    try:
        booster.load_model(bytearray(data))
        inside = json.loads(booster.attr(_ATTRIBUTE) or "null")
        model = FusionModel(
            booster,
            FeatureSchema.from_dict(inside["schema"]),
            Calibration(**inside["calibration"]),
            Thresholds(**inside["thresholds"]),
            tuple(Reference(**reference) for reference in inside["references"]),
        )
    except (xgboost.core.XGBoostError, ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"The fusion model in {directory} cannot be read: {error}") from error
    model.schema.check_detectors()
    return Artifact(model, hashlib.sha256(data).hexdigest()[:16])


def _verified(directory: Path) -> bytes:
    try:
        manifest = json.loads((directory / MANIFEST_FILE).read_text(encoding="utf-8"))
        expected = str(manifest["files"][MODEL_FILE]["sha256"])
        data = (directory / MODEL_FILE).read_bytes()
    except FileNotFoundError as error:
        raise ArtifactError(
            f"There is no fusion model in {directory}: train one, or choose another profile."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"The manifest in {directory} cannot be read: {error}") from error
    if hashlib.sha256(data).hexdigest() != expected:
        raise ArtifactError(f"{directory / MODEL_FILE} is not the file its manifest lists; it was not loaded.")
    return data
