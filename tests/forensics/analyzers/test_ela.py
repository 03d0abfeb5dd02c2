"""Error levels: what was pasted in lights up, and numbers mean what they say."""

import numpy as np
import pytest

from forensics.analyzers.ela import analyze
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
    heatmap = measured(sample_of(spliced())).heatmap
    assert heatmap is not None
    inside = heatmap[26:37, 26:37].mean()
    outside = np.delete(heatmap, slice(25, 38), axis=0).mean()
    assert inside > 4 * outside


def test_a_splice_raises_the_share_of_blocks_that_stand_out() -> None:
    whole = measured(sample_of(photo(), "JPEG", quality=60)).numbers
    edited = measured(sample_of(spliced())).numbers
    assert edited["ela_outlier_share"] > whole["ela_outlier_share"] + 0.01
    assert edited["ela_peak"] > 2 * whole["ela_peak"]


def test_an_image_already_compressed_at_that_quality_hardly_changes_again() -> None:
    fresh = measured(sample_of(photo())).numbers["ela_mean"]
    again = measured(sample_of(photo(), "JPEG", quality=90, subsampling=0)).numbers["ela_mean"]
    assert again < fresh / 2


def test_the_map_covers_every_whole_block_also_over_several_strips() -> None:
    tall = np.tile(photo(), (3, 1, 1))
    signal = measured(sample_of(tall))
    assert signal.heatmap is not None
    assert signal.heatmap.shape == (tall.shape[0] // 8, tall.shape[1] // 8)
    assert signal.numbers["ela_mean"] == pytest.approx(measured(sample_of(photo())).numbers["ela_mean"], rel=0.02)


def test_a_flat_image_stays_dark() -> None:
    signal = measured(sample_of(np.full((64, 64, 3), 90, dtype=np.uint8)))
    assert signal.heatmap is not None
    assert signal.heatmap.max() < 0.2


def test_an_image_smaller_than_a_block_is_skipped() -> None:
    assert isinstance(analyze(sample_of(np.zeros((7, 30, 3), dtype=np.uint8))), Skipped)


def test_an_image_wider_than_a_jpeg_can_be_is_skipped_and_a_taller_one_is_not() -> None:
    wide = np.zeros((16, 65_501, 3), dtype=np.uint8)
    signal = analyze(sample_of(wide))
    assert isinstance(signal, Skipped)
    assert "wider than 65500 px" in signal.reason
    assert isinstance(analyze(sample_of(wide[:, :-1])), Measured)
    assert isinstance(analyze(sample_of(np.ascontiguousarray(wide.transpose(1, 0, 2)))), Measured)
