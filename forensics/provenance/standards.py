"""Declarations by standard properties: IPTC digital source type and AI fields, TC260 labels, vendors' own marks."""

import re
from collections.abc import Iterator

from forensics.provenance.text import exif_texts, json_object, quoted, xmp_text, xmp_values
from forensics.types import Claim, Metadata

# https://cv.iptc.org/newscodes/digitalsourcetype: the values that mean a generative model; algorithmicMedia does not.
AI_SOURCE_TYPES = {
    "trainedAlgorithmicMedia": "was created by a generative model",
    "compositeWithTrainedAlgorithmicMedia": "contains parts that a generative model created",
    "compositeSynthetic": "is a composite with synthetic parts",
}
_IPTC_AI_FIELDS = ("AISystemUsed", "AISystemVersionUsed", "AIPromptInformation", "AIPromptWriterName")
# Cyberspace Administration of China, labelling rules in force since 2025-09; GB 45438-2025.
_TC260_LABELS = {"1": "AI-generated", "2": "possibly AI-generated", "3": "suspected to be AI-generated"}
_TC260_NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"
_GOOGLE_CREDIT = "made with google ai"
_SAMSUNG = re.compile(rb'"genAIType"\s*:\s*(\d{1,4})')
_TRAILER = 2**20


def ai_source_type(uri: str) -> str | None:
    """What a digital source type says about AI, by the last part of its URI; None where it says nothing."""
    return AI_SOURCE_TYPES.get(re.split(r"[/#:]", uri.strip().rstrip("/"))[-1])


def read_standards(metadata: Metadata, data: bytes, media_type: str) -> tuple[Claim, ...]:
    """The claims of all standard properties and vendor marks in a file."""
    xmp = xmp_text(metadata)
    return (
        *_source_types(xmp),
        *_ai_fields(xmp),
        *_google(xmp, metadata.iptc),
        *_tc260(metadata, xmp),
        *_samsung(data, media_type),
    )


def _source_types(xmp: str) -> Iterator[Claim]:
    for value in xmp_values(xmp, "DigitalSourceType"):
        if told := ai_source_type(value):
            yield _unsigned("XMP DigitalSourceType", f"the image {told}")


def _ai_fields(xmp: str) -> Iterator[Claim]:
    system = next(iter(xmp_values(xmp, "AISystemUsed")), "")
    named = [name for name in _IPTC_AI_FIELDS if xmp_values(xmp, name)]
    if named:
        by = f" by {quoted(system)}" if system else ""
        yield _unsigned(f"IPTC {named[0]}", f"it was generated{by}", generator=quoted(system))


def _google(xmp: str, iptc: bytes) -> Iterator[Claim]:
    credits_found = [value.lower() for value in xmp_values(xmp, "Credit")]
    if any(_GOOGLE_CREDIT in value for value in credits_found) or _GOOGLE_CREDIT.encode() in iptc.lower():
        yield _unsigned("credit line", "it was made with Google AI", generator="Google AI")


def _tc260(metadata: Metadata, xmp: str) -> Iterator[Claim]:
    carriers = {"PNG text 'AIGC'": metadata.text.get("AIGC", "")}
    comment = exif_texts(metadata).get("UserComment", "")
    inner = json_object(comment).get("AIGC")
    carriers["EXIF UserComment"] = comment if isinstance(inner, (dict, str)) else ""
    if _TC260_NAMESPACE in xmp:
        carriers["XMP TC260"] = " ".join(xmp_values(xmp, "AIGC"))
    for carrier, text in carriers.items():
        found = re.search(r'"Label"\s*:\s*"?([123])\b', text.replace('\\"', '"'))
        if found:
            label = found.group(1)
            yield _unsigned(carrier, f"it is {_TC260_LABELS[label]} (TC260 label {label})", decisive=label == "1")


def _samsung(data: bytes, media_type: str) -> Iterator[Claim]:
    if media_type != "image/jpeg":
        return
    found = _SAMSUNG.search(data, max(len(data) - _TRAILER, 0))
    if found and int(found.group(1)) != 0:
        kind = found.group(1).decode()
        yield _unsigned(
            "Samsung trailer", f"generative editing was used (genAIType {kind})", generator="Samsung Galaxy AI"
        )


def _unsigned(carrier: str, told: str, *, decisive: bool = True, generator: str = "") -> Claim:
    statement = f"The file itself declares that {told} ({carrier}, unsigned)."
    return Claim(carrier, says_ai=True, decisive=decisive, statement=statement, generator=generator)
