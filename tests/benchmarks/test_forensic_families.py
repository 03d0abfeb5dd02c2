"""Every family of forensic features reacts to what it is for, and gives the same names whatever it sees."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import convolve, zoom

from benchmarks.support.forensic.block_dct import BENFORD, block_dct
from benchmarks.support.forensic.channels import channels
from benchmarks.support.forensic.cooccurrences import cooccurrences
from benchmarks.support.forensic.families import FAMILIES
from benchmarks.support.forensic.mosaic import mosaic
from benchmarks.support.forensic.spectrum import RINGS, SECTORS, spectrum
from benchmarks.support.forensic.wavelets import haar, wavelets
from forensics.types import Pixels

SIDE = 160


def _pixels(values: NDArray[np.floating]) -> Pixels:
    if values.ndim == 2:
        values = np.repeat(values[:, :, None], 3, axis=2)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _noise(*shape: int, sigma: float = 20) -> NDArray[np.float64]:
    return 128 + sigma * np.random.default_rng(0).normal(size=shape or (SIDE, SIDE, 3))


def _smooth_colours() -> NDArray[np.float64]:
    return zoom(np.random.default_rng(1).uniform(0, 255, (SIDE // 4, SIDE // 4, 3)), (4, 4, 1), order=1)


def _demosaiced(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """The colours as a sensor with a Bayer mosaic sees them, interpolated bilinearly."""
    found = np.empty_like(colours)
    rows, columns = np.indices(colours.shape[:2]) % 2
    sensed = {0: (rows == 0) & (columns == 0), 1: rows != columns, 2: (rows == 1) & (columns == 1)}
    bilinear = np.outer([0.5, 1, 0.5], [0.5, 1, 0.5])
    for channel, mask in sensed.items():
        kernel = np.array([[0, 0.25, 0], [0.25, 1, 0.25], [0, 0.25, 0]]) if channel == 1 else bilinear
        found[:, :, channel] = convolve(np.where(mask, colours[:, :, channel], 0), kernel, mode="mirror")
    return found


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_has_the_same_names_for_all_pixels_and_no_infinities(name: str) -> None:
    odd = np.random.default_rng(0).integers(0, 256, (97, 135, 3), dtype=np.uint8)
    seen = [_pixels(_noise()), _pixels(_noise(64, 64)), odd, np.zeros((64, 224, 3), np.uint8)]
    found = [FAMILIES[name](pixels) for pixels in seen]
    assert all(list(one) == list(found[0]) for one in found)
    assert not any(math.isinf(value) for one in found for value in one.values())
    assert not any(math.isnan(value) for value in found[0].values())
    assert 20 <= len(found[0]) <= 100


def test_shares_of_cooccurrences_add_up_to_one_and_flatness_is_one_class() -> None:
    found = cooccurrences(_pixels(_noise()))
    for kind in ("line", "square"):
        assert sum(value for name, value in found.items() if name.startswith(kind)) == pytest.approx(1)
    flat = cooccurrences(np.full((64, 64, 3), 90, np.uint8))
    assert (flat["line_+0+0+0"], flat["square_+0+0+0"]) == (1, 1)


def test_cooccurrences_do_not_change_when_the_picture_is_turned_mirrored_or_inverted() -> None:
    # Colours: the brightness of grey pixels is whole, and halves of whole numbers may be rounded either way.
    pixels = _pixels(_smooth_colours() / 2 + _noise() / 4)
    expected = cooccurrences(pixels)
    for changed in (pixels[::-1], pixels[:, ::-1], pixels.transpose(1, 0, 2), 255 - pixels):
        assert cooccurrences(np.ascontiguousarray(changed)) == pytest.approx(expected, abs=1e-3)


def test_the_spectrum_of_white_noise_is_flat() -> None:
    found = spectrum(_pixels(_noise(SIDE, SIDE)))
    assert all(abs(found[f"ring_{place}"]) < 0.5 for place in range(1, RINGS))
    assert all(abs(found[f"sector_{place}"]) < 0.3 for place in range(SECTORS))


def test_the_spectrum_tells_stripes_from_their_direction_and_upsampling_from_its_period() -> None:
    stripes = spectrum(_pixels(128 + 60 * np.sin(np.arange(SIDE) * 2 * np.pi * 0.3)[None].repeat(SIDE, axis=0)))
    assert max(range(SECTORS), key=lambda place: stripes[f"sector_{place}"]) == 0
    steps = _noise(SIDE, SIDE) + 12 * (np.indices((SIDE, SIDE)).sum(axis=0) % 4 == 0)
    plain, grid = spectrum(_pixels(_noise(SIDE, SIDE))), spectrum(_pixels(steps))
    assert grid["peak_4"] > plain["peak_4"] + 1.5
    assert abs(grid["peak_8"] - plain["peak_8"]) < 1


def test_block_dct_tells_normal_from_heavy_tails_and_quantised_from_free_coefficients() -> None:
    free = block_dct(_pixels(_noise(SIDE, SIDE)))
    assert free["kurtosis_7"] == pytest.approx(math.log(3), abs=0.2)
    assert free["power_3"] == pytest.approx(math.log(20**2), abs=0.1)
    digits = np.array([free[f"digit_{digit}"] for digit in range(1, 10)])
    assert digits.sum() == pytest.approx(1)
    smooth = block_dct(_pixels(_smooth_colours()))
    assert smooth["zeros_13"] > free["zeros_13"] + 0.1
    assert BENFORD.sum() == pytest.approx(1)
    assert free["benford"] > 0


def test_a_haar_band_keeps_the_power_and_white_noise_is_flat_over_all_bands() -> None:
    plane = _noise(SIDE, SIDE).astype(np.float32)
    smooth, bands = haar(plane)
    assert sum(np.square(part).sum() for part in (smooth, *bands.values())) == pytest.approx(np.square(plane).sum())
    found = wavelets(_pixels(plane))
    powers = [value for name, value in found.items() if name.startswith("power")]
    assert len(powers) == 9
    assert powers == pytest.approx([math.log(20**2)] * 9, abs=0.25)
    others = [value for name, value in found.items() if name.startswith("with")]
    assert max(map(abs, others)) < 0.15


def test_wavelets_tell_edges_from_noise() -> None:
    edges = wavelets(_pixels(np.kron(np.random.default_rng(0).uniform(0, 255, (20, 20)), np.ones((7, 7)))))
    noise = wavelets(_pixels(_noise(140, 140)))
    assert edges["kurtosis_across1"] > noise["kurtosis_across1"] + 1
    assert edges["with_finer_across2"] > noise["with_finer_across2"] + 0.2


def test_grey_noise_agrees_between_the_channels_and_independent_noise_does_not() -> None:
    grey, independent = channels(_pixels(_noise(SIDE, SIDE))), channels(_pixels(_noise()))
    for scale in (1, 2, 3):
        assert grey[f"red_green_{scale}"] == pytest.approx(1)
        assert math.isnan(grey[f"redder_green_{scale}"])
        assert abs(independent[f"red_green_{scale}"]) < 0.1
        assert independent[f"redder_green_{scale}"] == pytest.approx(-math.sqrt(0.5), abs=0.1)
        assert independent[f"redder_power_{scale}"] == pytest.approx(math.log(2), abs=0.2)


def test_demosaicing_shows_in_every_channel_and_not_in_colours_that_were_all_sensed() -> None:
    colours = _noise(sigma=12)
    sensed, interpolated = mosaic(_pixels(colours)), mosaic(_pixels(_demosaiced(colours)))
    for name in ("red", "green", "blue"):
        assert sensed[f"{name}_worst_to_best"] < 0.1
        assert interpolated[f"{name}_worst_to_best"] > 0.5
        assert interpolated[f"{name}_peak_both"] > sensed[f"{name}_peak_both"] + 1
    assert interpolated["green_checkers"] > 0.5
    assert interpolated["green_diagonals"] > sensed["green_diagonals"] + 1


def test_demosaicing_does_not_depend_on_where_the_mosaic_begins() -> None:
    interpolated = _pixels(_demosaiced(_noise(sigma=12)))
    there, elsewhere = mosaic(interpolated), mosaic(np.ascontiguousarray(interpolated[1:, 1:]))
    assert elsewhere["green_worst_to_best"] == pytest.approx(there["green_worst_to_best"], rel=0.1)
    assert elsewhere["red_worst_to_best"] == pytest.approx(there["red_worst_to_best"], rel=0.1)
