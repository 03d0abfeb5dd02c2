"""EXIF tags out of strangers' bytes: bounded before piexif reads them, because it believes any count."""

import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import piexif

Tags = Mapping[str, Mapping[int, Any]]

# Bytes per value of each field type (TIFF 6.0, section 2).
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
# piexif cuts these out of the file; of every other type it first builds a format as long as the count says.
_CUT_OUT = {2, 7}
_LONG = 4
# Values do not overlap in an honest file; this leaves room for crooked ones and still ends in milliseconds.
_OVERLAP, _ALWAYS = 4, 1 << 16
_EXIF, _GPS, _INTEROP = piexif.ImageIFD.ExifTag, piexif.ImageIFD.GPSTag, piexif.ExifIFD.InteroperabilityTag


# Several look at the EXIF of one image, one after the other.
@lru_cache(maxsize=1)
def load_exif(exif: bytes) -> Tags | None:
    """The tags of a TIFF block by directory ("0th", "Exif", "GPS"); None where it is damaged or asks for too much."""
    try:
        budget = _OVERLAP * len(exif) + _ALWAYS
        if sum(_costs(exif)) > budget:
            return None
        # Without the prefix piexif would take the bytes for a file name.
        loaded = piexif.load(b"Exif\0\0" + exif)
    except Exception:  # noqa: BLE001 - piexif raises whatever it meets in damaged EXIF
        return None
    return {name: loaded[name] for name in ("0th", "Exif", "GPS")}


def _costs(exif: bytes) -> Iterator[int]:
    """Bytes of each value that piexif would read; ValueError for a directory pointer it would take otherwise."""
    order = "<" if exif[:2] == b"II" else ">"
    (start,) = struct.unpack(f"{order}L", exif[4:8])
    zeroth = _entries(exif, order, start)
    (count,) = struct.unpack(f"{order}H", exif[start : start + 2])
    following = exif[start + 2 + 12 * count :][:4]
    inner = _directory(exif, order, zeroth, _EXIF)
    directories = [
        ("Image", zeroth),
        ("Exif", inner),
        ("GPS", _directory(exif, order, zeroth, _GPS)),
        ("Interop", _directory(exif, order, inner, _INTEROP)),
    ]
    if len(following) == 4 and any(following):
        directories.append(("Image", _entries(exif, order, struct.unpack(f"{order}L", following)[0])))
    for kind, entries in directories:
        for tag, field_type, values, _ in entries:
            if tag in piexif.TAGS[kind]:
                size = values * _SIZES.get(field_type, 0)
                yield min(size, len(exif)) if field_type in _CUT_OUT else size


def _entries(exif: bytes, order: str, at: int) -> list[tuple[int, int, int, int]]:
    """(tag, type, count, value) of the directory at that offset, as far as the bytes go."""
    (count,) = struct.unpack(f"{order}H", exif[at : at + 2])
    whole = min(count, max(len(exif) - at - 2, 0) // 12)
    return list(struct.iter_unpack(f"{order}HHLL", exif[at + 2 : at + 2 + 12 * whole]))


def _directory(
    exif: bytes, order: str, parent: list[tuple[int, int, int, int]], tag: int
) -> list[tuple[int, int, int, int]]:
    pointers = [entry for entry in parent if entry[0] == tag]
    if not pointers:
        return []
    # Of several, piexif follows the last; other types would lead it somewhere else than this walk.
    _, field_type, values, at = pointers[-1]
    if (field_type, values) != (_LONG, 1):
        raise ValueError("a directory pointer is no single LONG")
    return _entries(exif, order, at)
