"""EXIF tags out of strangers' bytes, tag by tag: one that cannot be read is left out, the others are kept."""

import struct
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import piexif

Tags = Mapping[str, Mapping[int, Any]]

# Format of one value of each field type, by struct's letters (TIFF 6.0, section 2; 13 is a directory's offset).
_FORMATS = {1: "B", 3: "H", 4: "L", 6: "b", 8: "h", 9: "l", 11: "f", 12: "d", 13: "L"}
_FRACTIONS = {5: "LL", 10: "ll"}
# Bytes as they are: ASCII, UNDEFINED, and UTF-8 of EXIF 3.0.
_TEXTS, _UNDEFINED = {2, 129}, 7
_POINTERS = {3: "H", 4: "L", 13: "L"}
# Values do not overlap in an honest file; this leaves room for crooked ones and still ends in milliseconds.
_OVERLAP, _ALWAYS = 4, 1 << 22
# Numbers become Python's, one by one; bytes are cut out in one go.
_NUMBERS_COST = 16
MOST_ENTRIES = 2000
_INNER = {"Exif": piexif.ImageIFD.ExifTag, "GPS": piexif.ImageIFD.GPSTag}
_Entry = tuple[int, int, int, bytes]


# Several look at the EXIF of one image, one after the other.
@lru_cache(maxsize=1)
def load_exif(exif: bytes) -> Tags | None:
    """The tags of a TIFF block by directory ("0th", "Exif", "GPS", "1st"); None where it has no first directory.

    Values are as piexif gives them: bytes for text and undefined types, (numerator, denominator) for fractions, a
    number where there is one, else a tuple. Tags of unknown types and those whose values lie outside the block are
    left out, as are all after the values read exceed a few times the block's size.
    """
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 8:
        return None
    reader = _Reader(exif, order)
    (start,) = struct.unpack(f"{order}L", exif[4:8])
    entries = reader.entries(start)
    if entries is None:
        return None
    found = {"0th": reader.values(entries), "1st": reader.values(reader.following(start))}
    for name, tag in _INNER.items():
        at = reader.pointer(entries, tag)
        found[name] = reader.values(reader.entries(at) or []) if at else {}
    return found


class _Reader:
    """One TIFF block, and how many bytes of values may still be read from it."""

    def __init__(self, block: bytes, order: str) -> None:
        self._block = block
        self._order = order
        self._budget = _OVERLAP * len(block) + _ALWAYS

    def entries(self, at: int) -> list[_Entry] | None:
        """(tag, type, count, value or offset) of the directory there, as far as the bytes go; None outside them."""
        head = self._block[at : at + 2]
        if len(head) < 2:
            return None
        (count,) = struct.unpack(f"{self._order}H", head)
        whole = min(count, (len(self._block) - at - 2) // 12, MOST_ENTRIES)
        return list(struct.iter_unpack(f"{self._order}HHL4s", self._block[at + 2 : at + 2 + 12 * whole]))

    def following(self, at: int) -> list[_Entry]:
        """The entries of the directory after the one there; none where there is no other."""
        (count,) = struct.unpack(f"{self._order}H", self._block[at : at + 2])
        pointer = self._block[at + 2 + 12 * count :][:4]
        if len(pointer) < 4 or not any(pointer):
            return []
        return self.entries(struct.unpack(f"{self._order}L", pointer)[0]) or []

    def pointer(self, entries: list[_Entry], tag: int) -> int:
        """The offset that an entry holds; 0 where there is none."""
        for number, kind, count, inline in entries:
            if number == tag and kind in _POINTERS and count == 1:
                letter = _POINTERS[kind]
                (at,) = struct.unpack_from(f"{self._order}{letter}", inline)
                return int(at)
        return 0

    def values(self, entries: Iterable[_Entry]) -> dict[int, Any]:
        """The values that can be read, by tag; of several for one tag the last."""
        return {tag: value for tag, kind, count, inline in entries for value in self._value(kind, count, inline)}

    def _value(self, kind: int, count: int, inline: bytes) -> Iterator[Any]:
        size = count * _size_of(kind)
        cost = size if kind in _TEXTS or kind == _UNDEFINED else size * _NUMBERS_COST
        if size == 0 or cost > self._budget:
            return
        raw = inline[:size] if size <= 4 else self._at(inline, size)
        if len(raw) < size and kind not in _TEXTS:
            return
        self._budget -= cost
        if kind in _TEXTS:
            yield raw.removesuffix(b"\0")
        elif kind == _UNDEFINED:
            yield raw
        else:
            yield self._numbers(kind, count, raw)

    def _at(self, offset: bytes, size: int) -> bytes:
        (start,) = struct.unpack(f"{self._order}L", offset)
        return self._block[start : start + size]

    def _numbers(self, kind: int, count: int, raw: bytes) -> Any:
        if kind in _FRACTIONS:
            fractions = tuple(struct.iter_unpack(f"{self._order}{_FRACTIONS[kind]}", raw))
            return fractions if count > 1 else fractions[0]
        numbers = struct.unpack(f"{self._order}{count}{_FORMATS[kind]}", raw)
        return numbers if count > 1 else numbers[0]


def _size_of(kind: int) -> int:
    """Bytes per value of a field type; 0 for one that is not known."""
    if kind in _TEXTS or kind == _UNDEFINED:
        return 1
    return struct.calcsize(f"<{_FRACTIONS.get(kind) or _FORMATS.get(kind, '')}")
