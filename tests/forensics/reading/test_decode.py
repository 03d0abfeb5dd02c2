"""Decoding: every allowed format gives the right pixels as RGB, and an announced size too large is refused cheaply."""

import io
import time
import tracemalloc

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from forensics.errors import DecodeFailedError, NotAnImageError, TooManyPixelsError
from forensics.reading.decode import decode
from tests.forensics.pictures import encoded, photo, sample_of

LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "BMP": {}, "TIFF": {}}
LOSSY = {"JPEG": {"quality": 95}, "AVIF": {"quality": 90}, "HEIF": {"quality": 90}}
MEDIA = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "GIF": "image/gif",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
PICTURE = photo()[100:200, 150:230]


def saved(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("image_format", LOSSLESS)
def test_lossless_formats_give_the_very_pixels(image_format: str) -> None:
    found = sample_of(PICTURE, image_format, **LOSSLESS[image_format])
    assert np.array_equal(found.pixels, PICTURE)
    assert found.media_type == MEDIA[image_format]
    assert (found.width, found.height) == (80, 100)


@pytest.mark.parametrize("image_format", LOSSY)
def test_lossy_formats_give_nearly_the_pixels(image_format: str) -> None:
    found = sample_of(PICTURE, image_format, **LOSSY[image_format])
    assert np.abs(found.pixels.astype(int) - PICTURE).mean() < 6
    assert found.media_type == MEDIA[image_format]


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue", "green")]
    for image_format in ("GIF", "WEBP", "PNG"):
        data = saved(frames[0], image_format, save_all=True, append_images=frames[1:])
        pixel = decode(data).pixels[5, 5].astype(int)
        assert np.abs(pixel - (255, 0, 0)).max() < 8, image_format


def test_pixels_are_read_only_contiguous_and_rgb() -> None:
    found = decode(saved(Image.new("L", (30, 20), 77), "PNG"))
    assert found.pixels.shape == (20, 30, 3)
    assert found.pixels.dtype == np.uint8
    assert found.pixels.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        found.pixels[0, 0] = 1


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_other_colour_modes_come_out_as_rgb(mode: str) -> None:
    image = Image.fromarray(PICTURE).convert(mode)
    image_format = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    assert np.array_equal(decode(saved(image, image_format)).pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_not_clipped(image_format: str) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None, :].repeat(4, axis=0)
    found = decode(saved(Image.fromarray(ramp), image_format)).pixels[0, :, 0]
    assert np.array_equal(found, np.rint(ramp[0] / 257).astype(np.uint8))


def test_float_tiff_is_scaled_by_its_range() -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None, :].repeat(4, axis=0)
    for scale in (1, 255, 1000):
        found = decode(saved(Image.fromarray(ramp * scale), "TIFF")).pixels[0, :, 0]
        assert (found[0], found[-1]) == (0, 255)
        assert abs(int(found[32]) - 130) < 3


def test_a_colour_profile_is_kept_and_not_applied() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    found = sample_of(PICTURE, "PNG", icc_profile=profile)
    assert np.array_equal(found.pixels, PICTURE)
    assert found.metadata.icc == profile


def test_an_image_of_a_format_that_is_not_allowed_is_refused() -> None:
    for image_format in ("PPM", "TGA", "ICO", "JPEG2000"):
        with pytest.raises(NotAnImageError):
            decode(saved(Image.new("RGB", (32, 32)), image_format))


def test_a_png_of_81_megapixels_in_10_kilobytes_is_refused_in_milliseconds_and_without_memory() -> None:
    bomb = saved(Image.new("1", (9000, 9000)), "PNG")
    assert len(bomb) < 10_240
    tracemalloc.start()
    elapsed = []
    for _ in range(5):
        started = time.perf_counter()
        with pytest.raises(TooManyPixelsError, match="9000 x 9000"):
            decode(bomb)
        elapsed.append(time.perf_counter() - started)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert min(elapsed) < 0.02
    assert peak < 2**20


def test_the_sha256_is_of_the_bytes_as_they_came() -> None:
    import hashlib

    data = encoded(PICTURE)
    assert decode(data).sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_png_whose_text_has_a_wrong_checksum_is_shown_as_browsers_show_it(place: str) -> None:
    buffer, text = io.BytesIO(), PngInfo()
    text.add_text("parameters", "Steps: 20, Sampler: Euler", zip=False)
    text.add_text("prompt", "{}")
    image = Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3))
    image.save(buffer, "PNG", pnginfo=text)
    data = buffer.getvalue()
    begin = data.index(b"tEXt") - 4
    size = int.from_bytes(data[begin : begin + 4], "big")
    chunk = data[begin : begin + 8 + size] + b"\0\0\0\0"
    rest = data[:begin] + data[begin + 12 + size :]
    at = begin if place == "before" else rest.index(b"IEND") - 4
    sample = decode(rest[:at] + chunk + rest[at:])
    assert np.array_equal(sample.pixels, np.asarray(image))
    assert b"Steps: 20" in sample.data


def test_a_png_whose_header_has_a_wrong_checksum_is_judged_and_called_damaged() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((10, 10, 3), dtype=np.uint8)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[data.index(b"IHDR") + 17] ^= 1
    found = decode(bytes(data))
    assert found.reading.damaged
    assert found.pixels.shape == (10, 10, 3)


def many_scans(side: int, more: int) -> bytes:
    """A black progressive JPEG whose last scan, of some ninety bytes, comes again and again."""
    data = saved(Image.new("L", (side, side)), "JPEG", progressive=True)
    last = data[data.rfind(b"\xff\xda") : -2]
    return data[:-2] + last * more + data[-2:]


@pytest.mark.parametrize(("side", "more"), [(64, 200), (8000, 40)])
def test_a_jpeg_of_hundreds_of_scans_is_refused_before_they_are_decoded(side: int, more: int) -> None:
    data = many_scans(side, more)
    started = time.perf_counter()
    with pytest.raises(DecodeFailedError, match=r"scans, too many"):
        decode(data)
    assert time.perf_counter() - started < 1


def test_a_small_jpeg_of_more_scans_than_usual_is_read() -> None:
    assert decode(many_scans(64, 40)).width == 64


def test_a_picture_one_pixel_wide_takes_no_longer_than_another() -> None:
    data = saved(Image.new("L", (1, 1_000_000)), "PNG")
    started = time.perf_counter()
    assert decode(data).height == 1_000_000
    assert time.perf_counter() - started < 1
