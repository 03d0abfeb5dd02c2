"""Error levels: what was pasted in lights up, and numbers mean what they say."""

import numpy as np
import pytest

from forensics.analyzers.ela import SPEC, analyze, heatmap
from forensics.registry import get
from forensics.types import Measured, Skipped
from tests.forensics.pictures import photo, sample_of


def measured(sample) -> Measured:
    signal = analyze(sample)
    assert isinstance(signal, Measured)
    return signal


def spliced() -> np.ndarray:
    """A strongly compressed photograph with an uncompressed, noisy region pasted in at rows and columns 200 to 300."""
    pixels = np.array(sample_of(photo(), "JPEG", quality=60).pixels)
    noise = np.random.default_rng(0).normal(0, 25, (100, 100, 3))
    pixels[200:300, 200:300] = np.clip(photo()[200:300, 200:300] + noise, 0, 255).astype(np.uint8)
    return pixels


def test_a_spliced_region_lights_up() -> None:
    shown = heatmap(sample_of(spliced()))
    assert shown is not None
    inside = shown[26:37, 26:37].mean()
    outside = np.delete(shown, slice(25, 38), axis=0).mean()
    assert inside > 4 * outside


def test_a_splice_raises_the_share_of_blocks_that_stand_out() -> None:
    whole = measured(sample_of(photo(), "JPEG", quality=60)).numbers
    edited = measured(sample_of(spliced())).numbers
    assert edited["ela_outlier_share"] > whole["ela_outlier_share"] + 0.01
    assert edited["ela_peak"] > 1.5 * whole["ela_peak"]


def test_an_image_already_compressed_at_that_quality_hardly_changes_again() -> None:
    fresh = measured(sample_of(photo())).numbers["ela_mean"]
    again = measured(sample_of(photo(), "JPEG", quality=90, subsampling=0)).numbers["ela_mean"]
    assert again < fresh / 2


def test_the_map_covers_every_whole_block_also_over_several_strips() -> None:
    tall = np.tile(photo(), (3, 1, 1))[:-5, :-3]
    once, often = heatmap(sample_of(photo())), heatmap(sample_of(tall))
    assert once is not None
    assert often is not None
    assert often.shape == (tall.shape[0] // 8, tall.shape[1] // 8)
    assert often[-65:-1].mean() == pytest.approx(once[:, :-1].mean(), rel=0.05)


def test_the_map_is_drawn_only_when_asked() -> None:
    assert measured(sample_of(photo())).heatmap is None
    assert get(SPEC.name).heatmap is heatmap


def test_numbers_of_a_large_image_are_those_of_its_parts() -> None:
    large = measured(sample_of(np.tile(photo(), (3, 3, 1)))).numbers
    assert large["ela_mean"] == pytest.approx(measured(sample_of(photo())).numbers["ela_mean"], rel=0.1)


def test_a_flat_image_stays_dark() -> None:
    shown = heatmap(sample_of(np.full((64, 64, 3), 90, dtype=np.uint8)))
    assert shown is not None
    assert shown.max() < 0.2


def test_an_image_smaller_than_a_block_is_skipped() -> None:
    small = sample_of(np.zeros((7, 30, 3), dtype=np.uint8))
    assert isinstance(analyze(small), Skipped)
    assert heatmap(small) is None


@pytest.mark.parametrize("shape", [(16, 65_520), (65_520, 16)])
def test_an_image_longer_than_a_jpeg_can_be_is_measured_and_drawn(shape: tuple[int, int]) -> None:
    long = sample_of(np.zeros((*shape, 3), dtype=np.uint8))
    assert isinstance(analyze(long), Measured)
    shown = heatmap(long)
    assert shown is not None
    assert shown.shape == (shape[0] // 8, shape[1] // 8)
