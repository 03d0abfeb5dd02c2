"""Stripping: all metadata goes, every pixel stays."""

import contextlib
import csv
import random
from pathlib import Path

import numpy as np
import piexif
import pytest
from PIL import PngImagePlugin

from forensics.errors import DecodeFailedError, NotAnImageError
from forensics.reading.decode import decode
from forensics.reading.strip import strip_metadata
from tests.forensics.images import png_chunk
from tests.forensics.pictures import encoded, photo

EXIF = piexif.dump({"0th": {piexif.ImageIFD.Make: b"Canon"}, "Exif": {}, "GPS": {}, "1st": {}})


def with_metadata(image_format: str) -> bytes:
    options: dict[str, object] = {"exif": EXIF, "icc_profile": b"x" * 200}
    if image_format == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("parameters", "Steps: 20")
    else:
        options["xmp"] = b"<x:xmpmeta/>"
    if image_format == "JPEG":
        options |= {"comment": b"hello", "progressive": True}
    return encoded(photo(), image_format, **options)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_metadata_goes_and_pixels_stay(image_format: str) -> None:
    data = with_metadata(image_format)
    before, after = decode(data), decode(strip_metadata(data))
    assert before.metadata.exif
    found = after.metadata
    assert (found.exif, found.xmp, found.iptc, found.icc, dict(found.text)) == (b"", b"", b"", b"", {})
    assert np.array_equal(before.pixels, after.pixels)


def test_a_trailer_after_the_image_goes_too() -> None:
    data = encoded(photo(), "JPEG", quality=80)
    assert strip_metadata(data + b'SEFH{"genAIType":1}') == strip_metadata(data)


def test_a_colour_transform_that_decoding_needs_stays() -> None:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(photo()).convert("CMYK").save(buffer, "JPEG")
    before, after = decode(buffer.getvalue()), decode(strip_metadata(buffer.getvalue()))
    assert np.array_equal(before.pixels, after.pixels)


def test_stripping_twice_changes_nothing_more() -> None:
    for image_format in ("JPEG", "PNG", "WEBP"):
        once = strip_metadata(with_metadata(image_format))
        assert strip_metadata(once) == once


def test_other_formats_come_back_as_they_are_and_no_image_is_refused() -> None:
    bitmap = encoded(photo(), "BMP")
    assert strip_metadata(bitmap) == bitmap
    with pytest.raises(NotAnImageError):
        strip_metadata(b"no image")
    with pytest.raises(ValueError, match="damaged"):
        strip_metadata(b"\xff\xd8\xff\xe0\x00\x04ab" + b"xxxxxxx")


def segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2, "big") + payload


@pytest.mark.parametrize("marker", [0xE0, 0xEE, 0xEF, 0xFE])
def test_nothing_hides_in_a_segment_that_decoders_look_at(marker: int) -> None:
    data = encoded(photo(), "JPEG", quality=80)
    assert strip_metadata(data[:2] + segment(marker, b"hidden text") + data[2:]) == strip_metadata(data)


def test_the_gamma_of_a_png_stays() -> None:
    data = encoded(photo()[:20, :20])
    gamma = png_chunk(b"gAMA", (45455).to_bytes(4, "big"))
    assert gamma in strip_metadata(data[:33] + gamma + data[33:])


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_half_a_file_is_never_mended(image_format: str) -> None:
    data = with_metadata(image_format)
    with contextlib.suppress(ValueError, DecodeFailedError):
        assert decode(strip_metadata(data[: len(data) // 2])).reading.damaged


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_whatever_the_bytes_only_the_promised_errors_are_raised(image_format: str) -> None:
    dice = random.Random(0)
    whole = encoded(photo()[:40, :40], image_format, exif=EXIF)
    outcomes = set()
    for _ in range(400):
        damaged = bytearray(whole[: dice.randrange(20, len(whole))] if dice.random() < 0.3 else whole)
        for _ in range(dice.randint(0, 5)):
            damaged[dice.randrange(min(len(damaged), 200))] = dice.randrange(256)
        try:
            outcomes.add(type(strip_metadata(bytes(damaged))))
        except (ValueError, NotAnImageError) as error:
            outcomes.add(type(error))
    assert outcomes == {bytes, ValueError, NotAnImageError}


@pytest.mark.parametrize("data", [b"RIFF\x0c\0\0\0WEBPVP8X\0\0\0\0", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xd9"])
def test_a_file_without_a_picture_is_damaged(data: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        strip_metadata(data)


@pytest.mark.shared
def test_real_files_keep_every_pixel(shared_data: Path) -> None:
    folder = shared_data / "originals"
    with (folder / "originals.csv").open() as file:
        names = [row["filepath"] for row in csv.DictReader(file)]
    for name in names:
        data = (folder / name).read_bytes()
        before, after = decode(data), decode(strip_metadata(data))
        # Taking EXIF away takes the orientation with it: then the same pixels lie as they are stored.
        same = np.array_equal(before.pixels, after.pixels)
        assert same or sorted(before.pixels.shape) == sorted(after.pixels.shape), name
        if not same:
            assert np.array_equal(np.sort(before.pixels.ravel()), np.sort(after.pixels.ravel())), name
