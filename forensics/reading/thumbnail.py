"""The thumbnail inside EXIF: a small JPEG that the second directory of the TIFF block points at (DC-008, 4.5.8)."""

import io
import struct
import warnings

from PIL import Image

_OFFSET, _LENGTH = 0x0201, 0x0202
# DC-008 says 160 x 120; some cameras write larger ones, none as large as this.
MOST_PIXELS = 1024 * 1024


def thumbnail_of(exif: bytes) -> Image.Image | None:
    """The thumbnail in a TIFF block as a grey picture; None where there is none that can be read."""
    data = _jpeg_of(exif)
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=("JPEG",))
            if image.width * image.height > MOST_PIXELS:
                return None
            return image.convert("L")
    except Exception:  # noqa: BLE001 - a stranger's thumbnail may be damaged in any way
        return None


def _jpeg_of(exif: bytes) -> bytes:
    order = "<" if exif[:2] == b"II" else ">"
    try:
        (first,) = struct.unpack_from(f"{order}L", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, first)
        (second,) = struct.unpack_from(f"{order}L", exif, first + 2 + 12 * count)
        if not second:
            return b""
        (count,) = struct.unpack_from(f"{order}H", exif, second)
        entries = {}
        for index in range(min(count, 64)):
            tag, _, _, value = struct.unpack_from(f"{order}HHLL", exif, second + 2 + 12 * index)
            entries[tag] = value
    except struct.error:
        return b""
    start = entries.get(_OFFSET, 0)
    return exif[start : start + entries.get(_LENGTH, 0)]
