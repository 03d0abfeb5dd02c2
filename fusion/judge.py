"""The judge: samples in, verdicts out."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import expit

from forensics.examine import Examined
from forensics.judgeable import GATE_VERSION
from forensics.registry import get
from forensics.types import Claim, Evidence, ImageSample, Signal
from fusion.artifacts.in_force import Fusion, fitting, fusion_in_force
from fusion.artifacts.weights_binding import of_other_weights, without
from fusion.calibration import Thresholds
from fusion.features import vector
from fusion.interface import About, JudgeInterface
from fusion.output.result import SCHEMA_VERSION
from fusion.prior import prior_reasons
from fusion.reasons import reasons, strongest_first
from fusion.settings import FusionSettings
from fusion.training.heads import apply_heads
from fusion.verdict import Basis, FusionKind, Label, Reason, Verdict
from img_ml.engine.engine import Engine
from img_ml.profiles import load_profile
from img_ml.settings import ImgMlSettings


class Judge(JudgeInterface):
    """Gathers the evidence of one profile and weighs it with what is in force for it."""

    def __init__(self, engine: Engine, fusion: Fusion, profile: str, threshold: float | None = None) -> None:
        """With a `threshold` the band between the fusion's two closes, and no label is UNCERTAIN by probability."""
        self._engine = engine
        fusion = fitting(fusion, engine.marks)
        self._fusion = fusion
        self._model = fusion.artifact.model
        self._threshold = threshold
        self._thresholds = fusion.thresholds
        self._others = of_other_weights(fusion.artifact.weights, engine.marks)
        if threshold is not None:
            self._thresholds = Thresholds(threshold, float(np.nextafter(threshold, 0)))
        priors = (spec.name for spec in fusion.priors)
        self._weighed = frozenset((*(f.detector for f in self._model.schema.features), *priors))
        self.profile = profile

    @property
    def fingerprint(self) -> str:
        """The fusion in force."""
        return self._fusion.fingerprint

    @property
    def kind(self) -> FusionKind:
        """Whether the fusion in force was trained for the profile."""
        return self._fusion.kind

    @property
    def analyzers(self) -> tuple[str, ...]:
        """Names of the profile's analyzers."""
        return self._engine.analyzers

    @property
    def needs_pixels(self) -> bool:
        """Whether `conclude` needs each item's sample."""
        return self._engine.needs_pixels

    @property
    def as_published(self) -> bool:
        """Whether images are to be read as the authors of published detectors read them."""
        return self._engine.as_published

    @property
    def missing(self) -> Mapping[str, str]:
        """The profile's detectors that cannot measure here, with the reason."""
        return self._engine.missing

    @property
    def about(self) -> About:
        """What it works with."""
        engine = self._engine
        return About(self.profile, engine.placement, engine.present, engine.missing, self.kind, self.fingerprint)

    @property
    def configuration(self) -> str:
        """A mark of all that a verdict on given bytes depends on beside the fusion: detectors, weights, threshold."""
        detectors = [(name, get(name).spec.version) for name in self._engine.detectors]
        versions = (SCHEMA_VERSION, GATE_VERSION)
        told = (versions, self.profile, self._threshold, detectors, self._engine.marks, self._engine.missing)
        read = "as published" if self.as_published else ""
        return hashlib.sha256(f"{told!r}{read}".encode()).hexdigest()[:16]

    def with_fusion(self, fusion: Fusion) -> "Judge":
        """A judge of the same detectors, which stay loaded, and another fusion."""
        return Judge(self._engine, fusion, self.profile, self._threshold)

    def judge(self, samples: Sequence[ImageSample]) -> list[Verdict]:
        """A verdict for each sample, in order."""
        return self._weigh(self._engine.run(samples))

    def located(self, sample: ImageSample, verdict: Verdict) -> tuple[Signal, ...]:
        """The signals of the verdict on the sample, with the maps that are drawn only when somebody asks for them."""
        return self._engine.located(sample, verdict.evidence.signals)

    def conclude(self, examined: Sequence[Examined]) -> list[Verdict]:
        """A verdict for each image whose analyzers ran already, in order."""
        return self._weigh(self._engine.complete(examined))

    def _weigh(self, evidence: Sequence[Evidence]) -> list[Verdict]:
        if not evidence:
            return []
        evidence = apply_heads(self._fusion.artifact.heads, without(self._others, evidence), self._engine.marks)
        vectors = [vector(self._model.schema, one) for one in evidence]
        weighed = self._model.weigh(np.stack([v.values for v in vectors]))
        verdicts = []
        for one, values, log_odds, shares in zip(
            evidence, vectors, weighed.log_odds, weighed.contributions, strict=True
        ):
            if one.not_judged is not None:
                refusal = Reason(one.not_judged.sentence, one.not_judged.reason, 0.0)
                verdicts.append(self._verdict(one, None, (refusal,)))
                continue
            if np.isnan(log_odds):
                verdicts.append(self._verdict(one, None, ()))
                continue
            published = prior_reasons(self._fusion.priors, one)
            told = strongest_first((*published, *reasons(self._model, values, shares)))
            probability = float(expit(log_odds + sum(reason.weight for reason in published)))
            verdicts.append(self._verdict(one, probability, told))
        return verdicts

    def _verdict(self, evidence: Evidence, probability: float | None, told: tuple[Reason, ...]) -> Verdict:
        label, basis = _label(evidence.claims, probability, self._thresholds)
        confidence = _confidence(label, probability) if basis == "pixels" else None
        return Verdict(
            label,
            basis,
            probability,
            confidence,
            told,
            evidence.claims,
            evidence,
            self.profile,
            self.fingerprint,
            self.kind,
            (max(0.0, self._thresholds.non_ai), min(1.0, self._thresholds.ai)),
            self._weighed,
            leaning=None if probability is None or basis != "pixels" else self._thresholds.leaning(probability),
        )


def _label(claims: Sequence[Claim], probability: float | None, thresholds: Thresholds) -> tuple[Label, Basis]:
    if any(claim.decisive and claim.says_ai for claim in claims):
        return "AI", "provenance"
    if probability is None:
        return "UNCERTAIN", "pixels"
    return thresholds.label(probability), "pixels"


def _confidence(label: Label, probability: float | None) -> float | None:
    """The fusion's probability of the label; of the likelier one when UNCERTAIN."""
    if probability is None:
        return None
    by_label = {"AI": probability, "NON-AI": 1 - probability, "UNCERTAIN": max(probability, 1 - probability)}
    return by_label[label]


def load_judge(detectors: ImgMlSettings, fusion: FusionSettings) -> Judge:
    """The judge that the settings describe; ArtifactError or RegistryError where it cannot be had."""
    profile = load_profile(detectors.profile, detectors.model_dir)
    found = fusion_in_force(profile)
    engine = Engine(profile, detectors.weights_dir, detectors.device, detectors.device_use)
    return Judge(engine, found, profile.name, fusion.threshold)
