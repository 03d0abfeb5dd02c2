"""Every text that a file says about itself, with the place it stands in: what the table of writers is matched with."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from forensics.provenance.exif_text import exif_texts
from forensics.provenance.iptc import iptc_texts
from forensics.provenance.text import json_object, quoted
from forensics.provenance.xmp import xmp_properties, xmp_text
from forensics.types import Metadata

Carrier = Literal["text", "comment", "EXIF", "XMP", "IPTC", "hidden"]
MOST_TEXTS = 5000
# Savers of ComfyUI put their graphs behind these words, into whatever field takes text.
_LABELLED = re.compile(r"\s{0,9}(prompt|workflow)\s?:\s{0,9}(?=\{)", re.I)
# NovelAI keeps all PNG texts as one object, some savers their graphs.
_WRAPPED = {"prompt", "workflow", "parameters", "comment", "software"}
_HIDDEN = "lowest bits of the pixels"


@dataclass(frozen=True)
class Text:
    """One text of a file. `key` is the keyword, tag or property without its prefix."""

    carrier: Carrier
    key: str
    value: str
    place: str

    @cached_property
    def content(self) -> Mapping[str, object]:
        """The JSON object that the text is; empty where it is none."""
        return json_object(self.value) if self.value.lstrip()[:1] == "{" else {}


def texts_of(metadata: Metadata, media_type: str, hidden: str | None = None) -> tuple[Text, ...]:
    """All texts of a file; `hidden` is one out of the pixels' lowest bits."""
    found: list[Text] = []
    for text in _texts(metadata, media_type, hidden):
        found.append(text)
        if len(found) >= MOST_TEXTS:
            break
    return tuple(found)


def _texts(metadata: Metadata, media_type: str, hidden: str | None) -> Iterator[Text]:
    kind = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WebP"}.get(media_type, "file")
    for keyword, value in metadata.text.items():
        is_comment = keyword == "Comment" and kind != "PNG"
        place = "comment" if is_comment else f"{kind} text {quoted(keyword)!r}"
        yield from _labelled(Text("comment" if is_comment else "text", keyword.strip(), value, place))
    for name, value in exif_texts(metadata.exif).items():
        yield from _labelled(Text("EXIF", name, value, f"EXIF {name}"))
    seen: set[tuple[str, str]] = set()
    for one in xmp_properties(xmp_text(metadata.xmp)) if metadata.xmp else ():
        if (one.name, one.value) not in seen:
            seen.add((one.name, one.value))
            yield from _labelled(Text("XMP", one.local, _without_charset(one.value), f"XMP {quoted(one.name)}"))
    for name, value in iptc_texts(metadata.iptc):
        yield Text("IPTC", name, value, f"IPTC {name}")
    if hidden is not None:
        yield from _labelled(Text("hidden", "parameters", hidden, _HIDDEN))


def _labelled(text: Text) -> Iterator[Text]:
    """The text, and what it wraps, each under its own key: a graph behind a word, texts inside a JSON object."""
    yield text
    if label := _LABELLED.match(text.value[:64]):
        yield Text(text.carrier, label.group(1).lower(), text.value[label.end() :], text.place)
    for key, value in text.content.items():
        if key.lower() in _WRAPPED and value and isinstance(value, (str, dict)):
            yield Text(text.carrier, key, value if isinstance(value, str) else json.dumps(value), text.place)


def _without_charset(value: str) -> str:
    """Exiv2 names the character set in front of a user comment."""
    return re.sub(r'^charset="?\w{1,20}"? ', "", value, flags=re.I)
