"""Random crops for training: what they may show, that they repeat, and that both classes get the same ones."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from img_ml.data.dataset import Row
from img_ml.train.augment import augmented, random_view, validation_view
from img_ml.train.pixel_store import PixelStore, build_pixel_store
from tests.img_ml.train.conftest import picture

SIDE = 96


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.asarray(picture(1, smooth=False))


def views(pixels: np.ndarray, count: int) -> list[np.ndarray]:
    return [random_view(pixels, SIDE, np.random.default_rng([0, k])) for k in range(count)]


def test_a_seed_gives_one_view_and_others_another(pixels: np.ndarray) -> None:
    first, again = views(pixels, 8), views(pixels, 8)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({view.tobytes() for view in first}) == 8


@pytest.mark.parametrize("shape", [(260, 300), (96, 300), (40, 500), (97, 96)])
def test_every_view_is_a_square_of_pixels_whatever_the_image(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for view in views(image, 20):
        assert view.shape == (SIDE, SIDE, 3)
        assert view.dtype == np.uint8


def test_views_differ_in_grain_and_place_and_some_are_grey(pixels: np.ndarray) -> None:
    drawn = views(pixels, 200)
    grain = np.array([np.abs(np.diff(view.astype(float), axis=1)).mean() for view in drawn])
    own = np.abs(np.diff(pixels.astype(float), axis=1)).mean()
    assert grain.min() < own / 3
    assert grain.max() > own
    grey = sum(np.array_equal(view[..., 0], view[..., 2]) for view in drawn)
    assert 5 <= grey <= 45


def test_a_view_holds_nothing_but_the_image_where_nothing_was_changed(pixels: np.ndarray) -> None:
    windows = np.lib.stride_tricks.sliding_window_view(pixels[..., 0], (8, 8)).reshape(-1, 64)
    known = {window.tobytes() for window in windows}
    plain = [view for view in views(pixels, 60) if view[:8, :8, 0].tobytes() in known]
    assert plain


def test_the_watched_view_is_the_middle_and_follows_from_the_pixels(pixels: np.ndarray) -> None:
    shown = validation_view(pixels, 128)
    assert np.array_equal(shown, validation_view(pixels.copy(), 128))
    middle = pixels[66:194, 86:214].astype(float)
    assert np.abs(shown - middle).mean() < 8
    assert np.abs(shown - pixels[:128, :128]).mean() > 12


def test_what_is_shown_does_not_depend_on_the_label(tmp_path: Path) -> None:
    picture(3, smooth=True).save(tmp_path / "a.png")
    store = PixelStore(build_pixel_store([tmp_path / "a.png"], tmp_path / "pixels", _quiet()))
    view = augmented(store, SIDE)
    rows = [Row(tmp_path / "a.png", label, "train", f"s{label}", kind) for label, kind in ((0, "real"), (1, "ai"))]
    for index in range(4):
        assert np.array_equal(view(rows[0], index, 7), view(rows[1], index, 7))


def _quiet() -> Console:
    return Console(quiet=True)
