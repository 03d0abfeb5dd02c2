"""Strangers' text made harmless and readable: EXIF strings, XMP packets, JSON, and what may be quoted."""

import html
import json
import re
from itertools import islice

import piexif

from forensics.reading.exif_tags import load_exif
from forensics.types import Metadata

MOST_QUOTED = 80
MOST_PROPERTIES, LONGEST_PROPERTY = 50, 5000
_IFDS = {
    "0th": {
        "Make": piexif.ImageIFD.Make,
        "Model": piexif.ImageIFD.Model,
        "Software": piexif.ImageIFD.Software,
        "Artist": piexif.ImageIFD.Artist,
        "ImageDescription": piexif.ImageIFD.ImageDescription,
        "XPComment": piexif.ImageIFD.XPComment,
    },
    "Exif": {"UserComment": piexif.ExifIFD.UserComment},
}


def exif_texts(metadata: Metadata) -> dict[str, str]:
    """The texts of the EXIF tags that generators write to; empty where EXIF is absent or damaged."""
    loaded = load_exif(metadata.exif)
    if loaded is None:
        return {}
    found = {}
    for ifd, tags in _IFDS.items():
        for name, tag in tags.items():
            text = _tag_text(name, loaded[ifd].get(tag))
            if text:
                found[name] = text
    return found


def _tag_text(name: str, value: object) -> str:
    if name == "XPComment" and isinstance(value, tuple):
        # Windows stores it as UTF-16 in a byte array.
        value = bytes(v for v in value if isinstance(v, int) and 0 <= v < 256)
        return value.decode("utf-16-le", "replace").strip("\0 ")
    if not isinstance(value, bytes):
        return ""
    if name == "UserComment":
        return _user_comment(value)
    return value.decode("utf-8", "replace").strip("\0 ")


def _user_comment(value: bytes) -> str:
    """EXIF UserComment: eight bytes naming the character code, then the text (EXIF 2.32, 4.6.5)."""
    code, body = value[:8], value[8:]
    if code == b"UNICODE\0":
        # The standard leaves the byte order open; Latin text has its zero bytes where the order says.
        order = "utf-16-be" if body[:1] == b"\0" else "utf-16-le"
        return body.decode(order, "replace").strip("\0 ")
    if code in (b"ASCII\0\0\0", b"\0" * 8, b"JIS\0\0\0\0\0"):
        return body.decode("utf-8", "replace").strip("\0 ")
    return value.decode("utf-8", "replace").strip("\0 ")


def xmp_text(metadata: Metadata) -> str:
    """The XMP packet as text; it is searched, never parsed, so that entities can do no harm."""
    packet = metadata.xmp
    if packet[:200].count(b"\0") > 20:
        return packet.decode("utf-16-be" if packet[:1] == b"\0" else "utf-16-le", "replace")
    return packet.decode("utf-8", "replace")


def xmp_values(xmp: str, name: str) -> list[str]:
    """Values of the property `name` in any namespace: as attribute, element, rdf:resource or list item.

    Only the first MOST_PROPERTIES places are looked at, each up to LONGEST_PROPERTY characters, so that a packet made
    to be slow is not.
    """
    values: list[str] = []
    for place in islice(re.finditer(rf":{name}\b", xmp), MOST_PROPERTIES):
        after = xmp[place.end() : place.end() + LONGEST_PROPERTY]
        if attribute := re.match(r"""\s*=\s*(?:"([^"<]*)"|'([^'<]*)')""", after):
            values.append(attribute.group(1) or attribute.group(2) or "")
        elif re.search(r"<[\w.-]{1,64}$", xmp[max(place.start() - 65, 0) : place.start()]):
            values += _element_values(after, name)
    clean = (html.unescape(value).strip() for value in values)
    return list(dict.fromkeys(value for value in clean if value))


def _element_values(after: str, name: str) -> list[str]:
    """The values of an element, out of what follows its name: its resource, and its text without inner tags."""
    head, _, body = after.partition(">")
    resources: list[str] = re.findall(r"""rdf:resource\s*=\s*["']([^"']+)""", head)
    if head.endswith("/"):
        return resources
    text, closed, _ = body.partition(f":{name}>")
    return [*resources, re.sub(r"<[^>]*>?", " ", text)] if closed else resources


def json_object(text: str) -> dict[str, object]:
    """The JSON object in a text; empty where it is none."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def quoted(text: str) -> str:
    """A stranger's text as it may stand in a sentence: printable, on one line, short."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MOST_QUOTED]).split())
    return line if len(line) <= MOST_QUOTED else line[: MOST_QUOTED - 1] + "…"
