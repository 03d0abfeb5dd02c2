"""Decoding: every allowed format gives the right pixels, and hostile bytes give an error, quickly and cheaply."""

import contextlib
import io
import struct
import time
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from forensics.decode import DecodeLimits, decode
from forensics.errors import DecodeFailedError, JobError, NotAnImageError, TooManyPixelsError
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
# How a camera held that way stores an upright scene.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
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


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_orientation_of_the_camera_is_undone(orientation: int, image_format: str) -> None:
    corners = np.zeros((40, 60, 3), dtype=np.uint8)
    corners[:20, :30], corners[:20, 30:], corners[20:, :30] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    stored = Image.fromarray(corners)
    if orientation in STORED:
        stored = stored.transpose(STORED[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decode(
        saved(stored, image_format, exif=exif.tobytes(), **({"quality": 95} if image_format != "TIFF" else {}))
    )
    assert found.pixels.shape == corners.shape
    assert np.abs(found.pixels.astype(int) - corners).mean() < 12


def test_transparency_is_laid_on_white_and_kept() -> None:
    rgba = np.zeros((10, 10, 4), dtype=np.uint8)
    rgba[..., 0], rgba[:5, :, 3], rgba[5:, :, 3] = 200, 255, 128
    for image_format in ("PNG", "TIFF"):
        found = decode(saved(Image.fromarray(rgba), image_format))
        assert found.alpha is not None
        assert np.array_equal(found.alpha, rgba[..., 3])
        assert tuple(found.pixels[0, 0]) == (200, 0, 0)
        assert np.abs(found.pixels[9, 9].astype(int) - (227, 127, 127)).max() <= 1


def test_transparency_of_palettes_and_grey_is_laid_on_white() -> None:
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((0, 0), 1)
    found = decode(saved(palette, "PNG", transparency=0))
    assert tuple(found.pixels[0, 0]) == (40, 50, 60)
    assert tuple(found.pixels[3, 3]) == (255, 255, 255)
    grey = decode(saved(Image.new("LA", (4, 4), (100, 0)), "PNG"))
    assert tuple(grey.pixels[0, 0]) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_other_colour_modes_come_out_as_rgb(mode: str) -> None:
    image = Image.fromarray(PICTURE).convert(mode)
    image_format = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    assert np.array_equal(decode(saved(image, image_format)).pixels, np.asarray(image.convert("RGB")))


def test_a_cmyk_jpeg_is_not_inverted() -> None:
    white_on_left = np.zeros((32, 32, 3), dtype=np.uint8)
    white_on_left[:, :16] = 255
    found = decode(saved(Image.fromarray(white_on_left).convert("CMYK"), "JPEG", quality=95))
    assert found.pixels[16, 4].min() > 240
    assert found.pixels[16, 28].max() < 15


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


@pytest.mark.parametrize("data", [b"", b"\0" * 20, b"<!doctype html><p>404</p>", b"GIF88a" + b"x" * 50, b"%PDF-1.7"])
def test_what_is_not_an_image_is_said_so(data: bytes) -> None:
    with pytest.raises(NotAnImageError):
        decode(data)


def test_an_image_of_a_format_that_is_not_allowed_is_refused() -> None:
    for image_format in ("PPM", "TGA", "ICO", "JPEG2000"):
        with pytest.raises(NotAnImageError):
            decode(saved(Image.new("RGB", (32, 32)), image_format))


@pytest.mark.parametrize("image_format", [*LOSSLESS, *LOSSY, "GIF"])
def test_a_truncated_file_is_never_half_an_image(image_format: str) -> None:
    data = encoded(photo(), image_format)
    with pytest.raises(DecodeFailedError):
        decode(data[: len(data) * 6 // 10])


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


def announcing(image_format: str) -> bytes:
    """A small file whose header announces 40,000 x 40,000 pixels (16,383 x 16,383 for WebP)."""
    data = bytearray(encoded(PICTURE, image_format))
    if image_format == "PNG":
        data[16:24] = struct.pack(">II", 40_000, 40_000)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif image_format == "JPEG":
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", 40_000, 40_000)
    elif image_format == "GIF":
        data[6:10] = struct.pack("<HH", 40_000, 40_000)
    elif image_format == "BMP":
        data[18:26] = struct.pack("<ii", 40_000, 40_000)
    elif image_format == "WEBP":
        data[26:30] = struct.pack("<HH", 16_383, 16_383)
    return bytes(data)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_a_header_that_announces_too_much_is_refused_before_decoding(image_format: str) -> None:
    tracemalloc.start()
    with pytest.raises(TooManyPixelsError):
        decode(announcing(image_format))
    assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    tracemalloc.stop()


def test_the_pixel_limit_is_the_callers() -> None:
    data = encoded(PICTURE)
    assert decode(data, DecodeLimits(8000)).width == 80
    with pytest.raises(TooManyPixelsError):
        decode(data, DecodeLimits(7999))


def test_the_sha256_is_of_the_bytes_as_they_came() -> None:
    import hashlib

    data = encoded(PICTURE)
    assert decode(data).sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("image_format", [*LOSSLESS, *LOSSY, "GIF"])
def test_mutated_files_give_a_sample_or_a_job_error_and_nothing_else(image_format: str) -> None:
    random = np.random.default_rng(len(image_format))
    whole = encoded(PICTURE, image_format)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(60):
            data = bytearray(whole[: random.integers(1, len(whole) + 1)] if random.random() < 0.3 else whole)
            for at in random.integers(0, min(len(data), 400), random.integers(1, 8)):
                data[at] = random.integers(0, 256)
            with contextlib.suppress(JobError):
                assert decode(bytes(data), DecodeLimits(4_000_000)).pixels.shape[2] == 3
