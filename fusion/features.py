"""The feature schema: which numbers the fusion weighs, in which order, and how evidence becomes a vector."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from forensics.errors import ArtifactError
from forensics.registry import get
from forensics.types import Evidence, Measured

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Feature:
    """One weighed number, with the version of the detector that measured it in training."""

    name: str
    detector: str
    detector_version: int
    meaning: str
    aspect: str


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """The ordered features of a fusion model."""

    version: int
    features: tuple[Feature, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in order."""
        return tuple(feature.name for feature in self.features)

    def to_dict(self) -> dict[str, object]:
        """The schema as plain JSON values."""
        return {"version": self.version, "features": [asdict(feature) for feature in self.features]}

    @classmethod
    def from_dict(cls, content: Mapping[str, object]) -> "FeatureSchema":
        """The schema from plain JSON values; ArtifactError where they are not one."""
        version, features = content.get("version"), content.get("features")
        if version != SCHEMA_VERSION or not isinstance(features, list):
            raise ArtifactError(f"The model has feature schema version {version}; this release reads {SCHEMA_VERSION}.")
        try:
            return cls(SCHEMA_VERSION, tuple(Feature(**feature) for feature in features))
        except TypeError as error:
            raise ArtifactError(f"The model's feature schema cannot be read: {error}") from error

    def digest(self) -> str:
        """SHA-256 over the schema's canonical JSON."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def check_detectors(self) -> None:
        """Raise ArtifactError where a detector now measures differently from when the model was trained."""
        for feature in self.features:
            current = get(feature.detector).spec
            if current.reads == "metadata":
                raise ArtifactError(
                    f"The model weighs {feature.name!r}, which comes from the file's metadata: retrain the model."
                )
            if current.version != feature.detector_version or feature.name not in {n.name for n in current.numbers}:
                raise ArtifactError(
                    f"The model was trained with version {feature.detector_version} of the detector "
                    f"{feature.detector!r}, this release has version {current.version}: retrain the model."
                )


@dataclass(frozen=True, slots=True)
class FeatureVector:
    """One image's values in schema order, float64, NaN where skipped."""

    schema: FeatureSchema
    values: NDArray[np.float64]


def schema_of(detectors: Iterable[str]) -> FeatureSchema:
    """The schema of every number that these detectors offer to the fusion."""
    specs = [get(name).spec for name in detectors]
    return FeatureSchema(
        SCHEMA_VERSION,
        tuple(
            Feature(n.name, spec.name, spec.version, n.meaning, n.aspect or spec.title.lower())
            for spec in specs
            for n in spec.offered
        ),
    )


def vector(schema: FeatureSchema, evidence: Evidence) -> FeatureVector:
    """The schema's numbers out of the evidence."""
    found: dict[str, float] = {}
    for signal in evidence.signals:
        if isinstance(signal, Measured):
            found |= signal.numbers
    return FeatureVector(schema, np.array([found.get(name, np.nan) for name in schema.names], dtype=np.float64))
