"""The media type comes from the bytes, whatever the name says."""

import pytest

from forensics.errors import DecodeFailedError, NotAnImageError
from forensics.reading.sniff import media_type_of, webp_size
from tests.forensics.images import WRITERS, file_of, photo


@pytest.mark.parametrize("media_type", WRITERS)
def test_every_allowed_format_is_recognised(media_type: str) -> None:
    assert media_type_of(file_of(photo(), media_type)) == media_type


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1"])
def test_heic_is_recognised_by_a_compatible_brand_too(brand: bytes) -> None:
    assert media_type_of(b"\0\0\0\x18ftypabcd\0\0\0\0" + brand + b"abcd" + bytes(40)) == "image/heic"


def test_avif_wins_over_the_general_brand_it_also_carries() -> None:
    assert media_type_of(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf" + bytes(40)) == "image/avif"


def test_brands_after_the_end_of_the_box_do_not_count() -> None:
    with pytest.raises(NotAnImageError):
        media_type_of(b"\0\0\0\x14ftypisom\0\0\0\0mp42heicavif" + bytes(40))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\xff\xd8",
        b"12345678901234567890",
        b"BM, said the letter",
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
    ],
    ids=["empty", "1", "2", "20", "short BM", "wave"],
)
def test_anything_else_is_not_an_image(data: bytes) -> None:
    with pytest.raises(NotAnImageError, match=rf"These {len(data)} bytes"):
        media_type_of(data)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("HTML", b"<!DOCTYPE html><html><body>404 Not Found</body></html>"),
        ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("SVG", b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("PDF", b"%PDF-1.7" + bytes(50)),
        ("MP4 or QuickTime video", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(40)),
        ("Photoshop", b"8BPS\0\x01" + bytes(60)),
        ("PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n" + bytes(60)),
        ("Windows icon", b"\0\0\x01\0\x01\0" + bytes(60)),
        ("BigTIFF", b"II+\0\x08\0\0\0" + bytes(60)),
        ("Canon CR2 raw", b"II*\0\x10\0\0\0CR\x02\0" + bytes(60)),
        ("JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60)),
        ("JPEG-LS", b"\xff\xd8\xff\xf7" + bytes(60)),
        ("DICOM", bytes(128) + b"DICM" + bytes(60)),
    ],
)
def test_a_kind_that_is_known_and_not_read_is_named(kind: str, data: bytes) -> None:
    with pytest.raises(NotAnImageError, match=rf"This is an? {kind} file; formats that are read: JPEG"):
        media_type_of(data)


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": False}, {"exif": b"Exif\0\0MM\0*"}])
def test_webp_size_is_read_from_each_kind_of_header(options: dict[str, object]) -> None:
    assert webp_size(file_of(photo(size=(97, 61)), "image/webp", **options)) == (97, 61)


def test_a_webp_without_a_picture_has_no_size() -> None:
    with pytest.raises(DecodeFailedError):
        webp_size(b"RIFF\x10\0\0\0WEBPEXIF\x04\0\0\0abcd")
