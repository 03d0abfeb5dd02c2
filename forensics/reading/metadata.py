"""Metadata as found in the file, uninterpreted; chunks after the pixel data are found too."""

import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from PIL import Image

from forensics.reading.containers import inflate, jpeg_segments, png_chunks, webp_chunks
from forensics.reading.sniff import PLUGINS
from forensics.types import Metadata

EXIF_PREFIX = b"Exif\0\0"
XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
XMP_MORE_PREFIX = b"http://ns.adobe.com/xmp/extension/\0"
PHOTOSHOP_PREFIX = b"Photoshop 3.0\0"
ICC_PREFIX = b"ICC_PROFILE\0"
XMP_KEYWORD = "XML:com.adobe.xmp"
RAW_PROFILE = "Raw profile type "
IPTC_RESOURCE = 0x0404
TIFF_XMP_TAG, TIFF_IPTC_TAG = 700, 33723
MOST_TEXT = 4 * 2**20


@dataclass(slots=True)
class _Found:
    """What a walk has collected so far; the first EXIF block counts, texts of one keyword are joined."""

    exif: bytes = b""
    xmp: bytes = b""
    xmp_more: dict[int, bytes] = field(default_factory=dict)
    iptc: bytes = b""
    icc: bytes = b""
    text: dict[str, str] = field(default_factory=dict)

    def add_text(self, keyword: str, value: str) -> None:
        older = self.text.get(keyword)
        joined = value if older is None else f"{older}\n{value}"
        if sum(map(len, self.text.values())) + len(joined) <= MOST_TEXT:
            self.text[keyword] = joined

    def add_xmp(self, packet: bytes) -> None:
        self.xmp += packet

    def done(self) -> Metadata:
        more = b"".join(part for _, part in sorted(self.xmp_more.items()))
        return Metadata(self.exif.removeprefix(EXIF_PREFIX), self.xmp + more, self.iptc, self.icc, self.text)


def read_metadata(data: bytes, media_type: str) -> Metadata:
    """The metadata of a file of that type; damaged parts are left out."""
    found = _Found()
    if media_type in _READERS:
        _READERS[media_type](data, found)
    else:
        _read_by_pillow(data, media_type, found)
    return found.done()


def _read_jpeg(data: bytes, found: _Found) -> None:
    for marker, payload in jpeg_segments(data):
        if marker == 0xE1 and payload.startswith(EXIF_PREFIX):
            found.exif = found.exif or payload
        elif marker == 0xE1 and payload.startswith(XMP_PREFIX):
            found.add_xmp(payload[len(XMP_PREFIX) :])
        elif marker == 0xE1 and payload.startswith(XMP_MORE_PREFIX):
            # 32 bytes of digest, then the whole length and this part's offset, then the part (XMP part 3, 1.1.3.1).
            body = payload[len(XMP_MORE_PREFIX) :]
            found.xmp_more[int.from_bytes(body[36:40], "big")] = body[40:]
        elif marker == 0xE2 and payload.startswith(ICC_PREFIX):
            found.icc += payload[len(ICC_PREFIX) + 2 :]
        elif marker == 0xED and payload.startswith(PHOTOSHOP_PREFIX):
            found.iptc += _iptc_of_photoshop(payload[len(PHOTOSHOP_PREFIX) :])
        elif marker == 0xFE:
            found.add_text("Comment", payload.decode("utf-8", "replace"))


def _iptc_of_photoshop(blocks: bytes) -> bytes:
    """The IPTC block among Photoshop image resources (8BIM: id, padded name, size, padded data)."""
    at = 0
    while blocks[at : at + 4] == b"8BIM" and at + 12 <= len(blocks):
        resource = int.from_bytes(blocks[at + 4 : at + 6], "big")
        name = 1 + blocks[at + 6]
        start = at + 6 + name + (name & 1) + 4
        size = int.from_bytes(blocks[start - 4 : start], "big")
        if resource == IPTC_RESOURCE:
            return blocks[start : start + size]
        at = start + size + (size & 1)
    return b""


def _read_png(data: bytes, found: _Found) -> None:
    for kind, payload in png_chunks(data):
        if kind == b"eXIf":
            found.exif = found.exif or payload
        elif kind == b"iCCP":
            found.icc = inflate(payload.partition(b"\0")[2][1:])
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            keyword, value = _PNG_TEXT[kind](payload)
            _add_png_text(found, keyword, value)


def _add_png_text(found: _Found, keyword: str, value: bytes) -> None:
    if keyword == XMP_KEYWORD:
        found.add_xmp(value)
    elif keyword.startswith(RAW_PROFILE):
        _add_raw_profile(found, keyword.removeprefix(RAW_PROFILE).strip(), value)
    else:
        found.add_text(keyword, _decoded(value))


def _plain_text(payload: bytes) -> tuple[str, bytes]:
    keyword, _, value = payload.partition(b"\0")
    return keyword.decode("latin-1"), value


def _compressed_text(payload: bytes) -> tuple[str, bytes]:
    keyword, _, value = payload.partition(b"\0")
    return keyword.decode("latin-1"), inflate(value[1:])


def _international_text(payload: bytes) -> tuple[str, bytes]:
    keyword, _, rest = payload.partition(b"\0")
    value = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    return keyword.decode("latin-1"), inflate(value) if rest[:1] == b"\1" else value


_PNG_TEXT: Mapping[bytes, Callable[[bytes], tuple[str, bytes]]] = {
    b"tEXt": _plain_text,
    b"zTXt": _compressed_text,
    b"iTXt": _international_text,
}


def _add_raw_profile(found: _Found, kind: str, value: bytes) -> None:
    """ImageMagick's way: a line with the kind, a line with the length, then hexadecimal."""
    try:
        profile = bytes.fromhex("".join(value.decode("ascii").split()[2:]))
    except (UnicodeDecodeError, ValueError):
        return
    if profile.startswith(XMP_PREFIX) or kind == "xmp":
        found.add_xmp(profile.removeprefix(XMP_PREFIX))
    elif profile.startswith(EXIF_PREFIX) or kind == "exif":
        found.exif = found.exif or profile
    elif kind in ("iptc", "8bim"):
        found.iptc += _iptc_of_photoshop(profile) or profile


def _read_webp(data: bytes, found: _Found) -> None:
    for kind, payload in webp_chunks(data):
        if kind == b"EXIF":
            found.exif = found.exif or payload
        elif kind == b"XMP ":
            found.add_xmp(payload)
        elif kind == b"ICCP":
            found.icc = payload


def _read_by_pillow(data: bytes, media_type: str, found: _Found) -> None:
    """TIFF, GIF, AVIF, HEIC and BMP: what Pillow's own plugin of the format reports."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data), formats=PLUGINS[media_type])
            info = image.info
            found.exif = _bytes(info.get("exif")) or (image.getexif().tobytes() if image.getexif() else b"")
            tags = getattr(image, "tag_v2", {})
            found.add_xmp(_bytes(info.get("xmp")) or _bytes(tags.get(TIFF_XMP_TAG)))
            found.iptc = _bytes(tags.get(TIFF_IPTC_TAG))
            found.icc = _bytes(info.get("icc_profile"))
            if comment := info.get("comment"):
                found.add_text("Comment", comment if isinstance(comment, str) else _decoded(comment))
        except Exception:  # noqa: BLE001 - the pixels were decoded; unreadable metadata is absent metadata
            return


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _decoded(value: bytes) -> str:
    """UTF-8 where it is valid, else Latin-1, which the PNG standard names for tEXt."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


_READERS: Mapping[str, Callable[[bytes, _Found], None]] = {
    "image/jpeg": _read_jpeg,
    "image/png": _read_png,
    "image/webp": _read_webp,
}
