"""What is left of a JPEG, PNG or WebP that ends early: the rows that are there.

A PNG's rows are counted where its stream breaks off. The others are completed by different fillings: from the row on
where two pictures differ, the file said nothing.
"""

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from forensics.errors import DecodeFailedError
from forensics.reading.containers import png_chunks
from forensics.reading.progressive import Fineness, fineness

# With less of its rows, a picture is not judged.
LEAST_THERE = 0.5
# Chroma is interpolated and block edges are smoothed across so many rows.
_BLENDED = 16
_STRIP = 256
# The flag of VP8X that says so (RFC 9649).
_ANIMATED = 2
_JPEG_END = b"\xff\xd9"
_FILLER = bytes(range(1, 255)) * 16
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# The seven passes of Adam7: first column, first row, step in columns, step in rows (W3C PNG, 8.1).
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))

Load = Callable[[bytes], Image.Image]
# Raises TooManyPixelsError where an image of that width and height may not be decoded.
Check = Callable[[tuple[int, int]], None]


@dataclass(frozen=True, slots=True)
class Partial:
    """The picture cut to the rows that are there, and the share of rows that are not.

    A `coarse` one has all its rows, but scans that would make them finer are missing.
    """

    image: Image.Image
    missing: float
    coarse: bool = False


def rows_there(data: bytes, media_type: str, load: Load, check: Check) -> Partial:
    """The rows that a damaged file still holds; `load` decodes a whole file of that type, `check` refuses its size.

    Raises DecodeFailedError where fewer than half are there, and whatever `load` raises where nothing can be decoded.
    """
    fine = fineness(data) if media_type == "image/jpeg" else None
    if fine is Fineness.PREVIEW:
        raise DecodeFailedError("The image/jpeg file is damaged or truncated: only a coarse preview is there.")
    if fine is Fineness.COARSE:
        return Partial(load(_fillings(data, media_type)[0]), 0.0, coarse=True)
    if media_type == "image/png":
        whole, rows = _completed_png(data, load, check)
    else:
        whole, rows = _compared(_fillings(data, media_type), media_type, load)
    missing = 1 - rows / whole.height
    if missing <= LEAST_THERE:
        return Partial(whole.crop((0, 0, whole.width, rows)) if missing else whole, missing)
    if fine is Fineness.FULL:
        return Partial(whole, 0.0, coarse=True)
    raise _too_little(media_type, missing)


def _too_little(media_type: str, missing: float) -> DecodeFailedError:
    return DecodeFailedError(
        f"The {media_type} file is damaged or truncated: {missing:.0%} of the picture is missing, too much to judge."
    )


def _compared(fillings: Sequence[bytes], media_type: str, load: Load) -> tuple[Image.Image, int]:
    """The picture of the first filling that decodes, and how many of its rows the next one leaves as they are."""
    found: list[Image.Image] = []
    for filling in fillings:
        try:
            found.append(load(filling))
        except Exception:
            # Some fillings are no valid code; of the last there is no other to try.
            if filling is fillings[-1]:
                raise
        if len(found) == 2:
            break
    one, other = found[0], found[-1]
    if one is other:
        raise DecodeFailedError(f"The {media_type} file is damaged: it cannot be decoded.")
    first = _first_difference(one, other)
    return one, first if first == one.height else max(first - first % _BLENDED, 1)


def _first_difference(one: Image.Image, other: Image.Image) -> int:
    """The first row in which two pictures of one size differ, looked for in strips; the height where none does."""
    for top in range(0, one.height, _STRIP):
        box = (0, top, one.width, min(top + _STRIP, one.height))
        strips = [np.asarray(image.crop(box)) for image in (one, other)]
        differs = np.nonzero((strips[0] != strips[1]).reshape(len(strips[0]), -1).any(axis=1))[0]
        if len(differs):
            return top + int(differs[0])
    return one.height


def _fillings(data: bytes, media_type: str) -> tuple[bytes, ...]:
    return _jpeg_fillings(data) if media_type == "image/jpeg" else _webp_fillings(data)


def _jpeg_fillings(data: bytes) -> tuple[bytes, ...]:
    # A file cut inside a marker would make another marker of the filling.
    body = data.rstrip(b"\xff").removesuffix(_JPEG_END)
    return body + _JPEG_END, body + _FILLER + _JPEG_END


def _webp_fillings(data: bytes) -> tuple[bytes, ...]:
    """The file with its last chunk filled to more than the length that it announces."""
    body = _first_frame(data)
    at, lacking = _last_chunk(body)
    # Lossless data may take more bits for any filling than it would have taken for the picture.
    more = 4 * lacking + 4096
    more += (len(body) + more) & 1
    size = struct.pack("<I", len(body) + more - at - 8)
    repeated = (_FILLER * (more // len(_FILLER) + 1))[:more]
    start = body[: at + 4] + size + body[at + 8 :]
    return tuple(_riff(start + filler) for filler in (bytes(more), repeated, b"\x55" * more, b"\xff" * more))


def _last_chunk(body: bytes) -> tuple[int, int]:
    """Where the last chunk begins, and the bytes that it announces and lacks."""
    at = end = 0
    while end + 8 <= len(body):
        at, size = end, int.from_bytes(body[end + 4 : end + 8], "little")
        end += 8 + size + (size & 1)
    # A header may announce gigabytes; a picture that lacks more than it has is not judged anyway.
    if end - len(body) > len(body):
        raise DecodeFailedError("The image/webp file is damaged or truncated: most of the picture is missing.")
    return at, max(end - len(body), 0)


def _first_frame(data: bytes) -> bytes:
    """The chunks of the picture, or of an animation's first frame without the rest."""
    body = data[12:]
    if body[:4] != b"VP8X" or len(body) < 9 or not body[8] & _ANIMATED:
        return body
    at = body.find(b"ANMF")
    if at < 0:
        return body
    size = int.from_bytes(body[at + 4 : at + 8], "little")
    return body[at + 24 : at + 8 + size]


def _riff(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _completed_png(data: bytes, load: Load, check: Check) -> tuple[Image.Image, int]:
    """The picture with zeros where its stream breaks off, and how many rows it holds until there."""
    chunks, stream, header = _png_parts(data)
    width, height, depth, colour, interlaced = *struct.unpack(">IIBB", header[:10]), header[12]
    # Nobody has looked at the size yet where Pillow could not read the header, and zeros are cheap to announce.
    check((width, height))
    rows = _adam7_rows(width, height) if interlaced else [(width, height)]
    lengths = [1 + (columns * depth * _PNG_CHANNELS[colour] + 7) // 8 for columns, _ in rows]
    total = sum(length * count for length, (_, count) in zip(lengths, rows, strict=True))
    raw = _inflated(stream, total)
    there = _interlaced_rows(len(raw), lengths, rows, height) if interlaced else len(raw) // lengths[0]
    if there < height * (1 - LEAST_THERE):
        raise _too_little("image/png", 1 - there / height)
    filled = zlib.compress(raw + bytes(total - len(raw)), 1)
    body = b"".join(_chunk(kind, payload) for kind, payload in chunks)
    whole = load(data[:8] + _chunk(b"IHDR", header) + body + _chunk(b"IDAT", filled) + _chunk(b"IEND", b""))
    return whole, min(there, height)


def _png_parts(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes, bytes]:
    """The chunks that a picture needs, its compressed stream with what is left of the last chunk, its header."""
    header, at = b"", 8
    chunks, stream = [], []
    for kind, payload in png_chunks(data):
        at += 12 + len(payload)
        if kind == b"IHDR":
            # Decoders disagree on which of several counts, so the size that was checked may be another one.
            if header:
                raise DecodeFailedError("The image/png file is damaged: it has two headers.")
            header = payload
        elif kind == b"IDAT":
            stream.append(payload)
        elif kind in (b"PLTE", b"tRNS", b"eXIf") and not stream:
            chunks.append((kind, payload))
    if data[at + 4 : at + 8] == b"IDAT":
        stream.append(data[at + 8 :])
    if len(header) != 13 or header[9] not in _PNG_CHANNELS:
        raise DecodeFailedError("The image/png file is damaged: its header cannot be read.")
    return chunks, b"".join(stream), header


def _inflated(stream: bytes, limit: int) -> bytes:
    """What the stream holds until it breaks off, at most `limit` bytes."""
    inflater, parts, size = zlib.decompressobj(), [], 0
    try:
        for at in range(0, len(stream), 4096):
            parts.append(inflater.decompress(stream[at : at + 4096], limit - size + 1))
            size += len(parts[-1])
            if size > limit:
                break
    except zlib.error:
        pass
    return b"".join(parts)[:limit]


def _adam7_rows(width: int, height: int) -> list[tuple[int, int]]:
    """Columns and rows of each pass; a pass without columns has no rows."""
    found = []
    for left, top, right, down in _ADAM7:
        columns, rows = max(0, -(-(width - left) // right)), max(0, -(-(height - top) // down))
        found.append((columns, rows if columns else 0))
    return found


def _interlaced_rows(size: int, lengths: list[int], rows: list[tuple[int, int]], height: int) -> int:
    """Whole rows of the picture: those above the first that the last pass lacks."""
    before = sum(length * count for length, (_, count) in zip(lengths[:-1], rows[:-1], strict=True))
    return min(2 * (max(size - before, 0) // lengths[-1]), height)


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))
