"""JPEG XL: the size of the picture from its header alone (ISO/IEC 18181-1, SizeHeader), and the plugin, if it is here.

The plugin decodes the whole picture on opening, so a size too large must be refused before.
"""

import contextlib
from collections.abc import Iterator

from forensics.errors import DecodeFailedError

CODESTREAM, CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
_MOST_BOXES, _HEADER = 1000, 32
_WIDTH_BITS = (9, 13, 18, 30)
# Width to height, by the ratio's number; 0 says that the width follows.
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
readable = False
with contextlib.suppress(ImportError):
    import pillow_jxl  # noqa: F401 - importing it registers the plugin with Pillow

    readable = True


def is_jxl(head: bytes) -> bool:
    """Whether a file begins as JPEG XL does, bare or in its container."""
    return head.startswith((CODESTREAM, CONTAINER))


def jxl_size(data: bytes) -> tuple[int, int]:
    """Width and height; DecodeFailedError where the header has none."""
    stream = data[:_HEADER] if data.startswith(CODESTREAM) else _codestream(data)
    if len(stream) < 12:
        raise DecodeFailedError("The image/jxl file has no readable header.")
    bits = _Bits(int.from_bytes(stream[2:], "little"))
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    if ratio:
        numerator, denominator = _RATIOS[ratio]
        return height * numerator // denominator, height
    return _side(bits, small), height


class _Bits:
    """Bits of a number from the least upwards, as JPEG XL packs them."""

    def __init__(self, value: int) -> None:
        self._value = value

    def take(self, count: int) -> int:
        taken = self._value & ((1 << count) - 1)
        self._value >>= count
        return taken


def _side(bits: _Bits, small: int) -> int:
    if small:
        return 8 * (bits.take(5) + 1)
    return bits.take(_WIDTH_BITS[bits.take(2)]) + 1


def jxl_boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, payload) of each box of a container; none of a bare stream. What Brotli compressed stays so."""
    at = 0
    for _ in range(_MOST_BOXES if data.startswith(CONTAINER) else 0):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size == 0:
            size = len(data) - at
        if size < 8:
            return
        yield kind, data[at + 8 : at + size]
        at += size


def _codestream(data: bytes) -> bytes:
    """The first bytes of the codestream in a container, which may lie in parts; empty where it has none."""
    stream = b""
    for kind, payload in jxl_boxes(data):
        if kind == b"jxlc":
            return payload[:_HEADER]
        if kind == b"jxlp":
            # A part begins with its number.
            stream += payload[4 : 4 + _HEADER]
        if len(stream) >= _HEADER:
            break
    return stream
