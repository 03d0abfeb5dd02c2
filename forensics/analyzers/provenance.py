"""Provenance: everything a file declares about its own origin. Absence means nothing."""

from forensics.provenance.c2pa import STATES, read_c2pa
from forensics.provenance.generators import read_generators
from forensics.provenance.standards import parts_only, read_standards
from forensics.provenance.stealth import read_stealth
from forensics.provenance.texts import texts_of
from forensics.provenance.watermark import read_watermark
from forensics.registry import DetectorSpec, Number, analyzer
from forensics.types import Claim, ImageSample, Measured, Signal

MOST_CLAIMS = 100

SPEC = DetectorSpec(
    name="provenance",
    title="Provenance",
    version=5,
    numbers=(
        # Paperwork stays apart from the pixels: it is shown and may set the label, but the fusion never weighs it.
        Number(
            "provenance_ai_claims",
            0,
            MOST_CLAIMS,
            "number of declarations that a machine made the image",
        ),
        Number(
            "c2pa_state",
            0,
            len(STATES) - 1,
            "C2PA signature: 0 the content does not match, 1 the signature is invalid, 2 the manifest is malformed, "
            "3 the certificate is unfit, 4 it has expired, 5 the signer is unknown, 6 the signer is trusted",
        ),
    ),
    looks_at="C2PA manifests, IPTC and XMP properties, generators' metadata, TC260 labels, known watermarks",
    fails_when="metadata was stripped or forged: a declaration is evidence only where it is there, and only as good as "
    "its signature",
    source="C2PA 2.1; IPTC Photo Metadata 2025.1; GB 45438-2025",
    reads="metadata",
)


@analyzer(SPEC)
def analyze(sample: ImageSample) -> Signal:
    """All claims of origin in the file."""
    signed, state = read_c2pa(sample)
    texts = texts_of(sample.metadata, sample.media_type, read_stealth(sample))
    claims = (
        *signed,
        *read_generators(texts, parts_only=parts_only(texts)),
        *read_standards(texts, sample.data),
        *read_watermark(sample),
    )
    claims = _each_once(claims)[:MOST_CLAIMS]
    ai_claims = sum(claim.says_ai for claim in claims)
    numbers = {"provenance_ai_claims": float(ai_claims), "c2pa_state": state}
    return Measured(SPEC.name, numbers, _sentence(claims), claims=claims)


def _each_once(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """The first of several unsigned claims that say the same of the same generator."""
    said: dict[object, Claim] = {}
    for claim in claims:
        known = claim.signature is None and claim.generator
        said.setdefault((claim.declares, claim.generator) if known else claim.statement, claim)
    return tuple(said.values())


def _sentence(claims: tuple[Claim, ...]) -> str:
    if not claims:
        return "The file declares nothing about its origin; that says nothing about it."
    speaking = max(claims, key=lambda claim: (claim.decisive, claim.says_ai, claim.declares is not None))
    more = f" ({len(claims) - 1} more)" if len(claims) > 1 else ""
    return speaking.statement + more
