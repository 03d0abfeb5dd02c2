"""Text hidden in the lowest bits of the alpha channel, as NovelAI and its kin write it."""

import zlib

import numpy as np

from forensics.reading.containers import INFLATE_LIMIT
from forensics.types import ImageSample

_MAGICS = {b"stealth_pngcomp": True, b"stealth_pnginfo": False}
_MAGIC_BITS, _LENGTH_BITS = 15 * 8, 32
_GZIP = 16 + zlib.MAX_WBITS


def read_stealth(sample: ImageSample) -> str | None:
    """The hidden text; None where there is none.

    Bits run down the columns, most significant first: a magic, the payload's length in bits, the payload (gzip
    after `stealth_pngcomp`).
    """
    if sample.alpha is None:
        return None
    columns = sample.alpha.T
    head = np.packbits(columns.flat[: _MAGIC_BITS + _LENGTH_BITS] & 1).tobytes()
    compressed = _MAGICS.get(head[:15])
    if compressed is None or len(head) < 19:
        return None
    start, length = _MAGIC_BITS + _LENGTH_BITS, int.from_bytes(head[15:19], "big")
    if not 0 < length <= min(columns.size - start, 8 * INFLATE_LIMIT):
        return None
    payload = np.packbits(columns.flat[start : start + length] & 1).tobytes()
    return _text(payload, compressed)


def _text(payload: bytes, compressed: bool) -> str | None:
    try:
        raw = zlib.decompressobj(_GZIP).decompress(payload, INFLATE_LIMIT) if compressed else payload
    except zlib.error:
        return None
    return raw.decode("utf-8", "replace")
