"""The judge: samples in, verdicts out."""

import hashlib
from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from forensics.examine import Examined
from forensics.registry import get
from forensics.types import Claim, Evidence, ImageSample
from fusion.artifact import Artifact, load_artifact
from fusion.calibration import Thresholds
from fusion.features import vector
from fusion.heads import apply_heads
from fusion.pointer import read_pointer
from fusion.reasons import reasons
from fusion.result import SCHEMA_VERSION
from fusion.settings import FusionSettings
from fusion.verdict import Basis, Label, Reason, Verdict
from img_ml.engine import Engine
from img_ml.profiles import load_profile
from img_ml.settings import ImgMlSettings


class Judge:
    """Gathers the evidence of one profile and weighs it with the model trained on it.

    `analyzers` and `needs_pixels` tell a caller that examines images elsewhere what to run and what to keep.
    """

    def __init__(self, engine: Engine, artifact: Artifact, profile: str, threshold: float | None = None) -> None:
        """With a `threshold` the band between the artifact's two closes, and no label is UNCERTAIN by probability.

        Raises ArtifactError where the profile lacks most of what the artifact weighs.
        """
        artifact.check_detectors(engine.detectors, profile)
        self._engine = engine
        self._model = artifact.model
        self._heads = artifact.heads
        self._threshold = threshold
        self._thresholds = artifact.model.thresholds
        if threshold is not None:
            self._thresholds = Thresholds(threshold, float(np.nextafter(threshold, 0)))
        self.profile = profile
        self.fingerprint = artifact.fingerprint

    @property
    def analyzers(self) -> tuple[str, ...]:
        """Names of the profile's analyzers."""
        return self._engine.analyzers

    @property
    def needs_pixels(self) -> bool:
        """Whether `conclude` needs each item's sample."""
        return self._engine.needs_pixels

    @property
    def configuration(self) -> str:
        """A mark of all that a verdict on given bytes depends on beside the artifact: detectors, weights, threshold."""
        detectors = [(name, get(name).spec.version) for name in self._engine.detectors]
        told = (SCHEMA_VERSION, self.profile, self._threshold, detectors, self._engine.marks, self._engine.missing)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    def with_artifact(self, artifact: Artifact) -> "Judge":
        """A judge of the same detectors, which stay loaded, and another artifact."""
        return Judge(self._engine, artifact, self.profile, self._threshold)

    def judge(self, samples: Sequence[ImageSample]) -> list[Verdict]:
        """A verdict for each sample, in order."""
        return self._weigh(self._engine.run(samples))

    def conclude(self, examined: Sequence[Examined]) -> list[Verdict]:
        """A verdict for each image whose analyzers ran already, in order."""
        return self._weigh(self._engine.complete(examined))

    def _weigh(self, evidence: Sequence[Evidence]) -> list[Verdict]:
        if not evidence:
            return []
        evidence = apply_heads(self._heads, evidence, self._engine.marks)
        vectors = [vector(self._model.schema, one) for one in evidence]
        weighed = self._model.weigh(np.stack([v.values for v in vectors]))
        verdicts = []
        for one, values, log_odds, shares in zip(
            evidence, vectors, weighed.log_odds, weighed.contributions, strict=True
        ):
            known = not np.isnan(log_odds)
            told = reasons(self._model, values, shares) if known else ()
            verdicts.append(self._verdict(one, float(expit(log_odds)) if known else None, told))
        return verdicts

    def _verdict(self, evidence: Evidence, probability: float | None, told: tuple[Reason, ...]) -> Verdict:
        label, basis = _label(evidence.claims, probability, self._thresholds)
        confidence = _confidence(label, probability) if basis == "pixels" else None
        return Verdict(
            label, basis, probability, confidence, told, evidence.claims, evidence, self.profile, self.fingerprint
        )


def _label(claims: Sequence[Claim], probability: float | None, thresholds: Thresholds) -> tuple[Label, Basis]:
    if any(claim.decisive and claim.says_ai for claim in claims):
        return "AI", "provenance"
    if probability is None:
        return "UNCERTAIN", "pixels"
    return thresholds.label(probability), "pixels"


def _confidence(label: Label, probability: float | None) -> float | None:
    """The calibrated probability of the label; of the likelier one when UNCERTAIN."""
    if probability is None:
        return None
    by_label = {"AI": probability, "NON-AI": 1 - probability, "UNCERTAIN": max(probability, 1 - probability)}
    return by_label[label]


def load_judge(detectors: ImgMlSettings, fusion: FusionSettings) -> Judge:
    """The judge that the settings describe; ArtifactError or RegistryError where it cannot be had."""
    profile = load_profile(detectors.profile, detectors.model_dir)
    artifact = load_artifact(read_pointer(profile.artifact).artifact)
    engine = Engine(profile, detectors.weights_dir, detectors.device, detectors.device_use)
    return Judge(engine, artifact, profile.name, fusion.threshold)
