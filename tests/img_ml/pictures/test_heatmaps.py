"""Heatmaps as pictures: in the image's size, brighter where the map is higher."""

from pathlib import Path

import numpy as np
from PIL import Image

from forensics.types import Measured, Skipped
from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector
from img_ml.pictures.colours import coloured
from img_ml.pictures.heatmaps import LONGEST_SIDE, located_maps, overlay, save_heatmaps, save_pictures
from tests.forensics.pictures import photo, sample_of


def test_brightness_rises_with_the_map() -> None:
    ramp = np.linspace(0, 1, 50, dtype=np.float32)[None, :]
    light = coloured(ramp).astype(float) @ [0.299, 0.587, 0.114]
    assert np.all(np.diff(light[0]) > 0)


def test_equal_steps_of_the_map_are_equal_steps_of_lightness() -> None:
    ramp = np.linspace(0, 1, 21, dtype=np.float32)[None, :]
    linear = (coloured(ramp)[0] / 255) ** 2.2
    lightness = (linear @ [0.2126, 0.7152, 0.0722]) ** (1 / 3)
    steps = np.diff(lightness)
    assert steps.min() > 0.4 * steps.mean()
    assert steps.max() < 1.8 * steps.mean()


def test_nothing_glows_where_the_image_is_transparent() -> None:
    rgba = np.dstack([photo()[:64, :96], np.full((64, 96), 255, dtype=np.uint8)])
    rgba[:, 48:, 3] = 0
    signal = Measured("exif", {}, "s", heatmap=np.ones((8, 12), dtype=np.float32))
    ((_, heatmap),) = located_maps(sample_of(rgba), (signal,))
    assert (heatmap[:, :6].min(), heatmap[:, 6:].max()) == (1, 0)


def test_pictures_of_a_large_image_are_capped(tmp_path: Path) -> None:
    sample = sample_of(np.zeros((30, 4000, 3), dtype=np.uint8))
    signal = Measured("exif", {}, "s", heatmap=np.ones((3, 400), dtype=np.float32))
    for path in save_heatmaps(sample, (signal,), tmp_path, "wide"):
        with Image.open(path) as image:
            assert image.width == LONGEST_SIDE


def test_the_overlay_has_the_images_size_and_shows_the_hot_spot() -> None:
    heatmap = np.zeros((8, 8), dtype=np.float32)
    heatmap[2, 6] = 1
    shown = overlay(np.full((80, 160, 3), 128, dtype=np.uint8), heatmap)
    assert shown.shape == (80, 160, 3)
    assert shown[25, 130].mean() > shown[60, 20].mean() + 80


def test_each_heatmap_is_saved_twice_and_signals_without_one_are_left_out(tmp_path: Path) -> None:
    sample = sample_of(photo()[:64, :96])
    heatmap = np.ones((8, 12), dtype=np.float32)
    signals = (Measured("ela", {}, "s", heatmap=heatmap), Measured("exif", {}, "s"), Skipped("x", "r"))
    written = save_heatmaps(sample, signals, tmp_path / "new", "pic")
    assert [path.name for path in written] == ["pic.ela.png", "pic.ela.map.png"]
    sizes = []
    for path in written:
        with Image.open(path) as image:
            sizes.append(image.size)
    assert sizes == [(96, 100), (96, 100)]  # 36 px of title and colour bar


def test_a_map_that_is_only_drawn_when_asked_is_saved_too(tmp_path: Path) -> None:
    written = save_heatmaps(sample_of(photo()[:64, :96]), (Measured("ela", {}, "s"),), tmp_path, "pic")
    assert [path.name for path in written] == ["pic.ela.png", "pic.ela.map.png"]


def test_a_detector_that_can_show_what_it_sees_does_so_even_without_weights(tmp_path: Path) -> None:
    sample = sample_of(photo()[:64, :96])
    signals = (Skipped("saturation_cnn", "not trained"), Measured("exif", {}, "s"))
    (written,) = save_pictures(sample, signals, tmp_path / "new", "pic")
    assert written.name == "pic.saturation_cnn.seen.png"
    with Image.open(written) as image:
        shown = np.asarray(image)
    assert np.array_equal(shown[28 : 28 + 64, 8 : 8 + 96], sample.pixels)
    assert not np.array_equal(shown[28 : 28 + 64, 216 : 216 + 96], sample.pixels)
