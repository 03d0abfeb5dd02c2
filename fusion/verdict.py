"""The verdict: what the fusion concludes about one image, and the reasons it really weighed."""

from dataclasses import dataclass
from typing import Literal

from forensics.types import Claim, Evidence

Label = Literal["AI", "NON-AI", "UNCERTAIN"]
# Where an image leans that has no label, and what it leans to where it has one.
Leaning = Literal["ai", "non_ai"]
Basis = Literal["pixels", "provenance"]
# Weights trained on the profile's detectors, or those of the light model with priors for published classifiers.
FusionKind = Literal["trained", "prior"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: a plain sentence, and its share of the log-odds (positive speaks for AI)."""

    sentence: str
    aspect: str
    weight: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The conclusion about one image.

    `fusion_prob` in [0, 1] is the calibrated probability of AI from the image alone; None where nothing could be
    measured. `basis` says whether the label rests on it or on what the file declares. `confidence` in [0, 1] is the
    calibrated probability of the label (of the likelier label when UNCERTAIN); None when the label was declared.
    `leaning` says what the probability is closer to, None where it says too little, or where it decides nothing.
    Where `fusion` is prior, both rest on weights that nobody calibrated.
    `thresholds`: up to the first the label is NON-AI, from the second AI. `weighed` are the detectors that the
    probability can rest on; all others are shown only.
    """

    label: Label
    basis: Basis
    fusion_prob: float | None
    confidence: float | None
    reasons: tuple[Reason, ...]
    claims: tuple[Claim, ...]
    evidence: Evidence
    profile: str
    fingerprint: str
    fusion: FusionKind = "trained"
    thresholds: tuple[float, float] | None = None
    weighed: frozenset[str] = frozenset()
    leaning: Leaning | None = None
