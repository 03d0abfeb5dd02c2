"""Statistics: entropy, tone and colour of images whose values are known."""

import numpy as np
import pytest

from forensics.analyzers.statistics import analyze
from forensics.types import Measured, Pixels, Skipped
from tests.forensics.pictures import sample_of


def numbers(pixels: Pixels) -> dict[str, float]:
    signal = analyze(sample_of(pixels))
    assert isinstance(signal, Measured)
    return dict(signal.numbers)


def test_entropy_is_zero_for_one_level_one_for_two_and_eight_for_all() -> None:
    flat = np.full((64, 64, 3), 90, dtype=np.uint8)
    two = flat.copy()
    two[:32] = 200
    ramp = np.arange(256, dtype=np.uint8).repeat(256).reshape(256, 256)[:, :, None].repeat(3, axis=2)[:, :224]
    assert numbers(flat)["image_entropy"] == pytest.approx(0)
    assert numbers(two)["image_entropy"] == pytest.approx(1)
    assert numbers(np.ascontiguousarray(ramp.transpose(1, 0, 2)[:, :]))["image_entropy"] > 7.7


def test_grey_has_no_colour_and_pure_red_is_saturated() -> None:
    grey, red = np.full((64, 64, 3), 128, dtype=np.uint8), np.zeros((64, 64, 3), dtype=np.uint8)
    red[..., 0] = 255
    assert numbers(grey)["colour_saturation"] == 0
    assert numbers(grey)["colour_colourfulness"] == pytest.approx(0, abs=1e-3)
    assert numbers(red)["colour_saturation"] == 1
    assert numbers(red)["colour_colourfulness"] > 50


def test_dark_and_bright_shares_count_the_ends() -> None:
    image = np.full((100, 64, 3), 128, dtype=np.uint8)
    image[:25], image[25:35] = 0, 255
    found = numbers(image)
    assert found["tone_dark_share"] == pytest.approx(0.25)
    assert found["tone_bright_share"] == pytest.approx(0.10)


def test_a_small_image_is_skipped() -> None:
    assert isinstance(analyze(sample_of(np.zeros((10, 10, 3), dtype=np.uint8))), Skipped)
