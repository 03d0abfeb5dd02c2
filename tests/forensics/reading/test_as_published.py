"""Files read as the authors of published detectors read them: Pillow's convert("RGB") and nothing else."""

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks.as_published import KINDS
from forensics.reading.decode import DecodeLimits, decode
from tests.forensics.images import photo

PUBLISHED = DecodeLimits(as_published=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_pixels_are_those_of_convert_and_differ_from_ours(kind: str) -> None:
    data = KINDS[kind](np.asarray(photo().convert("RGB")))
    wanted = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    sample = decode(data, PUBLISHED)
    assert np.array_equal(sample.pixels, wanted)
    assert sample.alpha is None
    ours = decode(data).pixels
    # What Pillow makes of 16 bits is its version's affair.
    assert kind == "grey in 16 bits" or ours.shape != wanted.shape or not np.array_equal(ours, wanted)


def test_plain_files_are_the_same_in_both_ways() -> None:
    buffer = io.BytesIO()
    photo().save(buffer, "JPEG")
    data = buffer.getvalue()
    assert np.array_equal(decode(data, PUBLISHED).pixels, decode(data).pixels)


def test_the_limit_of_pixels_holds_in_both_ways() -> None:
    buffer = io.BytesIO()
    photo().save(buffer, "PNG")
    with pytest.raises(Exception, match="million pixels"):
        decode(buffer.getvalue(), DecodeLimits(100, as_published=True))
