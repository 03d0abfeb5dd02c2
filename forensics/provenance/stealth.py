"""Text hidden in the lowest bits of the pixels, as NovelAI, Forge's stealth mode and their kin write it."""

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from forensics.reading.containers import INFLATE_LIMIT
from forensics.types import ImageSample

# Whether what follows is compressed.
_ALPHA = {b"stealth_pngcomp": True, b"stealth_pnginfo": False}
_RGB = {b"stealth_rgbcomp": True, b"stealth_rgbinfo": False}
_MAGIC_BYTES, _HEAD_BITS = 15, 15 * 8 + 32
_GZIP = 16 + zlib.MAX_WBITS
# No lowest bit survives these.
_LOSSY = {"image/jpeg", "image/gif", "image/heic"}


def read_stealth(sample: ImageSample) -> str | None:
    """The hidden text; None where there is none.

    Bits run down the columns, most significant first, in the alpha channel or through red, green and blue of each
    pixel: a magic, the payload's length in bits, the payload (gzip after the magics that end in `comp`).
    """
    if sample.media_type in _LOSSY:
        return None
    for planes, magics in _carriers(sample):
        text = _read(planes, magics)
        if text is not None:
            return text
    return None


def _carriers(sample: ImageSample) -> Iterator[tuple[NDArray[np.uint8], dict[bytes, bool]]]:
    """H x W x channels, with the magics that may stand in it."""
    if sample.alpha is not None:
        yield sample.alpha[:, :, None], _ALPHA
    yield sample.pixels, _RGB


def _read(planes: NDArray[np.uint8], magics: dict[bytes, bool]) -> str | None:
    head = _bits(planes, 0, _HEAD_BITS)
    compressed = magics.get(head[:_MAGIC_BYTES])
    if compressed is None or len(head) * 8 < _HEAD_BITS:
        return None
    length = int.from_bytes(head[_MAGIC_BYTES:], "big")
    if not 0 < length <= min(planes.size - _HEAD_BITS, 8 * INFLATE_LIMIT):
        return None
    return _text(_bits(planes, _HEAD_BITS, length), compressed)


def _bits(planes: NDArray[np.uint8], start: int, length: int) -> bytes:
    """The lowest bits from `start` on, down the columns, as bytes."""
    per_column = planes.shape[0] * planes.shape[2]
    columns = planes[:, : -(-(start + length) // per_column)].transpose(1, 0, 2).ravel()
    return np.packbits(columns[start : start + length] & 1).tobytes()


def _text(payload: bytes, compressed: bool) -> str | None:
    try:
        raw = zlib.decompressobj(_GZIP).decompress(payload, INFLATE_LIMIT) if compressed else payload
    except zlib.error:
        return None
    return raw.decode("utf-8", "replace")
