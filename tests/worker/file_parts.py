"""Where the parts of an image file lie and where their lengths and its size are written, for damaging them."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_CONTAINERS = {
    b"meta": 4,
    b"iprp": 0,
    b"ipco": 0,
    b"iinf": 6,
    b"moov": 0,
    b"trak": 0,
    b"mdia": 0,
    b"minf": 0,
    b"stbl": 0,
}


@dataclass(frozen=True, slots=True)
class Part:
    """A segment, chunk, box or directory entry: its bytes, and the number in it that says how long it is."""

    start: int
    end: int
    length_at: int
    length_format: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number in the file: where, and in which `struct` format."""

    at: int
    format: str


def parts(data: bytes) -> list[Part]:
    """The parts of a file whose format has any."""
    if data[:2] == b"\xff\xd8":
        return list(_jpeg(data))
    if data[:4] == b"\x89PNG":
        return list(_png(data))
    if data[:4] == b"RIFF":
        return list(_riff(data))
    if data[4:8] == b"ftyp":
        return list(_boxes(data, 0, len(data)))
    return list(_tiff(data)) if data[:2] == b"II" else []


def _jpeg(data: bytes) -> Iterator[Part]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield Part(at, end, at + 2, ">H")
        if data[at + 1] == 0xDA:
            return
        at = end


def _png(data: bytes) -> Iterator[Part]:
    at = 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield Part(at, end, at, ">I")
        at = end


def _riff(data: bytes) -> Iterator[Part]:
    yield Part(0, len(data), 4, "<I")
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + size + (size & 1)
        yield Part(at, end, at + 4, "<I")
        at = end


def _boxes(data: bytes, at: int, stop: int) -> Iterator[Part]:
    while at + 8 <= stop:
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + size if size >= 8 else stop
        yield Part(at, end, at, ">I")
        if kind in _CONTAINERS:
            yield from _boxes(data, at + 8 + _CONTAINERS[kind], end)
        at = end


def _tiff(data: bytes) -> Iterator[Part]:
    """The entries of the first directory: tag, type, count, value."""
    for start, _ in _tiff_tags(data):
        yield Part(start, start + 12, start + 4, "<I")


def _tiff_tags(data: bytes) -> Iterator[tuple[int, int]]:
    at = struct.unpack_from("<I", data, 4)[0]
    for index in range(struct.unpack_from("<H", data, at)[0]):
        start = at + 2 + 12 * index
        yield start, struct.unpack_from("<H", data, start)[0]


def sizes(data: bytes) -> list[tuple[Number, Number]]:
    """Where width and height stand in a file as it was written; VP8L, which packs them into bits, has none here."""
    if data[:2] == b"\xff\xd8":
        frames = (p.start for p in parts(data) if data[p.start + 1] in (0xC0, 0xC1, 0xC2))
        return [_pair(at + 7, at + 5, ">H") for at in frames]
    if data[:4] == b"\x89PNG":
        return [_pair(16, 20, ">I")]
    if data[:3] == b"GIF":
        image = data.index(b",\0\0\0\0")
        return [_pair(6, 8, "<H"), _pair(image + 5, image + 7, "<H")]
    if data[:2] == b"BM":
        return [_pair(18, 22, "<i")]
    if data[:4] == b"RIFF":
        return _webp_sizes(data)
    if data[4:8] == b"ftyp":
        found = (p.start for p in parts(data) if data[p.start + 4 : p.start + 8] == b"ispe")
        return [_pair(at + 12, at + 16, ">I") for at in found]
    by_tag = {tag: start + 8 for start, tag in _tiff_tags(data)}
    return [_pair(by_tag[256], by_tag[257], "<H")]


def _webp_sizes(data: bytes) -> list[tuple[Number, Number]]:
    if data[12:16] == b"VP8 ":
        return [_pair(26, 28, "<H")]
    return [_pair(24, 27, "<H")] if data[12:16] == b"VP8X" else []


def _pair(width_at: int, height_at: int, number_format: str) -> tuple[Number, Number]:
    return Number(width_at, number_format), Number(height_at, number_format)


def with_true_checksums(data: bytes) -> bytes:
    """The PNG with every chunk's checksum made right, so that a decoder goes on; other files as they are."""
    if data[:4] != b"\x89PNG":
        return data
    mended = bytearray(data)
    for part in parts(data):
        if part.end <= len(data):
            struct.pack_into(">I", mended, part.end - 4, zlib.crc32(mended[part.start + 4 : part.end - 4]))
    return bytes(mended)
