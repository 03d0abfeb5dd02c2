"""Taking all metadata out of a file without touching its pixels."""

from forensics.reading.containers import png_chunks, webp_chunks
from forensics.reading.sniff import media_type_of

# gAMA is part of what the numbers mean; no analyzer applies it, and it says nothing of where the image comes from.
_PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"}
_WEBP_KEPT = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"}
_WEBP_PICTURES = {b"VP8 ", b"VP8L", b"ANMF"}
# Flags of a VP8X header that announce ICC profile, EXIF and XMP (RFC 9649, 2.7).
_WEBP_FLAGS = 0b0010_1100
# JFIF and Adobe's colour transform change how a JPEG is decoded; every other APP segment and comment is metadata.
_JPEG_KEPT_APPS = {0xE0: b"JFIF\0", 0xEE: b"Adobe"}
_JPEG_STANDALONE = {0x01, *range(0xD0, 0xD9)}


def strip_metadata(data: bytes) -> bytes:
    """The same JPEG, PNG or WebP without EXIF, XMP, IPTC, C2PA, texts, profiles and trailers; the pixels stay.

    EXIF takes the orientation with it: the pixels then lie as they are stored. Other formats come back as they are.
    Raises NotAnImageError for no image, ValueError for a damaged one.
    """
    media_type = media_type_of(data)
    if media_type == "image/jpeg":
        return _strip_jpeg(data)
    if media_type == "image/png":
        return _strip_png(data)
    return _strip_webp(data) if media_type == "image/webp" else data


def _strip_jpeg(data: bytes) -> bytes:
    parts, at, scans = [data[:2]], 2, 0
    while at + 2 <= len(data):
        if data[at] != 0xFF:
            raise ValueError("The JPEG is damaged: a marker is missing.")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker == 0xD9:
            parts.append(data[at : at + 2])
            break
        elif marker in _JPEG_STANDALONE:
            at += 2
        else:
            end = _segment_end(data, at)
            if marker == 0xDA:
                scans += 1
                end = _scan_end(data, end)
            if not _is_metadata(marker, data[at + 4 : end]):
                parts.append(data[at:end])
            at = end
    if not scans:
        raise ValueError("The JPEG is damaged: it has no picture.")
    return b"".join(parts)


def _segment_end(data: bytes, at: int) -> int:
    size = int.from_bytes(data[at + 2 : at + 4], "big")
    if size < 2 or at + 2 + size > len(data):
        raise ValueError("The JPEG is damaged: a segment does not fit.")
    return at + 2 + size


def _is_metadata(marker: int, payload: bytes) -> bool:
    if marker in _JPEG_KEPT_APPS:
        return not payload.startswith(_JPEG_KEPT_APPS[marker])
    return marker == 0xFE or 0xE0 <= marker <= 0xEF


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
    kept, at, kind = [data[:8]], 8, b""
    for kind, payload in png_chunks(data):
        size = 12 + len(payload)
        if kind in _PNG_KEPT:
            kept.append(data[at : at + size])
        at += size
    if kind != b"IEND":
        raise ValueError("The PNG is damaged: it has no end, or too many parts before it.")
    return b"".join(kept)


def _strip_webp(data: bytes) -> bytes:
    body, kinds = [], set()
    for kind, payload in webp_chunks(data):
        if kind not in _WEBP_KEPT:
            continue
        kinds.add(kind)
        if kind == b"VP8X":
            payload = bytes(byte & ~_WEBP_FLAGS for byte in payload[:1]) + payload[1:]
        body.append(kind + len(payload).to_bytes(4, "little") + payload + b"\0" * (len(payload) & 1))
    if not kinds & _WEBP_PICTURES:
        raise ValueError("The WebP is damaged: it has no picture.")
    whole = b"WEBP" + b"".join(body)
    return b"RIFF" + len(whole).to_bytes(4, "little") + whole
