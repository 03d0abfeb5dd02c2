"""Crops: at native resolution, on the grid of JPEG's blocks, spread over the whole picture, and means without NaN."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensics.crops import (
    CROP,
    MAX_CROPS,
    MIN_SIDE,
    SPREAD,
    mean_numbers,
    mean_over_crops,
    native_crops,
    spread_crops,
    too_small_reason,
)
from forensics.types import Pixels

SIDES = st.integers(MIN_SIDE, 1500)


def places(height: int, width: int) -> Pixels:
    """An image whose pixels tell where they lie: row and column, less their last bits, and both last bits."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([rows // 8, columns // 8, rows % 8 * 8 + columns % 8]).astype(np.uint8)


def corners(crops: list[Pixels]) -> list[tuple[int, int]]:
    """The row and column of each crop's first pixel."""
    return [
        (int(crop[0, 0, 0]) * 8 + int(crop[0, 0, 2]) // 8, int(crop[0, 0, 1]) * 8 + int(crop[0, 0, 2]) % 8)
        for crop in crops
    ]


@given(SIDES, SIDES)
def test_every_crop_begins_on_the_grid_of_blocks_and_keeps_its_pixels(height: int, width: int) -> None:
    image = places(height, width)
    for crops in (native_crops(image), spread_crops(image)):
        for crop, (top, left) in zip(crops, corners(crops), strict=True):
            assert top % 8 == left % 8 == 0
            assert np.array_equal(crop, image[top : top + CROP, left : left + CROP])
            assert crop.shape[:2] == (min(height, CROP), min(width, CROP))


@pytest.mark.parametrize(("height", "width"), [(1000, 1400), (1400, 1000), (900, 900), (336, 448)])
def test_the_crops_reach_from_edge_to_edge(height: int, width: int) -> None:
    image = places(height, width)
    native, spread = corners(native_crops(image)), corners(spread_crops(image))
    assert len(set(native)) == MAX_CROPS
    assert len(set(spread)) == SPREAD
    assert set(spread) <= set(native)
    for found in (native, spread):
        for axis, length in enumerate((height, width)):
            begins = [corner[axis] for corner in found]
            assert min(begins) == 0
            assert length - CROP - 8 < max(begins) <= length - CROP


def test_three_crops_lie_in_zigzag_along_the_longer_side() -> None:
    assert corners(spread_crops(places(1000, 1400))) == [(0, 0), (776, 584), (0, 1176)]
    assert corners(spread_crops(places(1400, 1000))) == [(0, 0), (584, 776), (1176, 0)]


def test_six_crops_are_two_lines_of_three_along_the_longer_side() -> None:
    assert corners(native_crops(places(1000, 1400))) == [(top, left) for top in (0, 776) for left in (0, 584, 1176)]
    assert corners(native_crops(places(1400, 1000))) == [(top, left) for top in (0, 584, 1176) for left in (0, 776)]


def test_a_square_is_cropped_as_a_wide_picture() -> None:
    assert corners(spread_crops(places(900, 900))) == [(0, 0), (672, 336), (0, 672)]


def test_a_side_that_is_hardly_longer_than_a_crop_is_cropped_in_its_middle() -> None:
    # 111 pixels are left over, less than half a crop; from 112 on, crops lie at either end.
    assert corners(native_crops(places(CROP + 111, CROP + 111))) == [(48, 48)]
    assert corners(spread_crops(places(CROP + 50, CROP))) == [(24, 0)]
    assert len(native_crops(places(CROP + 112, CROP))) == 3
    assert corners(native_crops(places(MIN_SIDE, 100))) == [(0, 0)]


def test_an_image_with_too_short_a_side_gives_no_crop() -> None:
    for crops in (native_crops, spread_crops):
        assert crops(places(MIN_SIDE - 1, 500)) == crops(places(500, MIN_SIDE - 1)) == []
        assert len(crops(places(MIN_SIDE, MIN_SIDE))) == 1
    assert len(spread_crops(places(20, 500), least=20)) == 3
    assert spread_crops(places(20, 500), least=21) == []
    assert mean_over_crops(places(MIN_SIDE - 1, 500), lambda crop: {"a": 1.0}) is None
    assert str(MIN_SIDE) in too_small_reason()


def test_numbers_are_means_over_the_spread_crops() -> None:
    image = places(1000, 1400)
    found = mean_over_crops(image, lambda crop: {"row": float(crop[0, 0, 0]), "one": 1.0})
    assert found == {"row": pytest.approx(776 / 8 / 3), "one": 1.0}


def test_a_crop_that_could_not_be_measured_does_not_count() -> None:
    found = mean_numbers([{"a": 1.0, "b": math.nan}, {"a": math.nan, "b": math.nan}, {"a": 4.0, "b": math.nan}])
    assert found["a"] == 2.5
    assert math.isnan(found["b"])
