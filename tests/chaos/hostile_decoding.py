"""A decoder that images can take over by what stands at their end, in the worker's real decoding processes."""

from forensics.examine import Examined
from forensics.reading.decode import DecodeLimits
from forensics.sandbox import examination
from forensics.types import ImageSample
from tests.worker import hostile

HANG, CRASH, BLOAT = b"then hang", b"then crash", b"then bloat"

_decode, _examine_bytes = examination.decode, examination.examine_bytes


def examine_bytes(
    data: bytes, limits: DecodeLimits, analyzers: tuple[str, ...], keep_pixels: bool, frame: int = 1
) -> Examined:
    """As in the real worker, under its limits, with the decoder below."""
    examination.decode = decode
    return _examine_bytes(data, limits, analyzers, keep_pixels, frame)


def decode(data: bytes, limits: DecodeLimits, frame: int = 1) -> ImageSample:
    if data.endswith(HANG):
        hostile.hang()
    if data.endswith(CRASH):
        hostile.crash()
    if data.endswith(BLOAT):
        swollen = []
        while True:
            swollen.append(bytearray(64 * 1024 * 1024))
    return _decode(data, limits, frame)
