"""AVIF: what a picture costs is what its own header says, whatever its container announces."""

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image

from forensics.errors import DecodeFailedError, TooManyPixelsError
from forensics.reading.avif import coded_size
from forensics.reading.decode import DecodeLimits, decode


def avif(size: tuple[int, int], frames: int = 1, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    first, *others = (Image.new(mode, size, (number, 90, 40, 128)[: len(mode)]) for number in range(frames))
    first.save(file, "AVIF", save_all=frames > 1, append_images=others, speed=10, **options)
    return file.getvalue()


def announcing(data: bytes, size: tuple[int, int]) -> bytes:
    """The file with another size in each of its announcements (`ispe`, and the track's and its sample entry's)."""
    for name, at, packed in (
        (b"ispe", 8, struct.pack(">II", *size)),
        (b"av01", 4 + 24, struct.pack(">HH", *size)),
        (b"tkhd", 4 + 4 + 88, struct.pack(">II", size[0] << 16, size[1] << 16)),
    ):
        place = data.find(name)
        while place >= 0:
            if name != b"av01" or data[place + 4 : place + 10] == bytes(6):
                data = data[: place + at] + packed + data[place + at + len(packed) :]
            place = data.find(name, place + 4)
    return data


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (64, 48), (1001, 333), (20, 4000)])
def test_the_size_is_the_coded_one(size, mode, frames):
    data = avif(size, frames, mode)
    assert coded_size(data) == size
    assert coded_size(announcing(data, (7, 9))) == size


@pytest.mark.parametrize("frames", [1, 3])
def test_a_lying_announcement_is_refused_by_the_real_size(frames):
    data = announcing(avif((1500, 1000), frames), (64, 64))
    with pytest.raises(TooManyPixelsError, match="1500 x 1000"):
        decode(data, DecodeLimits(1_000_000))
    assert decode(avif((1000, 1000), frames), DecodeLimits(1_000_000)).width == 1000


def test_parts_that_lie_over_each_other_again_and_again_are_refused_at_once():
    count = 20_000
    entries = b"".join(struct.pack(">HHHII", number, 0, 1, 0, 4_000_000) for number in range(count))
    iloc = b"iloc" + bytes(4) + b"\x44\x00" + struct.pack(">H", count) + entries
    meta = b"meta" + bytes(4) + struct.pack(">I", len(iloc) + 4) + iloc
    data = struct.pack(">I", len(meta) + 4) + meta + bytes(4_000_000)
    started = time.process_time()
    with pytest.raises(DecodeFailedError, match="too many parts"):
        coded_size(data)
    assert time.process_time() - started < 3


def test_damaged_containers_cost_nothing_and_say_nothing():
    data, drawn = avif((64, 48), 3), np.random.default_rng(0)
    started = time.process_time()
    for _ in range(300):
        damaged = bytearray(data[: drawn.integers(20, len(data))])
        for place in drawn.integers(0, min(len(damaged), 900), 8):
            damaged[place] = drawn.integers(0, 256)
        try:
            width, height = coded_size(bytes(damaged))
        except DecodeFailedError:
            continue
        assert 0 <= width <= 2**16
        assert 0 <= height <= 2**16
    assert time.process_time() - started < 20
