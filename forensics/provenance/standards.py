"""Declarations by standard properties: IPTC source type, AI fields and credit lines, TC260 labels, Samsung's mark."""

import re
from collections.abc import Iterable, Iterator, Sequence

from forensics.provenance.claims import created, edited, possibly_created
from forensics.provenance.names import generator_named
from forensics.provenance.text import quoted
from forensics.provenance.texts import Text
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
_SYSTEM, _PROMPT = "AISystemUsed", "AIPromptInformation"
_AI_FIELDS = (_SYSTEM, "AISystemVersionUsed", _PROMPT)
# A whole text that denies, in the languages that photographers' software speaks.
_NEGATIVE = re.compile(
    r"\W*(n/?a|null|false|0|-+|unknown|undefined|human\b.*|(ai|artificial intelligence)\b[^,;.]{0,20}"
    r"\b(no|none|not|free|false|off|never|0)\b.*|(none?|not?|nothing|nil|never|(made )?without|keine?|nicht|"
    r"aucune?|ningun[oa]?|ninguém|nenhum|nessun[oa]?|geen|ingen|brak|нет|без|无|無|没有|なし|없음)(?![^\W\d_]).*)?\W*",
    re.I | re.S,
)
_OF_AI = re.compile(r"\b(ai|prompts?|used|generated)\b", re.I)
_DENIED = re.compile(r"\b(no|not|non|none|never|without|free)\b|n['’]t\b", re.I)
_ENHANCER = re.compile(
    r"denois|upscal|enhanc|sharpen|topaz|gigapixel|dxo|pureraw|deepprime|on1|luminar|super.?resolution|noise reduction|"
    r"remov|erase|clean ?up|best take|magic (editor|eraser)|generative (fill|expand|remove)|inpaint|outpaint|retouch|"
    r"lightroom|camera raw|photoshop|neural filter|sensei|select|mask|snapseed|imagenomic|remini|evoto|capture one|"
    r"deep fusion|smart hdr",
    re.I,
)
# Credit lines are read whole: a credit that mentions AI, or denies it, declares nothing.
_THING = r"(?:an? )?(?:image|picture|photo|artwork|illustration|credit|source)"
_MADE = re.compile(
    rf"(?:{_THING} )?(?:ai[- ])?(?:made|created|generated|produced|imagined|designed) "
    rf"(?:with|by|using|in|on|via) (?P<tool>.{{1,80}}?)[.!]?|{_THING}(?: ?: ?(?:by )?| by )(?P<author>.{{1,80}}?)[.!]?",
    re.I,
)
_BY_SOME_AI = re.compile(
    rf"(?:{_THING} )?(?:made|created|generated|produced) (?:with|by|using) (?:generative )?"
    rf"(?:ai|artificial intelligence)[.!]?|(?:this is )?(?:an? )?(?:ai|artificial intelligence)[- ](?:generated"
    rf"|created)(?: {_THING})?[.!]?",
    re.I,
)
_PARTS = re.compile(
    r"(?:(?:image|photo|picture|background) )?(?:edited|enhanced|retouched|modified|altered|adjusted|expanded|extended|"
    r"erased|cleaned up|restyled|restored|reimagined|background) (?:with|by|using|in|via) (?P<tool>.{1,80}?)[.!]?"
    r"|(?P<named>(?:(?:adobe|photoshop|lightroom|google|samsung|apple|galaxy|photos) ){0,3}(?:clean ?up|magic editor|"
    r"magic eraser|ai eraser|object eraser|best take|add me|auto ?frame|zoom enhance|photo assist|galaxy ai|"
    r"generative (?:fill|expand|edit|remove))(?: \(.{0,30}\))?|(?:photo |image )?"
    r"ai[- ](?:edited|enhanced|retouched|modified|assisted)(?: photo| image)?|contains ai[- ]generated (?:parts"
    r"|elements|content))[.!]?",
    re.I,
)
_AI_TOOL = re.compile(
    r"\b(?:ai|artificial intelligence|apple intelligence|firefly|gemini|image playground|generative|clean ?up|"
    r"magic (?:editor|eraser))\b",
    re.I,
)
_CREDITS = re.compile(r"credit|creditline", re.I)
# Cyberspace Administration of China, labelling rules in force since 2025-09; GB 45438-2025.
_TC260 = {"1": "AI-generated", "2": "possibly AI-generated", "3": "suspected to be AI-generated"}
_TC260_LABEL = re.compile(r"""["']?\bLabel["']?\s{0,9}[:=]\s{0,9}["']?([123])(?![\w.])""", re.I)
_TC260_PRODUCER = re.compile(r"""["']?\bContentProducer["']?\s{0,9}[:=]\s{0,9}["']([^"'\\]{1,80})["']""", re.I)
_TC260_MARK = re.compile(r"""["']?\bAIGC["']?\s{0,9}[:={]""")
_TC260_KEYS = {"aigc", "tc260"}
_SAMSUNG = re.compile(rb'genAIType"\s{0,9}:\s{0,9}"?(\d{1,4})')
_TRAILER = 2**20
_TAIL, _LONGEST_LABEL = 2**16, 4096


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


def read_standards(texts: Sequence[Text], data: bytes) -> tuple[Claim, ...]:
    """The claims of all standard properties and vendor marks in a file."""
    parts = parts_only(texts)
    return (
        *_source_types(texts),
        *_ai_fields(texts, parts),
        *_credits(texts, parts),
        *(tuple(_tc260(texts)) or _tc260(_at_the_end(data))),
        *_samsung(data),
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
    given = {t.key: t.value for t in texts if t.carrier == "XMP" and t.key in _AI_FIELDS and not _denies(t)}
    if not given or any(t.key == _SYSTEM and _denies(t) for t in texts):
        return
    system, field = quoted(given.get(_SYSTEM, "")), next(name for name in _AI_FIELDS if name in given)
    by = f" by {system}" if system else ""
    if parts or _ENHANCER.search(system):
        yield edited(f"IPTC {field}", f"a part of it was changed{by or ' by an AI system'}", system)
    else:
        yield created(f"IPTC {field}", f"it was generated{by}", system)


def _denies(text: Text) -> bool:
    """Whether a field says that no AI was used; a prompt may begin with "no" and still be one."""
    value = text.value[:300]
    if not _NEGATIVE.fullmatch(value):
        return False
    return text.key != _PROMPT or len(value.split()) <= 2 or _OF_AI.search(value) is not None


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
    if _DENIED.search(line):
        return
    made = _MADE.fullmatch(line)
    tool = (made["tool"] or made["author"]) if made else ""
    generator = generator_named(line) or generator_named(tool) or ""
    if generator and not parts:
        yield created(place, f"{generator} generated it", generator)
    elif generator or _is_of_a_part(line):
        yield edited(place, f"a part of it was changed by AI: {quoted(line)!r}", generator)
    elif _BY_SOME_AI.fullmatch(line):
        yield possibly_created(place, f"AI had a hand in it: {quoted(line)!r}")


def _is_of_a_part(line: str) -> bool:
    found = _PARTS.fullmatch(line)
    if found is None:
        return False
    return bool(found["named"] or _AI_TOOL.search(found["tool"]) or generator_named(found["tool"]))


def _at_the_end(data: bytes) -> Iterator[Text]:
    """A label that some platforms append behind the picture, where no format has a place for texts."""
    at = data.rfind(b"AIGC", max(len(data) - _TAIL, 0))
    if at >= 0:
        value = data[max(at - 2, 0) : at + _LONGEST_LABEL].decode("utf-8", "replace")
        yield Text("comment", "", value, "the end of the file")


def _tc260(texts: Iterable[Text]) -> Iterator[Claim]:
    places: dict[str, list[str]] = {}
    producers: dict[str, str] = {}
    for text in texts:
        # Values that stand in JSON of their own come escaped.
        value = text.value[:20_000].replace("\\", "")
        own = text.place.startswith("XMP TC260:")
        if not (own or _tc260_key(text.key) or _TC260_MARK.search(value)):
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
    return key.partition("/")[0].rpartition(":")[2].lower() in _TC260_KEYS


def _found(expression: re.Pattern[str], value: str) -> str:
    found = expression.search(value)
    return found.group(1) if found else ""


def _samsung(data: bytes) -> Iterator[Claim]:
    at = data.rfind(b"genAIType", max(len(data) - _TRAILER, 0))
    found = _SAMSUNG.match(data, at) if at >= 0 else None
    if found and int(found.group(1)) != 0:
        kind = found.group(1).decode()
        yield edited("Samsung trailer", f"generative editing was used (genAIType {kind})", "Samsung Galaxy AI")
