"""Broken and hostile files end in one of the known errors, quickly and without eating memory."""

import json
import os
import random
import struct
import subprocess
import sys
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from forensics.errors import DecodeFailedError, JobError, NotAnImageError, TooManyPixelsError
from forensics.reading.decode import DecodeLimits, decode
from tests.forensics.images import WRITERS, file_of, oversized, packed_zeros, photo, png_announcing, png_chunk
from tests.forensics.pictures import encoded

ROOT = Path(__file__).parents[3]
FUZZ_ROUNDS = 25
# A zlib bomb of this size weighs about half a megabyte.
BOMB_BYTES = 500 << 20
ONE_PIXEL = zlib.compress(b"\0\x80")

# Decodes standard input in a process of its own and says how much its peak memory grew.
MEASURE = """
import json, sys, time
from forensics.reading.decode import decode
from forensics.errors import JobError
def peak():
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmHWM")) / 1024
data = sys.stdin.buffer.read()
before, started, outcome = peak(), time.perf_counter(), "decoded"
try:
    decode(data)
except JobError as error:
    outcome = error.code
print(json.dumps([outcome, peak() - before, time.perf_counter() - started]))
"""


@dataclass(frozen=True)
class Cost:
    outcome: str
    mebibytes: float
    seconds: float


def cost_of(data: bytes) -> Cost:
    """What decoding the bytes costs in a fresh process."""
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory is read from /proc")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], input=data, capture_output=True, env=environment, check=True, timeout=120
    )
    return Cost(*json.loads(done.stdout))


def test_a_small_png_of_81_million_pixels_is_refused_at_once() -> None:
    data = png_announcing(9000, 9000, packed_zeros(9_000_000))
    assert len(data) < 12_000
    cost = cost_of(data)
    assert cost.outcome == "too_many_pixels"
    assert cost.mebibytes < 20
    assert cost.seconds < 0.5


@pytest.mark.parametrize("media_type", WRITERS)
def test_every_format_is_capped_by_what_its_header_announces(media_type: str) -> None:
    cost = cost_of(oversized(media_type, 9000))
    assert cost.outcome == "too_many_pixels"
    assert cost.mebibytes < 20
    assert cost.seconds < 0.5


@pytest.mark.parametrize("media_type", sorted(set(WRITERS) - {"image/jpeg"}))
def test_the_cap_is_exact(media_type: str) -> None:
    data = file_of(photo(), media_type)
    assert decode(data, DecodeLimits(max_pixels=96 * 64)).width == 96
    with pytest.raises(TooManyPixelsError, match="96 x 64"):
        decode(data, DecodeLimits(max_pixels=96 * 64 - 1))


@pytest.mark.parametrize("side", [20_000, 65_535])
@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg", "image/gif", "image/bmp", "image/tiff"])
def test_sizes_beyond_the_library_limit_are_too_many_pixels_too(media_type: str, side: int) -> None:
    with pytest.raises(TooManyPixelsError):
        decode(oversized(media_type, side))


def test_a_gif_frame_larger_than_its_screen_is_capped() -> None:
    data = bytearray(file_of(photo(), "image/gif"))
    at = data.index(b",\0\0\0\0")
    data[at + 5 : at + 9] = struct.pack("<HH", 9000, 9000)
    with pytest.raises(TooManyPixelsError):
        decode(bytes(data))


def test_a_second_png_header_after_the_pixels_changes_nothing() -> None:
    data = png_announcing(1, 1, ONE_PIXEL)
    second = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    at = data.index(b"IEND") - 4
    cost = cost_of(data[:at] + second + data[at:])
    assert cost.outcome in ("decoded", "decode_failed")
    assert cost.mebibytes < 40


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"iCCP", b"profile\0\0" + packed_zeros(BOMB_BYTES)),
        png_chunk(b"zTXt", b"Comment\0\0" + packed_zeros(BOMB_BYTES)),
        png_chunk(b"iTXt", b"Comment\0\1\0\0\0" + packed_zeros(BOMB_BYTES)),
        b"".join(png_chunk(b"zTXt", b"%d\0\0" % i + packed_zeros(1_000_000)) for i in range(300)),
    ],
    ids=["iCCP", "zTXt", "iTXt", "many zTXt"],
)
def test_compressed_png_metadata_cannot_eat_memory(chunk: bytes) -> None:
    cost = cost_of(png_announcing(1, 1, ONE_PIXEL, chunk))
    assert cost.outcome in ("decoded", "decode_failed")
    assert cost.mebibytes < 150
    assert cost.seconds < 5


def test_pixel_data_longer_than_the_image_cannot_eat_memory() -> None:
    assert cost_of(png_announcing(1, 1, packed_zeros(BOMB_BYTES))).mebibytes < 60


@pytest.mark.parametrize("media_type", ["image/tiff", "image/avif"])
def test_a_file_cut_in_half_fails_to_decode(media_type: str) -> None:
    data = file_of(photo(), media_type)
    with pytest.raises(DecodeFailedError):
        decode(data[: len(data) // 2])


@pytest.mark.parametrize("data", [b"", bytes(20), b"<html><body>Not Found</body></html>" * 20])
def test_what_is_not_an_image_is_called_so(data: bytes) -> None:
    with pytest.raises(NotAnImageError):
        decode(data)


@pytest.mark.parametrize("media_type", WRITERS)
def test_a_header_alone_fails_to_decode(media_type: str) -> None:
    with pytest.raises(DecodeFailedError):
        decode(file_of(photo(), media_type)[:40])


def test_a_jpeg_without_segments_is_told_as_damaged() -> None:
    with pytest.raises(DecodeFailedError, match="header cannot be read"):
        decode(b"\xff\xd8\xff" + bytes(40))


def test_complaints_are_one_short_printable_line() -> None:
    data = file_of(photo())
    with pytest.raises(DecodeFailedError) as caught:
        decode(data.replace(b"IDAT", b"ID\x1b\n"))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 220


@cache
def rich_file(media_type: str) -> bytes:
    """A small file that also carries EXIF, so that its readers are fuzzed with it."""
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = 6
    carries = media_type not in ("image/gif", "image/bmp")
    return file_of(photo(size=(48, 32)), media_type, **({"exif": exif.tobytes()} if carries else {}))


def broken(data: bytes, seed: int) -> bytes:
    """The file with seeded damage: flipped bits, cut off, stretches overwritten, or another format's start."""
    dice = random.Random(seed)
    kind = seed % 4
    if kind == 0:
        return data[: dice.randrange(len(data))]
    changed = bytearray(data)
    if kind == 1:
        for _ in range(dice.randint(1, 40)):
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    elif kind == 2:
        start = dice.randrange(len(changed))
        changed[start : start + dice.randint(1, 64)] = dice.randbytes(dice.randint(0, 64))
    else:
        other = rich_file(dice.choice(list(WRITERS)))
        length = dice.choice((4, 12, 32))
        changed[:length] = other[:length]
    return bytes(changed)


@pytest.mark.parametrize("media_type", WRITERS)
def test_damage_of_any_kind_ends_in_pixels_or_a_known_error(media_type: str) -> None:
    outcomes = set()
    for seed in range(FUZZ_ROUNDS * 4):
        data = broken(rich_file(media_type), seed)
        try:
            sample = decode(data, DecodeLimits(max_pixels=1_000_000))
        except JobError as error:
            outcomes.add(error.code)
        else:
            outcomes.add("decoded")
            assert sample.pixels.dtype == np.uint8, seed
            assert sample.pixels.shape == (sample.height, sample.width, 3), seed
    assert "decode_failed" in outcomes
    assert outcomes <= {"decoded", "not_an_image", "too_many_pixels", "decode_failed"}


@pytest.mark.parametrize("image_format", ["GIF", "BMP", "HEIF"])
def test_a_file_that_ends_early_is_told_in_one_short_sentence(image_format: str) -> None:
    whole = encoded(np.asarray(photo())[:96, :96], image_format)
    with pytest.raises(DecodeFailedError) as raised:
        decode(whole[: len(whole) * 3 // 4])
    assert len(str(raised.value)) < 120
    assert str(raised.value).count(".") == 1
