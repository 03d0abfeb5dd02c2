"""Compression: quality, block grid and a second compression are read from the file and its pixels."""

import numpy as np
import pytest

from forensics.analyzers.compression import analyze
from forensics.reading.decode import decode
from forensics.types import ImageSample, Measured, Skipped
from tests.forensics.pictures import encoded, photo, sample_of

PHOTOS = ("astronaut", "coffee", "chelsea")


def numbers(sample: ImageSample) -> dict[str, float]:
    signal = analyze(sample)
    assert isinstance(signal, Measured)
    return dict(signal.numbers)


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 90, 95])
def test_the_level_is_one_minus_the_quality_it_was_saved_with(quality: int) -> None:
    level = numbers(sample_of(photo(), "JPEG", quality=quality))["compression_level"]
    assert level == pytest.approx(1 - quality / 100, abs=0.02)


def test_other_formats_have_no_level() -> None:
    for image_format in ("PNG", "WEBP", "BMP"):
        found = numbers(sample_of(photo(), image_format))
        assert np.isnan(found["compression_level"])
        assert np.isnan(found["compression_double"])


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize(("first", "second"), [(60, 90), (75, 95), (50, 80)])
def test_two_compressions_show_and_one_does_not(name: str, first: int, second: int) -> None:
    once = sample_of(photo(name), "JPEG", quality=second)
    twice = sample_of(np.array(sample_of(photo(name), "JPEG", quality=first).pixels), "JPEG", quality=second)
    assert numbers(once)["compression_double"] < 0.05
    assert numbers(twice)["compression_double"] > 0.15


@pytest.mark.parametrize("name", PHOTOS)
def test_a_block_grid_shows_after_compression_and_moves_with_a_crop(name: str) -> None:
    compressed = np.array(sample_of(photo(name), "JPEG", quality=60).pixels)
    plain, aligned, cropped = (numbers(sample_of(p)) for p in (photo(name), compressed, compressed[3:, 5:]))
    assert plain["compression_grid"] < 0.1 < aligned["compression_grid"]
    assert (aligned["compression_grid_shifted"], cropped["compression_grid_shifted"]) == (0, 1)


def test_a_tiny_image_is_skipped() -> None:
    assert isinstance(analyze(sample_of(photo()[:20, :20])), Skipped)


def test_a_step_of_zero_in_the_table_leaves_only_the_second_compression_unmeasured() -> None:
    data = bytearray(encoded(photo(), "JPEG", quality=50))
    at = data.index(b"\xff\xdb\0\x43\0") + 5
    data[at + 1] = 0
    found = numbers(decode(bytes(data)))
    assert np.isnan(found["compression_double"])
    assert 0 < found["compression_level"] < 1
