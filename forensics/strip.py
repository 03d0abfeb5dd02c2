"""Taking all metadata out of a file without touching its pixels."""

from forensics.containers import png_chunks, webp_chunks
from forensics.sniff import media_type_of

_PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"}
_WEBP_KEPT = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"}
# Flags of a VP8X header that announce ICC profile, EXIF and XMP (RFC 9649, 2.7).
_WEBP_FLAGS = 0b0010_1100
# JFIF and Adobe's colour transform change how a JPEG is decoded; every other APP segment and comment is metadata.
_JPEG_KEPT_APPS = {0xE0, 0xEE}


def strip_metadata(data: bytes) -> bytes:
    """The same JPEG, PNG or WebP without EXIF, XMP, IPTC, C2PA, texts, profiles and trailers; the pixels stay.

    Other formats come back as they are. Raises NotAnImageError for no image, ValueError for a damaged one.
    """
    media_type = media_type_of(data)
    if media_type == "image/jpeg":
        return _strip_jpeg(data)
    if media_type == "image/png":
        return _strip_png(data)
    return _strip_webp(data) if media_type == "image/webp" else data


def _strip_jpeg(data: bytes) -> bytes:
    parts, at = [data[:2]], 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise ValueError("The JPEG is damaged: a marker is missing.")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            break
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            end = _scan_end(data, end)
        metadata = marker == 0xFE or (0xE0 <= marker <= 0xEF and marker not in _JPEG_KEPT_APPS)
        if not metadata:
            parts.append(data[at:end])
        at = end
    return b"".join(parts) + b"\xff\xd9"


def _scan_end(data: bytes, at: int) -> int:
    """Where the entropy-coded data ends: at a marker that is neither a stuffed byte nor a restart."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return len(data)
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7 and data[at + 1] != 0xFF:
            return at
        at += 1 if data[at + 1] == 0xFF else 2


def _strip_png(data: bytes) -> bytes:
    kept, at = [data[:8]], 8
    for kind, payload in png_chunks(data):
        size = 12 + len(payload)
        if kind in _PNG_KEPT:
            kept.append(data[at : at + size])
        at += size
    return b"".join(kept)


def _strip_webp(data: bytes) -> bytes:
    body = b""
    for kind, payload in webp_chunks(data):
        if kind not in _WEBP_KEPT:
            continue
        if kind == b"VP8X":
            payload = bytes([payload[0] & ~_WEBP_FLAGS]) + payload[1:]
        body += kind + len(payload).to_bytes(4, "little") + payload + b"\0" * (len(payload) & 1)
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body
