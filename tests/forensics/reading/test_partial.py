"""Truncated files: the rows that are there are judged, and the reading says what is missing."""

import contextlib
import io
import random
import time

import numpy as np
import pytest
from PIL import Image

from forensics.errors import DecodeFailedError, TooManyPixelsError
from forensics.reading.decode import decode
from tests.forensics.pictures import photo

PICTURE = Image.fromarray(photo()).resize((320, 240))
FILES = {
    "JPEG": {"quality": 90},
    "JPEG 4:4:4": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "PNG palette": {},
    "WEBP": {"quality": 85},
    "WEBP lossless": {"lossless": True},
    "WEBP extended": {"quality": 85, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"},
}


def file_of(kind: str) -> bytes:
    buffer = io.BytesIO()
    image = PICTURE.quantize(64) if kind.endswith("palette") else PICTURE
    image.save(buffer, kind.split()[0], **FILES[kind])
    return buffer.getvalue()


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("kept", [0.95, 0.8, 0.65])
def test_the_rows_that_are_there_are_the_pictures_own(kind: str, kept: float) -> None:
    whole = file_of(kind)
    found = decode(whole[: int(len(whole) * kept)])
    assert found.reading.damaged
    assert 0 < found.reading.missing < 0.5
    assert found.height == round(240 * (1 - found.reading.missing))
    assert np.array_equal(found.pixels, decode(whole).pixels[: found.height])


@pytest.mark.parametrize("kind", FILES)
def test_of_a_file_cut_late_most_rows_are_there(kind: str) -> None:
    whole = file_of(kind)
    assert decode(whole[: int(len(whole) * 0.95)]).reading.missing < 0.25


@pytest.mark.parametrize("kind", FILES)
def test_a_picture_of_which_most_is_missing_is_not_judged(kind: str) -> None:
    whole = file_of(kind)
    with pytest.raises(DecodeFailedError, match="missing"):
        decode(whole[: len(whole) * 3 // 10])


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_jpeg_without_its_end_marker_is_whole_and_says_so(lost: int) -> None:
    whole = file_of("JPEG")
    found = decode(whole[:-lost])
    assert found.reading.damaged
    assert found.reading.missing < 0.1
    if lost <= 2:
        assert np.array_equal(found.pixels, decode(whole).pixels)


def test_a_whole_file_is_not_called_damaged() -> None:
    for kind in FILES:
        reading = decode(file_of(kind)).reading
        assert (reading.damaged, reading.missing, reading.trailing_bytes, reading.frames) == (False, 0, 0, 1), kind


def test_a_progressive_jpeg_without_its_last_scans_is_called_coarse() -> None:
    buffer = io.BytesIO()
    PICTURE.save(buffer, "JPEG", quality=90, progressive=True)
    whole = buffer.getvalue()
    found = decode(whole[: len(whole) * 6 // 10])
    assert found.reading.coarse
    assert found.height == 240
    with pytest.raises(DecodeFailedError, match="coarse preview"):
        decode(whole[: len(whole) // 6])


def test_an_interlaced_png_keeps_the_rows_above_the_first_that_lacks_pixels() -> None:
    # Pillow writes none, so the passes are laid out by hand.
    import struct
    import zlib

    pixels = np.asarray(PICTURE.convert("L"))
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    raw = b"".join(b"\0" + row.tobytes() for left, top, right, down in passes for row in pixels[top::down, left::right])

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 320, 240, 8, 0, 0, 0, 1))
    stream = zlib.compress(raw, 0)
    start = b"\x89PNG\r\n\x1a\n" + header
    whole = start + chunk(b"IDAT", stream) + chunk(b"IEND", b"")
    assert np.array_equal(decode(whole).pixels[..., 0], pixels)
    found = decode(start + chunk(b"IDAT", stream)[: int(len(stream) * 0.9)])
    assert 150 < found.height < 240
    assert np.array_equal(found.pixels[..., 0], pixels[: found.height])


@pytest.mark.parametrize("kind", FILES)
def test_damaged_files_end_in_a_picture_or_a_known_error(kind: str) -> None:
    dice = random.Random(1)
    whole = file_of(kind)
    for _ in range(25):
        damaged = bytearray(whole[: dice.randrange(40, len(whole))])
        for _ in range(dice.randint(0, 3)):
            damaged[dice.randrange(12, len(damaged))] = dice.randrange(256)
        with contextlib.suppress(DecodeFailedError):
            assert decode(bytes(damaged)).height > 0


def test_a_truncated_png_with_two_headers_is_not_completed_by_either() -> None:
    import struct
    import zlib

    whole = file_of("PNG")
    huge = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    first = struct.pack(">I", 13) + huge + struct.pack(">I", zlib.crc32(huge))
    with pytest.raises(DecodeFailedError, match="two headers"):
        decode(whole[:8] + first + whole[8 : len(whole) * 8 // 10])


@pytest.mark.parametrize("extra", [b"", b"\xda\0\0\0broken"])
def test_a_damaged_png_that_announces_billions_of_pixels_is_refused_before_they_are_made(extra: bytes) -> None:
    import struct

    # No checksum that fits, so Pillow does not get as far as the size.
    header = struct.pack(">I", 13) + b"IHDR" + struct.pack(">IIBBBBB", 309, 15_403_836, 8, 4, 0, 0, 1) + bytes(4)
    started = time.process_time()
    with pytest.raises(TooManyPixelsError, match="15403836"):
        decode(b"\x89PNG\r\n\x1a\n" + header + extra)
    assert time.process_time() - started < 1
