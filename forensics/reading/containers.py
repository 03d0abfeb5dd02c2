"""Walking the parts of JPEG, PNG and WebP files: bounds checked, never past the end, damaged tails ignored."""

import re
import zlib
from collections.abc import Iterator

MOST_PARTS = 20_000
INFLATE_LIMIT = 8 * 2**20
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
_MARKER = re.compile(rb"\xff+[^\xff]", re.S)
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, payload) of each segment before the first scan (ITU-T T.81, annex B)."""
    at = 2
    for _ in range(MOST_PARTS):
        # A marker may be filled with any number of 0xFF; garbage before it is passed over.
        found = _MARKER.search(data, at)
        if found is None or found.end() + 2 > len(data):
            return
        at = found.end() - 1
        marker = data[at]
        if marker in (_START_OF_SCAN, _END_OF_IMAGE):
            return
        if marker in _STANDALONE:
            at += 1
            continue
        size = int.from_bytes(data[at + 1 : at + 3], "big")
        if size < 2 or at + 1 + size > len(data):
            return
        yield marker, data[at + 3 : at + 1 + size]
        at += 1 + size


def jpeg_headers_end(data: bytes) -> int:
    """Where the application segments that a JPEG begins with end, and what decides on its picture starts."""
    at = 2
    while data[at : at + 1] == b"\xff" and (data[at + 1] & 0xF0 == 0xE0 or data[at + 1] == 0xFE):
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if at + 2 > len(data):
            return 0
    return at


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, payload) of each chunk, those after the pixel data included (W3C PNG); checksums are not looked at."""
    at = 8
    for _ in range(MOST_PARTS):
        if at + 12 > len(data):
            return
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if at + 12 + size > len(data):
            return
        yield kind, data[at + 8 : at + 8 + size]
        at += 12 + size
        if kind == b"IEND":
            return


def png_without_damaged_extras(data: bytes) -> bytes:
    """The PNG without its ancillary chunks of a wrong checksum: a picture needs none of them (W3C PNG, 13.2)."""
    parts, at = [data[:8]], 8
    for kind, payload in png_chunks(data):
        end = at + 12 + len(payload)
        ancillary = kind[0] & 0x20
        if not ancillary or zlib.crc32(kind + payload).to_bytes(4, "big") == data[end - 4 : end]:
            parts.append(data[at:end])
        at = end
    return b"".join(parts) + data[at:]


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, payload) of each RIFF chunk (RFC 9649)."""
    at = 12
    for _ in range(MOST_PARTS):
        if at + 8 > len(data):
            return
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > len(data):
            return
        yield kind, data[at + 8 : at + 8 + size]
        at += 8 + size + (size & 1)


def gif_texts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, payload) of each comment (`comment`) and application extension (its name) of a GIF (GIF89a)."""
    at = 13 + _colours(data[10:11])
    for _ in range(MOST_PARTS):
        head = data[at : at + 2]
        if head[:1] == b"\x2c":
            at = _blocks_end(data, at + 10 + _colours(data[at + 9 : at + 10]) + 1)
        elif head == b"\x21\xfe":
            end = _blocks_end(data, at + 2)
            yield b"comment", _joined(data, at + 2, end)
            at = end
        elif head == b"\x21\xff" and data[at + 2 : at + 3] == b"\x0b":
            # XMP lies there raw, not in sub-blocks, with a trailer that leads every reader out (XMP part 3, 1.1.2).
            end = _blocks_end(data, at + 14)
            yield data[at + 3 : at + 14], data[at + 14 : end]
            at = end
        elif head[:1] == b"\x21" and len(head) == 2:
            at = _blocks_end(data, at + 2)
        else:
            return


def _colours(flags: bytes) -> int:
    """Bytes of the colour table that a GIF's flags announce."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _blocks_end(data: bytes, at: int) -> int:
    """Where a chain of sub-blocks ends."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def _joined(data: bytes, at: int, end: int) -> bytes:
    parts = []
    while at < min(end, len(data)) and data[at]:
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(parts)


def inflate(data: bytes, limit: int = INFLATE_LIMIT) -> bytes:
    """At most `limit` bytes of a zlib stream; empty where it is not one. A bomb costs no more than the limit."""
    try:
        return zlib.decompressobj().decompress(data, limit)
    except zlib.error:
        return b""
