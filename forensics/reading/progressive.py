"""How fine a progressive JPEG is as far as its scans go (ITU-T T.81, annex G)."""

import re
from collections.abc import Iterator
from enum import Enum

from forensics.reading.containers import MOST_PARTS

_START_OF_FRAME, _START_OF_SCAN, _END_OF_IMAGE = 0xC2, 0xDA, 0xD9
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_COEFFICIENTS = 64
_NEVER = 99


def scans_of(data: bytes) -> int:
    """How many scans a JPEG has; those of a thumbnail inside a segment do not count."""
    return sum(marker == _START_OF_SCAN for marker, _ in _parts(data))


class Fineness(Enum):
    """Whether the scans that began are all that the picture needs."""

    FULL = "every scan began"
    COARSE = "the finest bits of some frequencies are missing"
    PREVIEW = "whole frequencies of brightness are missing"


def fineness(data: bytes) -> Fineness | None:
    """The fineness of a progressive JPEG; None for any other JPEG."""
    bits = _missing_bits(data)
    if bits is None:
        return None
    worst = [max(each) for each in bits.values()] or [_NEVER]
    if max(worst) == 0:
        return Fineness.FULL
    return Fineness.COARSE if worst[0] <= 1 else Fineness.PREVIEW


def _missing_bits(data: bytes) -> dict[int, list[int]] | None:
    """Low bits that no scan has given, by component and coefficient; None where the frame is not progressive."""
    found: dict[int, list[int]] | None = None
    for marker, body in _parts(data):
        if marker == _START_OF_FRAME and len(body) >= 6:
            found = {number: [_NEVER] * _COEFFICIENTS for number in body[6::3]}
        elif marker == _START_OF_SCAN and found is not None:
            _note_scan(body, found)
    return found


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, payload) of each segment up to the end of the image, scans included."""
    at = 2
    for _ in range(MOST_PARTS):
        match = _MARKER.search(data, at)
        if match is None:
            return
        marker, at = data[match.end() - 1], match.end()
        size = int.from_bytes(data[at : at + 2], "big")
        body = data[at + 2 : at + size]
        if marker == _END_OF_IMAGE or size < 2:
            return
        yield marker, body
        at += size


def _note_scan(body: bytes, found: dict[int, list[int]]) -> None:
    count = body[0] if body else 0
    if len(body) < 4 + 2 * count:
        return
    first, last, low = body[1 + 2 * count], body[2 + 2 * count], body[3 + 2 * count] & 15
    for number in body[1 : 1 + 2 * count : 2]:
        for coefficient in range(first, min(last, _COEFFICIENTS - 1) + 1):
            if number in found:
                found[number][coefficient] = low
