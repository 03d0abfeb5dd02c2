"""Declarations by standard properties: IPTC source type, AI fields and credit lines, TC260 labels, Samsung's mark."""

import re
from collections.abc import Iterator, Sequence

from forensics.provenance.claims import created, edited, possibly_created
from forensics.provenance.text import quoted
from forensics.provenance.texts import Text
from forensics.provenance.writers import generator_named
from forensics.types import Claim, Declares

# https://cv.iptc.org/newscodes/digitalsourcetype: the values that mean a generative model; algorithmicMedia does not.
_SOURCE_TYPES: dict[str, Declares] = {
    "trainedalgorithmicmedia": "ai_created",
    "compositewithtrainedalgorithmicmedia": "ai_edited",
    "compositesynthetic": "ai_edited",
}
_TOLD = {
    "trainedalgorithmicmedia": "the image was created by a generative model",
    "compositewithtrainedalgorithmicmedia": "the image contains parts that a generative model created",
    "compositesynthetic": "the image is a composite with synthetic parts",
}
_SYSTEM, _AI_FIELDS = "AISystemUsed", ("AISystemUsed", "AISystemVersionUsed", "AIPromptInformation")
_NEGATIVE = re.compile(
    r"\W*(none|no|nil|null|false|0|n/?a|not (applicable|used|any)|no ai.*|without ai.*|not ai.*|unknown|undefined|-+|"
    r".*\b(not|never|without|no) .*\b(used|generated|ai)\b.*)?\W*",
    re.I | re.S,
)
_ENHANCER = re.compile(
    r"denois|upscal|enhanc|sharpen|topaz|dxo|pureraw|on1|luminar|super.?resolution|noise reduction|remov|erase|"
    r"clean ?up|best take|magic (editor|eraser)|generative (fill|expand|remove)|inpaint|outpaint|retouch|lightroom|"
    r"mask|snapseed",
    re.I,
)
# Credit lines are read whole: a credit that mentions AI, or denies it, declares nothing.
_MADE = re.compile(
    r"(?:image |picture |photo |artwork )?(?:made|created|generated|produced|imagined|designed) "
    r"(?:with|by|using|in|on|via) (?P<tool>.{1,80}?)[.!]?",
    re.I,
)
_PARTS = re.compile(
    r"(?:(?:image |photo )?(?:edited|enhanced|retouched|modified|altered|adjusted|expanded|extended|erased|cleaned up) "
    r"(?:with|by|using|in|via) .{0,40}\b(?:ai|firefly|gemini|image playground|generative|clean up|magic editor)\b"
    r".{0,40}|(?:apple )?(?:photos )?clean ?up"
    r"|(?:google )?(?:photos )?(?:magic (?:editor|eraser)|best take|add me|zoom enhance)"
    r"|generative (?:fill|expand|edit|remove)|(?:samsung )?(?:galaxy ai|photo assist)(?: .{0,30})?)[.!]?",
    re.I,
)
_CREDITS = re.compile(r"credit|creditline", re.I)
# Cyberspace Administration of China, labelling rules in force since 2025-09; GB 45438-2025.
_TC260 = {"1": "AI-generated", "2": "possibly AI-generated", "3": "suspected to be AI-generated"}
_TC260_LABEL = re.compile(r"""["']?\bLabel["']?\s{0,9}[:=]\s{0,9}["']?([123])(?![\w.])""", re.I)
_TC260_PRODUCER = re.compile(r"""["']?\bContentProducer["']?\s{0,9}[:=]\s{0,9}["']([^"'\\]{1,80})["']""", re.I)
_TC260_MARK = re.compile(r"""["']?\bAIGC["']?\s{0,9}[:={]""")
_TC260_KEYS = {"aigc", "tc260"}
_SAMSUNG = re.compile(rb'"genAIType"\s*:\s*(\d{1,4})')
_TRAILER = 2**20


def source_type(uri: str) -> tuple[Declares, str] | None:
    """What a digital source type says about AI, by the last part of its URI; None where it says nothing of it."""
    name = _last_part(uri)
    return (_SOURCE_TYPES[name], _TOLD[name]) if name in _SOURCE_TYPES else None


def _last_part(uri: str) -> str:
    return re.sub(r"[\s_-]", "", re.split(r"[/#:]", uri.strip().rstrip("/"))[-1]).lower()


def parts_only(texts: Sequence[Text]) -> bool:
    """Whether the file gives a digital source type, and none of whole creation."""
    types = [_last_part(text.value) for text in texts if _is_source_type(text)]
    return bool(types) and not any(_SOURCE_TYPES.get(name) == "ai_created" for name in types)


def read_standards(texts: Sequence[Text], data: bytes, media_type: str) -> tuple[Claim, ...]:
    """The claims of all standard properties and vendor marks in a file."""
    parts = parts_only(texts)
    return (
        *_source_types(texts),
        *_ai_fields(texts, parts),
        *_credits(texts, parts),
        *_tc260(texts),
        *_samsung(data, media_type),
    )


def _is_source_type(text: Text) -> bool:
    return text.carrier == "XMP" and text.key.lower() == "digitalsourcetype"


def _source_types(texts: Sequence[Text]) -> Iterator[Claim]:
    for name in dict.fromkeys(_last_part(text.value) for text in texts if _is_source_type(text)):
        if name in _SOURCE_TYPES:
            make = created if _SOURCE_TYPES[name] == "ai_created" else edited
            yield make("XMP DigitalSourceType", _TOLD[name])


def _ai_fields(texts: Sequence[Text], parts: bool) -> Iterator[Claim]:
    """IPTC Photo Metadata 2025.1: by their definition these fields tell how the image was generated."""
    given = {t.key: t.value for t in texts if t.carrier == "XMP" and t.key in _AI_FIELDS and not _is_negative(t.value)}
    if not given or any(t.key == _SYSTEM and _is_negative(t.value) for t in texts):
        return
    system, field = quoted(given.get(_SYSTEM, "")), next(name for name in _AI_FIELDS if name in given)
    by = f" by {system}" if system else ""
    if parts or _ENHANCER.search(system):
        yield edited(f"IPTC {field}", f"a part of it was changed{by or ' by an AI system'}", system)
    else:
        yield created(f"IPTC {field}", f"it was generated{by}", system)


def _is_negative(value: str) -> bool:
    return _NEGATIVE.fullmatch(value[:300]) is not None


def _credits(texts: Sequence[Text], parts: bool) -> Iterator[Claim]:
    said: set[str] = set()
    for text in texts:
        if text.carrier not in ("XMP", "IPTC") or not _CREDITS.fullmatch(text.key):
            continue
        line = " ".join(text.value[:200].split())
        if line.lower() in said:
            continue
        said.add(line.lower())
        yield from _credit(line, text.place, parts)


def _credit(line: str, place: str, parts: bool) -> Iterator[Claim]:
    made = _MADE.fullmatch(line)
    generator = generator_named(made.group("tool") if made else line) or ""
    if generator and not parts:
        yield created(place, f"{generator} generated it", generator)
    elif generator or _PARTS.fullmatch(line):
        yield edited(place, f"a part of it was changed by AI: {quoted(line)!r}", generator)


def _tc260(texts: Sequence[Text]) -> Iterator[Claim]:
    places: dict[str, list[str]] = {}
    producers: dict[str, str] = {}
    for text in texts:
        # Values that stand in JSON of their own come escaped.
        value = text.value[:20_000].replace("\\", "")
        if not (_tc260_key(text.key) or _TC260_MARK.search(value)):
            continue
        inner = text.key.rpartition("/")[2].lower() == "label" and value.strip() in _TC260
        label = value.strip() if inner else _found(_TC260_LABEL, value)
        if label:
            places.setdefault(label, []).append(text.place)
            producers.setdefault(label, _found(_TC260_PRODUCER, value))
    for label, where in places.items():
        producer = quoted(producers[label])
        told = f"it is {_TC260[label]} (TC260 label {label}{f', producer {producer}' if producer else ''})"
        make = created if label == "1" else possibly_created
        yield make(", ".join(dict.fromkeys(where[:3])), told, producer)


def _tc260_key(key: str) -> bool:
    return key.partition("/")[0].lower() in _TC260_KEYS


def _found(expression: re.Pattern[str], value: str) -> str:
    found = expression.search(value)
    return found.group(1) if found else ""


def _samsung(data: bytes, media_type: str) -> Iterator[Claim]:
    if media_type != "image/jpeg":
        return
    found = _SAMSUNG.search(data, max(len(data) - _TRAILER, 0))
    if found and int(found.group(1)) != 0:
        kind = found.group(1).decode()
        yield edited("Samsung trailer", f"generative editing was used (genAIType {kind})", "Samsung Galaxy AI")
