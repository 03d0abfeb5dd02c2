"""Noise: grain that was put in is measured as what it is."""

import numpy as np
import pytest

from forensics.analyzers.noise import PATTERN_VIEWS, analyze, correlation
from forensics.types import Measured, Pixels
from tests.forensics.pictures import photo, sample_of


def numbers(pixels: Pixels) -> dict[str, float]:
    signal = analyze(sample_of(pixels))
    assert isinstance(signal, Measured)
    return dict(signal.numbers)


def grainy(sigma: float, *, colour: bool, base: float = 128) -> Pixels:
    noise = np.random.default_rng(0).normal(0, sigma, (224, 224, 3 if colour else 1))
    return np.clip(np.rint(base + noise + np.zeros(3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [2.0, 6.0, 15.0])
def test_grain_strength_follows_the_noise(sigma: float) -> None:
    # The square residual of white noise has the norm of its kernel, 6 / 4, times the noise's deviation.
    assert numbers(grainy(sigma, colour=False))["noise_sigma"] == pytest.approx(1.5 * sigma, rel=0.06)


def test_grey_grain_agrees_between_channels_and_coloured_grain_does_not() -> None:
    grey, coloured = numbers(grainy(5, colour=False)), numbers(grainy(5, colour=True))
    assert grey["noise_red_green"] == pytest.approx(1.0)
    assert coloured["noise_red_green"] == pytest.approx(0.0, abs=0.05)
    assert grey["noise_chroma"] < 0.05 < 1 < coloured["noise_chroma"]


def test_normal_grain_has_normal_tails() -> None:
    assert numbers(grainy(10, colour=False))["noise_tails"] == pytest.approx(np.log(3), abs=0.1)


def test_grain_that_grows_with_brightness_has_a_slope() -> None:
    random = np.random.default_rng(0)
    ramp = np.linspace(30, 220, 224)[None, :, None]
    photons = ramp + random.normal(0, 1, (224, 224, 1)) * np.sqrt(ramp)
    even = ramp + random.normal(0, 8, (224, 224, 1))
    as_image = [np.clip(np.rint(x + np.zeros(3)), 0, 255).astype(np.uint8) for x in (photons, even)]
    assert numbers(as_image[0])["noise_gain"] == pytest.approx(0.5, abs=0.1)
    assert numbers(as_image[1])["noise_gain"] == pytest.approx(0.0, abs=0.1)


def test_rows_and_columns_are_told_apart() -> None:
    rows = np.random.default_rng(0).normal(128, 20, (1, 224, 1)).repeat(224, axis=0)
    image = np.clip(rows + np.zeros(3), 0, 255).astype(np.uint8)
    assert numbers(image)["noise_anisotropy"] > 3
    assert numbers(np.ascontiguousarray(image.transpose(1, 0, 2)))["noise_anisotropy"] < -3


def test_a_colour_mosaic_leaves_a_trace_in_the_green_channel() -> None:
    random = np.random.default_rng(0)
    green = random.normal(128, 10, (224, 224))
    rows, columns = np.indices(green.shape)
    missing = (rows + columns) % 2 == 1
    neighbours = (np.roll(green, 1, 0) + np.roll(green, -1, 0) + np.roll(green, 1, 1) + np.roll(green, -1, 1)) / 4
    demosaiced = np.where(missing, neighbours, green)
    plain, mosaic = (
        numbers(np.clip(np.dstack([g] * 3), 0, 255).astype(np.uint8))["noise_mosaic"] for g in (green, demosaiced)
    )
    assert mosaic > plain + 0.3


def test_pattern_shares_of_one_view_add_up_to_one() -> None:
    found = numbers(photo())
    for view in PATTERN_VIEWS:
        total = sum(value for name, value in found.items() if name.startswith(f"pattern_{view}_"))
        assert total == pytest.approx(1.0)


def test_a_flat_image_has_no_grain_and_unknown_correlations() -> None:
    found = numbers(np.full((100, 100, 3), 77, dtype=np.uint8))
    assert found["noise_sigma"] == 0
    assert np.isnan(found["noise_red_green"])


def test_correlation_of_a_constant_is_unknown() -> None:
    assert np.isnan(correlation(np.zeros((4, 4), dtype=np.float32), np.ones((4, 4), dtype=np.float32)))
