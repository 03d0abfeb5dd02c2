"""AVIF: the sizes of its coded pictures from their own headers, which the container's announcement need not match.

Containers are boxes (ISO/IEC 14496-12; items: `iloc`, sequences: `stsc`, `stsz`, `stco`); the pictures in them are AV1,
whose sequence header says how large their frames may be (AV1 specification, 5.5). Decoders scale what they decoded to
the announced size.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from forensics.errors import DecodeFailedError

_MOST_PARTS = 20_000
_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_MOST_UNITS = 200_000
# A thumbnail may lie inside a picture's bytes, but nothing lies there many times.
_MOST_TIMES = 3
_LONGEST_HEADER = 1024
_SEQUENCE_HEADER = 1


def coded_size(data: bytes) -> tuple[int, int]:
    """Width and height of the largest coded picture; (0, 0) where no header of one is found.

    Raises DecodeFailedError for a file whose parts lie over each other many times, or are too many to look at.
    """
    sizes, left, units = [(0, 0)], _MOST_TIMES * len(data), 0
    for sample in _samples(data):
        left -= len(sample)
        for kind, unit in _units(sample):
            units += 1
            if kind == _SEQUENCE_HEADER:
                sizes.append(_frame_size(_HighBits(unit)))
        if left < 0 or units > _MOST_UNITS:
            raise DecodeFailedError("The image/avif file has too many parts.")
    return max(sizes, key=lambda size: size[0] * size[1])


def _samples(data: bytes) -> Iterator[bytes]:
    """The bytes of each item and of each sample of a sequence."""
    for kind, body in _boxes(data):
        if kind == b"meta":
            boxes = dict(_boxes(body[4:]))
            yield from _items(_Fields(boxes.get(b"iloc", b"")), data, boxes.get(b"idat", b""))
        elif kind == b"moov":
            yield from _tracks(body, data)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    for _ in range(_MOST_PARTS):
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = len(data) - at
        if size < head or len(kind) < 4:
            return
        yield kind, data[at + head : at + size]
        at += size


def _items(iloc: "_Fields", data: bytes, idat: bytes) -> Iterator[bytes]:
    version = iloc.take(1)
    iloc.take(3)
    sizes = iloc.take(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    for _ in range(min(iloc.take(wide), _MOST_PARTS)):
        iloc.take(wide)
        within = iloc.take(2) & 15 if version else 0
        iloc.take(2)
        base, parts = iloc.take(base_size), []
        for _ in range(min(iloc.take(2), _MOST_PARTS)):
            if iloc.done:
                return
            iloc.take(index_size if version else 0)
            start, length = base + iloc.take(offset_size), iloc.take(length_size)
            source = idat if within == 1 else data
            parts.append(source[start : start + length] if length else source[start:])
        yield b"".join(parts)


def _tracks(body: bytes, data: bytes) -> Iterator[bytes]:
    tables: dict[bytes, _Fields] = {}
    for kind, inner in _boxes(body):
        if kind in _CONTAINERS:
            yield from _tracks(inner, data)
        tables[kind] = _Fields(inner, 4)
    if b"stsz" in tables and b"stsc" in tables:
        wide = 8 if b"co64" in tables else 4
        chunks = _numbers(tables.get(b"stco") or tables.get(b"co64") or _Fields(b""), wide)
        yield from _in_chunks(data, chunks, _numbers(tables[b"stsc"], 4, 3), _sample_sizes(tables[b"stsz"]))


def _numbers(table: "_Fields", wide: int, columns: int = 1) -> list[int]:
    count = min(table.take(4), _MOST_PARTS) * columns
    return [table.take(wide) for _ in range(count) if not table.done]


def _sample_sizes(table: "_Fields") -> list[int]:
    same = table.take(4)
    return [same] * min(table.take(4), _MOST_PARTS) if same else _numbers(table, 4)


def _in_chunks(data: bytes, chunks: list[int], runs: list[int], sizes: list[int]) -> Iterator[bytes]:
    """The samples; `runs` are triples: from which chunk on, so many samples a chunk, of which description."""
    per_chunk = dict(zip(runs[::3], runs[1::3], strict=False))
    left, many = iter(sizes), 1
    for number, at in enumerate(chunks, 1):
        many = per_chunk.get(number, many)
        for _ in range(min(many, _MOST_PARTS)):
            size = next(left, None)
            if size is None:
                return
            yield data[at : at + size]
            at += size


def _units(sample: bytes) -> Iterator[tuple[int, bytes]]:
    """The kind and the first bytes of each open bitstream unit in a chain (AV1 specification, 5.3)."""
    at = 0
    for _ in range(_MOST_PARTS):
        if at >= len(sample):
            return
        head = sample[at]
        at += 2 if head & 4 else 1
        size = len(sample) - at
        if head & 2:
            size = 0
            for place in range(8):
                byte = sample[at] if at < len(sample) else 0
                size |= (byte & 127) << 7 * place
                at += 1
                if not byte & 128:
                    break
        yield head >> 3 & 15, sample[at : at + min(size, _LONGEST_HEADER)]
        at += size


def _frame_size(bits: "_HighBits") -> tuple[int, int]:
    bits.take(4)
    if bits.take(1):
        bits.take(5)
    else:
        _skip_operating_points(bits)
    width, height = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width) + 1, bits.take(height) + 1


def _skip_operating_points(bits: "_HighBits") -> None:
    delay = 0
    if bits.take(1):
        bits.take(64)
        if bits.take(1):
            zeros = 0
            while not bits.take(1) and zeros < 32:
                zeros += 1
            bits.take(zeros)
        if bits.take(1):
            delay = bits.take(5) + 1
            bits.take(42)
    displayed = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay and bits.take(1):
            bits.take(2 * delay + 1)
        if displayed and bits.take(1):
            bits.take(4)


@dataclass(slots=True)
class _Fields:
    """Big-endian numbers one after another; zeros where the bytes end."""

    data: bytes
    at: int = 0

    def take(self, size: int) -> int:
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "big")

    @property
    def done(self) -> bool:
        return self.at >= len(self.data)


class _HighBits:
    """Bits one after another, the highest first; zeros where they end."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        shifted = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return shifted & ((1 << count) - 1)
