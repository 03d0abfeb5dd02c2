"""Provenance: everything a file declares about its own origin. Absence means nothing."""

from forensics.provenance.c2pa import read_c2pa
from forensics.provenance.generators import read_generators
from forensics.provenance.standards import read_standards
from forensics.provenance.stealth import read_stealth
from forensics.provenance.watermark import read_watermark
from forensics.registry import DetectorSpec, Number, analyzer
from forensics.types import Claim, ImageSample, Measured, Signal

MOST_CLAIMS = 100

SPEC = DetectorSpec(
    name="provenance",
    title="Provenance",
    version=3,
    numbers=(
        # Paperwork stays apart from the pixels: it is shown and may set the label, but the fusion never weighs it.
        Number("provenance_ai_claims", 0, MOST_CLAIMS, "number of declarations of AI", feature=False),
        Number("c2pa_state", 0, 2, "C2PA signature: 0 broken, 1 valid, 2 valid and trusted", feature=False),
    ),
    looks_at="C2PA manifests, IPTC and XMP properties, generators' metadata, TC260 labels, known watermarks",
    fails_when="metadata was stripped or forged: a declaration is evidence only where it is there, and only as good as "
    "its signature",
    source="C2PA 2.1; IPTC Photo Metadata 2025.1; GB 45438-2025",
)


@analyzer(SPEC)
def analyze(sample: ImageSample) -> Signal:
    """All claims of origin in the file."""
    signed, state = read_c2pa(sample)
    claims = (
        *signed,
        *read_generators(sample.metadata, read_stealth(sample)),
        *read_standards(sample.metadata, sample.data, sample.media_type),
        *read_watermark(sample),
    )[:MOST_CLAIMS]
    ai_claims = sum(claim.says_ai for claim in claims)
    numbers = {"provenance_ai_claims": float(ai_claims), "c2pa_state": state}
    return Measured(SPEC.name, numbers, _sentence(claims), claims=claims)


def _sentence(claims: tuple[Claim, ...]) -> str:
    if not claims:
        return "The file declares nothing about its origin; that says nothing about it."
    speaking = next((claim for claim in claims if claim.says_ai), claims[0])
    more = f" ({len(claims) - 1} more)" if len(claims) > 1 else ""
    return speaking.statement + more
