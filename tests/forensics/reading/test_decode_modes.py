"""The rarer modes, depths, orientations and kinds of transparency come out as the right RGB pixels too."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from forensics.reading.decode import TURNS, decode
from tests.forensics.images import WRITERS, file_of, photo, pixels_of

ORIENTED = ("image/avif", "image/heic")
LOSSY_ERROR = 4.0


def distance(first: np.ndarray, second: np.ndarray) -> float:
    assert first.shape == second.shape
    return float(np.abs(first.astype(np.float64) - second).mean())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("media_type", ORIENTED)
def test_the_image_is_turned_upright(media_type: str, orientation: int) -> None:
    stored = photo("astronaut", (96, 64))
    if orientation in TURNS:
        back = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
        stored = stored.transpose(back.get(orientation, TURNS[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    sample = decode(file_of(stored, media_type, exif=exif.tobytes()))
    assert distance(sample.pixels, pixels_of(photo("astronaut", (96, 64)))) < LOSSY_ERROR


def test_a_heic_is_turned_by_its_container_not_by_its_exif() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = file_of(photo(), "image/heic", exif=exif.tobytes())
    assert b"irot\3" in data
    assert decode(data).pixels.shape == (96, 64, 3)
    assert decode(data.replace(b"irot\3", b"irot\0")).pixels.shape == (64, 96, 3)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_turning_agrees_with_the_library(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = file_of(photo(), exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert np.array_equal(decode(data).pixels, pixels_of(expected))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decode(file_of(photo(), exif=exif)).pixels, pixels_of(photo()))


@pytest.mark.parametrize("media_type", ["image/png", "image/webp", "image/tiff"])
def test_alpha_is_laid_on_white_and_kept(media_type: str) -> None:
    ramp = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
    image = photo().copy()
    image.putalpha(Image.fromarray(ramp))
    sample = decode(file_of(image, media_type, **({"exact": True} if media_type == "image/webp" else {})))
    share = ramp[..., None] / 255.0
    assert sample.alpha is not None
    assert np.array_equal(sample.alpha, ramp)
    assert not sample.alpha.flags.writeable
    assert distance(sample.pixels, pixels_of(photo()) * share + 255 * (1 - share)) < 0.6


@pytest.mark.parametrize("media_type", ["image/png", "image/gif"])
def test_a_transparent_palette_entry_becomes_white(media_type: str) -> None:
    indices = np.zeros((40, 40), np.uint8)
    indices[:, 20:] = 1
    image = Image.fromarray(indices).convert("P")
    image.putpalette([200, 10, 10, 10, 10, 200])
    sample = decode(file_of(image, media_type, transparency=1))
    assert sample.alpha is not None
    assert np.array_equal(sample.alpha, np.where(indices == 1, 0, 255))
    assert (sample.pixels[:, :20] == (200, 10, 10)).all()
    assert (sample.pixels[:, 20:] == 255).all()


def test_a_transparent_colour_of_a_true_colour_png_becomes_white() -> None:
    image = Image.new("RGB", (8, 8), (1, 2, 3))
    image.paste((9, 9, 9), (0, 0, 4, 8))
    sample = decode(file_of(image, transparency=(1, 2, 3)))
    assert (sample.pixels[:, :4] == 9).all()
    assert (sample.pixels[:, 4:] == 255).all()


def test_grey_with_alpha_is_laid_on_white() -> None:
    sample = decode(file_of(Image.new("LA", (8, 8), (100, 51))))
    assert (sample.pixels == 255 - (155 * 51 // 255)).all()


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "image/tiff", "image/bmp", "image/gif"])
def test_grey_becomes_three_equal_channels(media_type: str) -> None:
    sample = decode(file_of(photo().convert("L"), media_type))
    assert np.ptp(sample.pixels, axis=2).max() == 0
    assert distance(sample.pixels, pixels_of(photo().convert("L"))) < LOSSY_ERROR


@pytest.mark.parametrize("media_type", ["image/png", "image/tiff", "image/bmp"])
def test_one_bit_becomes_black_and_white(media_type: str) -> None:
    image = photo().convert("1")
    sample = decode(file_of(image, media_type))
    assert set(np.unique(sample.pixels)) == {0, 255}
    assert np.array_equal(sample.pixels, pixels_of(image))


@pytest.mark.parametrize("media_type", ["image/png", "image/tiff", "image/bmp", "image/gif"])
def test_a_palette_gives_its_colours(media_type: str) -> None:
    image = photo().quantize(64)
    assert np.array_equal(decode(file_of(image, media_type)).pixels, pixels_of(image))


@pytest.mark.parametrize("media_type", ["image/png", "image/tiff"])
def test_dark_sixteen_bit_grey_stays_dark(media_type: str) -> None:
    ramp = np.tile(np.linspace(0, 20_000, 256).astype(np.uint16), (16, 1))
    sample = decode(file_of(Image.fromarray(ramp), media_type))
    assert np.array_equal(sample.pixels[..., 0], np.rint(ramp / 257).astype(np.uint8))


def test_floats_that_are_no_numbers_become_black() -> None:
    values = np.full((8, 8), 0.5, np.float32)
    values[0] = np.nan, np.inf, -np.inf, -5, 0, 0, 0, 0
    sample = decode(file_of(Image.fromarray(values), "image/tiff"))
    assert (sample.pixels[0] == 0).all()
    assert (sample.pixels[1:] == 128).all()


def _adobe_inverted(image: Image.Image) -> bytes:
    """Pillow writes CMYK JPEG the way Adobe does: inverted, with an APP14 marker."""
    data = file_of(image, "image/jpeg")
    assert b"Adobe" in data[:200]
    return data


def _plain(image: Image.Image) -> bytes:
    """CMYK JPEG without APP14: stored as it is meant."""
    data = _adobe_inverted(Image.fromarray(255 - np.asarray(image), "CMYK"))
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


@pytest.mark.parametrize("write", [_adobe_inverted, _plain])
def test_cmyk_jpeg_keeps_its_colours(write: Callable[[Image.Image], bytes]) -> None:
    image = photo().convert("CMYK")
    assert distance(decode(write(image)).pixels, pixels_of(photo())) < LOSSY_ERROR


def test_cmyk_tiff_keeps_its_colours() -> None:
    assert distance(decode(file_of(photo().convert("CMYK"), "image/tiff")).pixels, pixels_of(photo())) < 1


def test_the_first_page_of_a_tiff_is_taken() -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue")]
    data = file_of(frames[0], "image/tiff", save_all=True, append_images=frames[1:])
    assert (decode(data).pixels == (255, 0, 0)).all()


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/webp", "image/tiff"])
def test_a_colour_profile_does_not_move_the_pixels(media_type: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    with_profile = decode(file_of(photo(), media_type, icc_profile=profile))
    assert np.array_equal(with_profile.pixels, decode(file_of(photo(), media_type)).pixels)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (7, 5)])
@pytest.mark.parametrize("media_type", WRITERS)
def test_tiny_and_odd_sizes_are_decoded(media_type: str, size: tuple[int, int]) -> None:
    sample = decode(file_of(Image.new("RGB", size, (120, 130, 140)), media_type))
    assert (sample.width, sample.height) == size
    assert distance(sample.pixels, np.full((size[1], size[0], 3), (120, 130, 140))) < LOSSY_ERROR


def test_the_first_picture_of_a_multi_picture_jpeg_is_taken() -> None:
    out = io.BytesIO()
    photo().save(out, "MPO", quality=95, subsampling=0, save_all=True, append_images=[photo("coffee")])
    sample = decode(out.getvalue())
    assert sample.media_type == "image/jpeg"
    assert distance(sample.pixels, pixels_of(photo())) < LOSSY_ERROR
