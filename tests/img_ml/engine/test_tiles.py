"""Tiles: they make up the image, fit a network, and keep their distance from cut edges."""

import numpy as np
import pytest

from img_ml.engine.tiles import spans, tiles


@pytest.mark.parametrize("length", [1, 7, 99, 100, 101, 107, 180, 188, 500, 8000])
def test_spans_make_up_the_axis_and_keep_the_halo(length: int) -> None:
    found = spans(length, side=100, halo=44)
    assert [place for span in found for place in range(length)[span.own]] == list(range(length))
    for span in found:
        assert span.size == min(length, 100)
        assert 0 <= span.start <= span.start + span.size <= length
        assert span.start == 0 or span.first - span.start >= 44
        assert span.start + span.size == length or span.start + span.size - span.last >= 44
        assert range(length)[span.seen][span.kept] == range(length)[span.own]


def test_tiles_put_an_image_together_again() -> None:
    image = np.random.default_rng(0).random((150, 333))
    whole = np.zeros_like(image)
    for tile in tiles(*image.shape, side=64, halo=20):
        window = image[tile.rows.seen, tile.columns.seen]
        assert window.shape == (64, 64)
        whole[tile.rows.own, tile.columns.own] = window[tile.rows.kept, tile.columns.kept]
    assert np.array_equal(whole, image)


def test_a_tile_that_is_all_halo_is_refused() -> None:
    with pytest.raises(ValueError, match="wider"):
        spans(100, side=20, halo=10)
