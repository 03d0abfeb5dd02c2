"""The result document: the verdict JSON of the result stream, and what local_test prints."""

import math
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from forensics.errors import JobError
from forensics.registry import Number, entries
from forensics.types import Claim, Declares, ErrorCode, Evidence, Measured, NotJudgedReason, SignatureState, Skipped
from fusion.output.messages import messages
from fusion.output.reading import reading_sentences
from fusion.verdict import Basis, FusionKind, Label, Leaning, Verdict

SCHEMA_VERSION: Final = 1
# Names that consumers of the first design read at top level; null until a profile measures them.
CONTRACT_NUMBERS = (
    "dino_prob",
    "fatformer_prob",
    "ghostnet_score",
    "clip_h14_prob",
    "clip_bigg_prob",
    "mantra_anomaly",
    "exif_score",
    "image_entropy",
    "compression_level",
)
# Old name of a top-level number -> its name today; both carry the same value for one version.
ALIASES: Final[Mapping[str, str]] = MappingProxyType({"residual_prob": "crop_network_prob"})


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ErrorPart(_Part):
    """Why an image got no verdict."""

    code: ErrorCode
    message: str
    retryable: bool


class ReasonPart(_Part):
    """One weighed aspect; `weight` is its share of the log-odds, positive for AI."""

    aspect: str
    weight: float
    sentence: str


class ClaimPart(_Part):
    """What the file declares about its own origin; only a decisive claim sets the label.

    `declares` is whether of the whole image, of a part, or as a possibility, null where it is not about AI.
    `signature` is how a C2PA signature holds, null where there is none.
    """

    carrier: str
    says_ai: bool
    decisive: bool
    statement: str
    generator: str
    declares: Declares | None
    signature: SignatureState | None


class SignalPart(_Part):
    """What one detector measured; null where a number could not be."""

    sentence: str
    numbers: dict[str, float | None]
    weighed: bool = Field(False, description="Whether the probability can rest on it; otherwise it is only shown.")


class ThresholdsPart(_Part):
    """Where a probability becomes a label: up to `non_ai` it is NON-AI, from `ai` it is AI, between them UNCERTAIN."""

    non_ai: float = Field(ge=0, le=1)
    ai: float = Field(ge=0, le=1)


class ModelPart(_Part):
    """Which model answered; `fusion` says whether it was trained on the profile's detectors."""

    profile: str
    fingerprint: str
    fusion: FusionKind
    thresholds: ThresholdsPart | None = None


class ImagePart(_Part):
    """The judged image, and how much of its file became pixels (forensics.types.Reading)."""

    media_type: str
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    frames: int = Field(ge=1)
    frame: int = Field(ge=1)
    frames_judged: int = Field(ge=1)
    missing: float = Field(ge=0, lt=1)
    damaged: bool
    coarse: bool
    trailing_bytes: int = Field(ge=0)
    reduced_by: int = Field(ge=1)


class ResultDocument(_Part):
    """One answer to one job."""

    schema_version: Literal[1] = SCHEMA_VERSION
    job_id: str | None
    client_id: str | None
    image_url: str | None
    image_sha256: str | None = Field(pattern=r"^[0-9a-f]{64}$")
    status: Literal["done", "error"]
    error: ErrorPart | None
    label: Label | None
    label_basis: Basis | None
    leaning: Leaning | None
    fusion_prob: float | None = Field(ge=0, le=1)
    confidence: float | None = Field(ge=0, le=1)
    not_judged: NotJudgedReason | None
    reasoning: list[str]
    reasons: list[ReasonPart]
    provenance: list[ClaimPart]
    image: ImagePart | None
    signals: dict[str, SignalPart]
    skipped: dict[str, str]
    model: ModelPart | None
    timings_ms: dict[str, float]


def result_model() -> type[ResultDocument]:
    """The document's type with one top-level field for each headline number, null or within its declared range."""
    # A profile file may bring detectors of its own, at any time.
    numbers = (number for entry in entries() for number in entry.spec.numbers)
    return _modelled(tuple(n for n in numbers if n.headline or n.name in CONTRACT_NUMBERS))


@cache
def _modelled(numbers: tuple[Number, ...]) -> type[ResultDocument]:
    declared = {number.name: number for number in numbers}
    fields: dict[str, Any] = {}
    for name in dict.fromkeys((*CONTRACT_NUMBERS, *sorted(declared))):
        number = declared.get(name)
        low, high = (number.low, number.high) if number else (0.0, 1.0)
        fields[name] = (float | None, Field(ge=low, le=high, description=number.meaning if number else None))
    for old, name in ALIASES.items():
        if name in declared:
            told = f"former name of {name}, removed in 0.2: read {name}"
            number = declared[name]
            fields[old] = (float | None, Field(ge=number.low, le=number.high, description=told, deprecated=True))
    return create_model("Result", __base__=ResultDocument, __doc__=ResultDocument.__doc__, **fields)


def result_document(
    outcome: Verdict | JobError,
    *,
    job_id: str | None = None,
    client_id: str | None = None,
    image_url: str | None = None,
    timings_ms: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """The document of one outcome as JSON values; numbers are finite or null."""
    parts = _of_error(outcome) if isinstance(outcome, JobError) else _of_verdict(outcome)
    parts["timings_ms"] = {**parts["timings_ms"], **_rounded(timings_ms or {}, 3)}
    document = result_model()(job_id=job_id, client_id=client_id, image_url=image_url, **parts)
    return document.model_dump(mode="json")


def _of_error(error: JobError) -> dict[str, Any]:
    model = result_model()
    empty: dict[str, Any] = dict.fromkeys(
        set(model.model_fields) - {"schema_version", "job_id", "client_id", "image_url"}
    )
    part = ErrorPart(code=error.code, message=str(error), retryable=error.retryable)
    return empty | {
        "status": "error",
        "error": part,
        "reasoning": [],
        "reasons": [],
        "provenance": [],
        "signals": {},
        "skipped": {},
        "timings_ms": {},
    }


def _of_verdict(verdict: Verdict) -> dict[str, Any]:
    evidence = verdict.evidence
    measured = [signal for signal in evidence.signals if isinstance(signal, Measured)]
    numbers = {name: value for signal in measured for name, value in _rounded(signal.numbers, 6).items()}
    headlines = set(result_model().model_fields) - set(ResultDocument.model_fields)
    return {
        **{name: numbers.get(ALIASES.get(name, name)) for name in headlines},
        "image_sha256": evidence.image_sha256,
        "status": "done",
        "error": None,
        "label": verdict.label,
        "label_basis": verdict.basis,
        "leaning": verdict.leaning,
        "fusion_prob": _probability(verdict.fusion_prob),
        "confidence": _probability(verdict.confidence),
        "reasoning": _reasoning(verdict),
        "reasons": [
            ReasonPart(aspect=r.aspect, weight=round(r.weight, 4), sentence=r.sentence) for r in verdict.reasons
        ],
        "provenance": [_claim(claim) for claim in verdict.claims],
        "not_judged": evidence.not_judged.reason if evidence.not_judged else None,
        "image": _image(evidence),
        "signals": {
            s.detector: SignalPart(
                sentence=s.sentence, numbers=_rounded(s.numbers, 6), weighed=s.detector in verdict.weighed
            )
            for s in measured
        },
        "skipped": {s.detector: s.reason for s in evidence.signals if isinstance(s, Skipped)},
        "model": _model(verdict),
        "timings_ms": _rounded(evidence.timings_ms, 3),
    }


def _image(evidence: Evidence) -> ImagePart:
    reading = evidence.reading
    return ImagePart(
        media_type=evidence.media_type,
        width=evidence.width,
        height=evidence.height,
        frames=reading.frames,
        frame=reading.frame,
        frames_judged=reading.frames_judged,
        missing=round(reading.missing, 4),
        damaged=reading.damaged,
        coarse=reading.coarse,
        trailing_bytes=reading.trailing_bytes,
        reduced_by=reading.reduced_by,
    )


def _reasoning(verdict: Verdict) -> list[str]:
    """Declarations about AI first, since they may have set the label, then the weighed reasons."""
    about_ai = [claim for claim in verdict.claims if claim.says_ai or claim.declares]
    told = [claim.statement for claim in sorted(about_ai, key=lambda claim: not claim.decisive)]
    if verdict.basis == "provenance":
        told.insert(0, "The label rests on what the file declares about itself, not on its pixels.")
    told += [reason.sentence for reason in verdict.reasons]
    told += reading_sentences(verdict.evidence.reading, messages("en"))
    if verdict.evidence.not_judged is not None:
        return told
    if verdict.fusion_prob is None:
        told.append("Too little could be measured in this image to give a probability.")
    elif not verdict.reasons:
        told.append("Nothing that was measured moved the probability noticeably.")
    return told


def _claim(claim: Claim) -> ClaimPart:
    return ClaimPart(
        carrier=claim.carrier,
        says_ai=claim.says_ai,
        decisive=claim.decisive,
        statement=claim.statement,
        generator=claim.generator,
        declares=claim.declares,
        signature=claim.signature,
    )


def _model(verdict: Verdict) -> ModelPart:
    low, high = verdict.thresholds or (None, None)
    thresholds = None if low is None or high is None else ThresholdsPart(non_ai=round(low, 6), ai=round(high, 6))
    return ModelPart(
        profile=verdict.profile, fingerprint=verdict.fingerprint, fusion=verdict.fusion, thresholds=thresholds
    )


def _probability(value: float | None) -> float | None:
    """Six digits: more than any model knows, and the same on every machine."""
    return None if value is None else round(value, 6)


def _rounded(numbers: Mapping[str, float], digits: int) -> dict[str, Any]:
    """Finite values rounded, others null."""
    return {name: round(value, digits) if math.isfinite(value) else None for name, value in numbers.items()}
