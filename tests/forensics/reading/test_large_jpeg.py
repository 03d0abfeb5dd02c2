"""JPEGs larger than the limit are decoded at a fraction of their size, bombs are not decoded at all."""

import numpy as np
import pytest
from PIL import Image

from forensics.errors import TooManyPixelsError
from forensics.reading.decode import DecodeLimits, decode
from tests.forensics.pictures import encoded, photo

PICTURE = photo()
PIXELS = PICTURE.shape[0] * PICTURE.shape[1]


@pytest.mark.parametrize(("share", "factor"), [(1, 1), (0.9, 2), (0.25, 2), (0.2, 4), (0.05, 8)])
def test_the_largest_fraction_that_the_limit_allows_is_taken(share: float, factor: int) -> None:
    found = decode(encoded(PICTURE, "JPEG", quality=90), DecodeLimits(round(PIXELS * share)))
    assert found.reading.reduced_by == factor
    assert found.pixels.shape == (PICTURE.shape[0] // factor, PICTURE.shape[1] // factor, 3)


def test_the_reduced_picture_shows_the_same() -> None:
    found = decode(encoded(PICTURE, "JPEG", quality=95), DecodeLimits(PIXELS // 2))
    half = Image.fromarray(PICTURE).reduce(2)
    assert np.abs(found.pixels.astype(int) - np.asarray(half)).mean() < 3


def test_what_no_fraction_fits_is_refused_and_the_setting_is_named() -> None:
    with pytest.raises(TooManyPixelsError, match=r"FETCH_MAX_PIXELS allows 0\.001 million"):
        decode(encoded(PICTURE, "JPEG"), DecodeLimits(1000))


def test_other_formats_are_not_reduced() -> None:
    with pytest.raises(TooManyPixelsError):
        decode(encoded(PICTURE, "PNG"), DecodeLimits(PIXELS - 1))


def test_a_header_that_announces_more_than_the_file_can_hold_is_refused_at_once() -> None:
    data = bytearray(encoded(PICTURE, "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = (12_000).to_bytes(2, "big") + (12_000).to_bytes(2, "big")
    with pytest.raises(TooManyPixelsError):
        decode(bytes(data))
