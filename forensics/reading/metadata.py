"""Metadata as found in the file, uninterpreted; chunks after the pixel data are found too."""

import io
import re
import warnings
from collections.abc import Callable, Mapping

from PIL import Image

from forensics.reading.containers import INFLATE_LIMIT, gif_texts, inflate, jpeg_segments, png_chunks, webp_chunks
from forensics.reading.jxl import jxl_boxes
from forensics.reading.sniff import PLUGINS
from forensics.types import Metadata

EXIF_PREFIX, EXIF_NAME = b"Exif\0\0", b"EXIF\0"
XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
XMP_MORE_PREFIX = b"http://ns.adobe.com/xmp/extension/\0"
PHOTOSHOP_PREFIX = b"Photoshop 3.0\0"
ICC_PREFIX = b"ICC_PROFILE\0"
MOST_KEYWORD = 79
XMP_START, XMP_WITHIN = re.compile(rb"<x:xmpmeta|<rdf:RDF|<\?xpacket"), 64
XMP_KEYWORD = "XML:com.adobe.xmp"
RAW_PROFILE = "Raw profile type "
IPTC_RESOURCE = 0x0404
TIFF_XMP_TAG, TIFF_IPTC_TAG = 700, 33723
AIGC_PREFIX, AIGC_KEYWORD = b"AIGC", "AIGC"
# What one file may carry of each kind; honest files stay far below.
MOST_TEXT, MOST_TEXTS = 4 * 2**20, 2000
MOST_XMP, MOST_ICC, MOST_IPTC = 8 * 2**20, 8 * 2**20, 2**20
MOST_INFLATED = 16 * 2**20
# What each stream costs beside its length.
_INFLATE_COST = 1024


class _Parts:
    """Pieces of one kind, joined at the end, up to a limit."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pieces: list[bytes] = []
        self._length = 0

    def add(self, piece: bytes) -> None:
        if piece and self._length + len(piece) <= self._most:
            self._pieces.append(piece)
            self._length += len(piece)

    def joined(self) -> bytes:
        return b"".join(self._pieces)


class _Found:
    """What a walk has collected so far; the first EXIF block counts, texts of one keyword are joined."""

    def __init__(self) -> None:
        self.exif = b""
        self.xmp, self.iptc, self.icc = _Parts(MOST_XMP), _Parts(MOST_IPTC), _Parts(MOST_ICC)
        self.xmp_more: dict[int, bytes] = {}
        self._text: dict[str, list[str]] = {}
        self._texts = self._text_length = self._xmp_more_length = 0
        self._inflatable = MOST_INFLATED

    def add_text(self, keyword: str, value: str) -> None:
        length = self._text_length + len(keyword) + len(value)
        if length > MOST_TEXT or self._texts >= MOST_TEXTS:
            return
        self._text_length, self._texts = length, self._texts + 1
        self._text.setdefault(keyword, []).append(value)

    def add_extended_xmp(self, offset: int, part: bytes) -> None:
        self._xmp_more_length += len(part)
        if self._xmp_more_length <= MOST_XMP:
            self.xmp_more[offset] = part

    def inflated(self, data: bytes) -> bytes:
        """The data inflated, as far as the file's share of that goes: many small bombs cost no more than one."""
        result = inflate(data, min(INFLATE_LIMIT, self._inflatable)) if self._inflatable > 0 else b""
        self._inflatable -= len(result) + _INFLATE_COST
        return result

    def done(self) -> Metadata:
        more = b"".join(part for _, part in sorted(self.xmp_more.items()))
        text = {keyword: "\n".join(values) for keyword, values in self._text.items()}
        exif = self.exif.removeprefix(EXIF_PREFIX)
        return Metadata(exif, self.xmp.joined() + more, self.iptc.joined(), self.icc.joined(), text)


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
        if marker == 0xE1 and payload[:5].upper() == EXIF_NAME:
            # The byte after the name is padding, and some fill it with ones.
            found.exif = found.exif or payload[len(EXIF_PREFIX) :]
        elif marker == 0xE1 and payload.startswith(XMP_PREFIX):
            found.xmp.add(payload[len(XMP_PREFIX) :])
        elif marker == 0xE1 and payload.startswith(XMP_MORE_PREFIX):
            # 32 bytes of digest, then the whole length and this part's offset, then the part (XMP part 3, 1.1.3.1).
            body = payload[len(XMP_MORE_PREFIX) :]
            found.add_extended_xmp(int.from_bytes(body[36:40], "big"), body[40:])
        elif marker == 0xE1 and (start := XMP_START.search(payload, 0, XMP_WITHIN)):
            # Some platforms write another name in front of the packet, or none.
            found.xmp.add(payload[start.start() :])
        elif marker == 0xE2 and payload.startswith(ICC_PREFIX):
            found.icc.add(payload[len(ICC_PREFIX) + 2 :])
        elif marker == 0xED and payload.startswith(PHOTOSHOP_PREFIX):
            found.iptc.add(_iptc_of_photoshop(payload[len(PHOTOSHOP_PREFIX) :]))
        elif 0xE0 <= marker <= 0xEF and AIGC_PREFIX in payload[:32].upper():
            found.add_text(AIGC_KEYWORD, payload.decode("utf-8", "replace").strip("\0 "))
        elif marker == 0xFE:
            _add_comment(found, payload)


def _add_comment(found: _Found, payload: bytes) -> None:
    """A comment; a keyword with a zero byte after it, as in PNG, is stable-diffusion.cpp's way."""
    keyword, zero, value = payload[:80].partition(b"\0")
    if zero and value.strip(b"\0 ") and keyword.isalnum():
        found.add_text(keyword.decode("ascii"), _decoded(payload[len(keyword) + 1 :]).strip("\0"))
    else:
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
            # The first counts; a PNG has one.
            found.icc = found.icc if found.icc.joined() else _icc_of_png(payload, found)
        elif kind in _PNG_TEXT:
            keyword, value, compressed = _PNG_TEXT[kind](payload)
            _add_png_text(found, keyword, found.inflated(value) if compressed else value)


def _add_png_text(found: _Found, keyword: str, value: bytes) -> None:
    if keyword == XMP_KEYWORD:
        found.xmp.add(value)
    elif keyword.startswith(RAW_PROFILE):
        _add_raw_profile(found, keyword.removeprefix(RAW_PROFILE).strip(), value)
    else:
        found.add_text(keyword, _decoded(value))


def _icc_of_png(payload: bytes, found: _Found) -> _Parts:
    icc = _Parts(MOST_ICC)
    icc.add(found.inflated(payload[:80].partition(b"\0")[2][1:] + payload[80:]))
    return icc


def _plain_text(payload: bytes) -> tuple[str, bytes, bool]:
    keyword, _, value = payload.partition(b"\0")
    return _keyword(keyword), value, False


def _compressed_text(payload: bytes) -> tuple[str, bytes, bool]:
    keyword, _, value = payload.partition(b"\0")
    return _keyword(keyword), value[1:], True


def _international_text(payload: bytes) -> tuple[str, bytes, bool]:
    keyword, _, rest = payload.partition(b"\0")
    value = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    return _keyword(keyword), value, rest[:1] == b"\1"


def _keyword(raw: bytes) -> str:
    return raw[:MOST_KEYWORD].decode("latin-1")


# ComfyUI's animated PNG keeps its texts in a chunk of its own.
_PNG_TEXT: Mapping[bytes, Callable[[bytes], tuple[str, bytes, bool]]] = {
    b"tEXt": _plain_text,
    b"comf": _plain_text,
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
        found.xmp.add(profile.removeprefix(XMP_PREFIX))
    elif profile.startswith(EXIF_PREFIX) or kind == "exif":
        found.exif = found.exif or profile
    elif kind in ("iptc", "8bim"):
        found.iptc.add(_iptc_of_photoshop(profile) or profile)


def _read_webp(data: bytes, found: _Found) -> None:
    for kind, payload in webp_chunks(data):
        if kind == b"EXIF":
            found.exif = found.exif or payload
        elif kind == b"XMP ":
            found.xmp.add(payload)
        elif kind == b"ICCP":
            found.icc.add(payload)
        elif kind == AIGC_PREFIX:
            found.add_text(AIGC_KEYWORD, payload.decode("utf-8", "replace").strip("\0 "))


def _read_gif(data: bytes, found: _Found) -> None:
    for kind, payload in gif_texts(data):
        if kind == b"comment":
            found.add_text("Comment", _decoded(payload))
        elif kind == b"XMP DataXMP":
            found.xmp.add(payload)
        elif kind.startswith(AIGC_PREFIX):
            found.add_text(AIGC_KEYWORD, payload.decode("utf-8", "replace").strip("\0 "))


def _read_by_pillow(data: bytes, media_type: str, found: _Found) -> None:
    """TIFF, AVIF, HEIC and BMP: what Pillow's own plugin of the format reports."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data), formats=PLUGINS[media_type])
            info = image.info
            found.exif = _bytes(info.get("exif")) or (image.getexif().tobytes() if image.getexif() else b"")
            tags = getattr(image, "tag_v2", {})
            found.xmp.add(_bytes(info.get("xmp")) or _bytes(tags.get(TIFF_XMP_TAG)))
            found.iptc.add(_bytes(tags.get(TIFF_IPTC_TAG)))
            found.icc.add(_bytes(info.get("icc_profile")))
        except Exception:  # noqa: BLE001 - the pixels were decoded; unreadable metadata is absent metadata
            return


def _read_jxl(data: bytes, found: _Found) -> None:
    """What the plugin reports, and the XMP that it leaves out."""
    _read_by_pillow(data, "image/jxl", found)
    for kind, payload in jxl_boxes(data):
        if kind == b"xml ":
            found.xmp.add(payload)


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
    "image/gif": _read_gif,
    "image/jxl": _read_jxl,
}
