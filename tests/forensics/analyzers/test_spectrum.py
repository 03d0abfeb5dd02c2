"""Spectrum: resampling and periodic patterns show as peaks, photographs as they are do not."""

import numpy as np
import pytest

from forensics.analyzers.spectrum import analyze
from forensics.types import Measured, Pixels, Skipped
from tests.forensics.pictures import photo, resized, sample_of

PHOTOS = ("astronaut", "coffee", "chelsea")


def numbers(pixels: Pixels) -> dict[str, float]:
    signal = analyze(sample_of(pixels))
    assert isinstance(signal, Measured)
    return dict(signal.numbers)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize(("factor", "period"), [(1.5, 3.0), (1.3, 4.333)])
def test_a_resampled_image_repeats_its_sharpness(name: str, factor: float, period: float) -> None:
    before, after = numbers(photo(name)), numbers(resized(photo(name), factor))
    assert after["spectrum_periodicity"] > 4 * before["spectrum_periodicity"]
    assert after["spectrum_period"] == pytest.approx(period, rel=0.02)


@pytest.mark.parametrize("name", PHOTOS)
def test_doubling_shows_in_every_second_pixel_and_fourfold_in_every_fourth(name: str) -> None:
    before = numbers(photo(name))
    assert numbers(resized(photo(name), 2))["spectrum_every_second"] > before["spectrum_every_second"] + 0.5
    assert numbers(resized(photo(name), 4))["spectrum_every_fourth"] > before["spectrum_every_fourth"] + 3


@pytest.mark.parametrize("frequency", [0.15, 0.31])
def test_an_added_wave_is_found_at_its_frequency(frequency: float) -> None:
    pixels = photo().astype(np.float64)
    pixels += 3 * np.sin(2 * np.pi * frequency * np.arange(pixels.shape[1]))[None, :, None]
    found = numbers(np.clip(pixels, 0, 255).astype(np.uint8))
    assert found["spectrum_peak"] > numbers(photo())["spectrum_peak"] + 2
    assert found["spectrum_peak_frequency"] == pytest.approx(frequency, abs=0.01)


def test_white_noise_has_a_flat_profile_and_blur_a_falling_one() -> None:
    noise = np.random.default_rng(0).integers(60, 200, (256, 256, 1), dtype=np.uint8).repeat(3, axis=2)
    flat = [numbers(noise)[f"spectrum_band_{band:02d}"] for band in range(1, 16)]
    assert max(flat) - min(flat) < 0.3
    smooth = numbers(resized(noise, 4))
    assert smooth["spectrum_band_15"] < smooth["spectrum_band_02"] - 1.5
    assert smooth["spectrum_slope"] < -1


def test_numbers_do_not_depend_on_how_often_the_image_repeats() -> None:
    tile = photo("coffee")[:224, :224]
    once, often = numbers(tile), numbers(np.tile(tile, (2, 3, 1)))
    for band in range(16):
        assert often[f"spectrum_band_{band:02d}"] == pytest.approx(once[f"spectrum_band_{band:02d}"], abs=0.01)


def test_a_small_image_is_skipped() -> None:
    assert isinstance(analyze(sample_of(photo()[:40, :40])), Skipped)
