"""What a file holds beside its picture: bytes after the image's end, and further frames."""

import re
from dataclasses import dataclass

from forensics.reading.containers import MOST_PARTS, png_chunks, webp_chunks

# A marker that ends the entropy-coded data: neither a stuffed zero, nor a restart, nor a fill byte.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA
_STANDALONE = {0x01, *range(0xD0, 0xD9)}


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the image ends in its file, None where it has no end, and how many frames it has."""

    end: int | None
    frames: int = 1


def extent_of(data: bytes, media_type: str) -> Extent:
    """The extent of a file of any type but TIFF and a bare JPEG XL stream, which are taken for whole, of one frame."""
    measure = _MEASURES.get(media_type)
    return measure(data) if measure is not None else Extent(len(data))


def trailing_bytes(data: bytes, extent: Extent) -> int:
    """How many bytes follow the image; padding of zeros is none."""
    if extent.end is None or extent.end >= len(data):
        return 0
    rest = data[extent.end :]
    return len(rest) if rest.strip(b"\0") else 0


def _jpeg(data: bytes) -> Extent:
    """The first image alone: what follows in a multi-picture file counts as trailing (CIPA DC-007)."""
    at = 2
    for _ in range(MOST_PARTS):
        found = _JPEG_MARKER.search(data, at)
        if found is None:
            return Extent(None)
        marker, at = data[found.end() - 1], found.end()
        if marker == _END_OF_IMAGE:
            return Extent(at)
        if marker in _STANDALONE:
            continue
        size = int.from_bytes(data[at : at + 2], "big")
        if size < 2:
            return Extent(None)
        at += size
    return Extent(None)


def _png(data: bytes) -> Extent:
    at, frames = 8, 1
    for kind, payload in png_chunks(data):
        at += 12 + len(payload)
        if kind == b"acTL" and len(payload) >= 4:
            frames = max(int.from_bytes(payload[:4], "big"), 1)
        if kind == b"IEND":
            return Extent(at, frames)
    return Extent(None, frames)


def _webp(data: bytes) -> Extent:
    end = 8 + int.from_bytes(data[4:8], "little")
    frames = sum(kind == b"ANMF" for kind, _ in webp_chunks(data))
    return Extent(end + (end & 1) if end <= len(data) else None, max(frames, 1))


def _gif(data: bytes) -> Extent:
    """Walks the blocks of GIF89a: extensions and images, each followed by sub-blocks, then the trailer."""
    at, frames = 13 + _colours(data[10:11]), 0
    for _ in range(MOST_PARTS):
        kind = data[at : at + 1]
        if kind == b";":
            return Extent(at + 1, max(frames, 1))
        if kind == b"!":
            at = _after_blocks(data, at + 2)
        elif kind == b",":
            frames += 1
            at = _after_blocks(data, at + 11 + _colours(data[at + 9 : at + 10]))
        else:
            break
    return Extent(None, max(frames, 1))


def _colours(packed: bytes) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << ((packed[0] & 7) + 1) if packed and packed[0] & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def _boxes(data: bytes) -> Extent:
    """The boxes of an ISO base media file (ISO/IEC 14496-12, 4.2); a JPEG XL file may be one stream without any."""
    at = 0
    for _ in range(MOST_PARTS if data[4:8] in (b"ftyp", b"JXL ") else 0):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if len(kind) < 4 or not kind.isascii() or not kind.decode().isprintable():
            return Extent(at)
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:
            # The last box may say that it goes on to the end of the file.
            return Extent(len(data) if size == 0 else at)
        if at + size > len(data):
            return Extent(at if at else None)
        at += size
    return Extent(at or len(data))


def _bmp(data: bytes) -> Extent:
    """The size that the header announces; some writers leave it out."""
    size = int.from_bytes(data[2:6], "little")
    return Extent(size if 26 < size <= len(data) else len(data))


_MEASURES = {
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/webp": _webp,
    "image/gif": _gif,
    "image/bmp": _bmp,
    "image/avif": _boxes,
    "image/heic": _boxes,
    "image/jxl": _boxes,
}
