"""Where crops of an image are cut, and which are worth keeping."""

import io

import numpy as np
import pytest
from PIL import Image

from scripts.dataset.gather.cropping import Cropping, Cut, Refused, cut, is_flat
from tests.scripts.pictures import scene


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def crops(image: Image.Image, cropping: Cropping) -> list[np.ndarray]:
    found = cut(png(image), cropping)
    assert isinstance(found, Cut), found
    return [np.asarray(Image.open(io.BytesIO(crop))).astype(np.int16) for crop in found.crops]


def test_crops_are_the_pixels_of_the_image_at_native_resolution() -> None:
    image = scene(1, 200, 150)
    pixels = np.asarray(image).astype(np.int16)
    windows = [pixels[top : top + 64, left : left + 64] for top in range(87) for left in range(137)]
    for crop in crops(image, Cropping(2, 64)):
        assert min(np.abs(crop - window).mean() for window in windows) < 3


def test_an_image_of_the_size_of_a_crop_gives_one() -> None:
    assert len(crops(scene(2, 64, 64), Cropping(4, 64))) == 1


def test_a_large_image_gives_as_many_crops_as_asked_for() -> None:
    assert len(crops(scene(3, 800, 600), Cropping(4, 64))) == 4


def test_plain_surfaces_are_not_cut() -> None:
    image = Image.new("RGB", (640, 640), (250, 250, 250))
    image.paste(scene(4, 320, 640), (0, 0))
    for crop in crops(image, Cropping(6, 64)):
        assert not is_flat(crop.astype(np.uint8))
    assert isinstance(cut(png(Image.new("RGB", (640, 640), (9, 9, 9))), Cropping(6, 64)), Refused)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_crop_is_flat_where_most_of_its_blocks_are(share: float) -> None:
    pixels = np.asarray(scene(5, 64, 64)).copy()
    pixels[: round(64 * share)] = 255
    assert is_flat(pixels) == (share > 0.6)


def test_transparent_and_grey_images_are_cut_too() -> None:
    for mode in ("L", "RGBA", "P"):
        assert crops(scene(6, 100, 100).convert(mode), Cropping(1, 64))[0].shape == (64, 64, 3)


def test_what_gives_no_crop_says_why() -> None:
    nothing = cut(b"", Cropping())
    assert isinstance(nothing, Refused)
    assert nothing.reason == "unreadable"
    assert "not an image" in nothing.problem
    small = cut(png(scene(7, 63, 200)), Cropping(1, 64))
    assert small == Refused("too_small", "The image is 63 x 200 pixels.")
