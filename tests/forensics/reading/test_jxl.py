"""JPEG XL: read where the plugin is installed, its size looked at before anything is decoded."""

import piexif
import pytest

from forensics.errors import DecodeFailedError, NotAnImageError, TooManyPixelsError
from forensics.reading import jxl, sniff
from forensics.reading.decode import DecodeLimits, decode
from forensics.reading.jxl import jxl_size
from tests.forensics.pictures import encoded, photo

BARE = b"\xff\x0a"


def header(*fields: tuple[int, int]) -> bytes:
    """A bare codestream whose header holds (value, bits), from the least bit upwards."""
    value = shift = 0
    for number, bits in fields:
        value |= number << shift
        shift += bits
    return BARE + value.to_bytes(30, "little")


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (header((1, 1), (9, 5), (1, 3)), (80, 80)),
        (header((1, 1), (9, 5), (0, 3), (4, 5)), (40, 80)),
        (header((0, 1), (0, 2), (299, 9), (4, 3)), (450, 300)),
        (header((0, 1), (3, 2), (99_999, 30), (0, 3), (3, 2), (89_999, 30)), (90_000, 100_000)),
    ],
)
def test_the_size_is_read_from_the_header(data: bytes, size: tuple[int, int]) -> None:
    assert jxl_size(data) == size
    box = (8 + len(data)).to_bytes(4, "big") + b"jxlc" + data
    assert jxl_size(jxl.CONTAINER + b"\0\0\0\x14ftypjxl \0\0\0\0jxl " + box) == size


def test_a_header_in_parts_with_metadata_between_is_read_whole() -> None:
    data = header((0, 1), (3, 2), (99_999, 30), (0, 3), (3, 2), (89_999, 30))
    boxes = ((b"jxlp", bytes(4) + data[:4]), (b"xml ", b"\xff" * 40), (b"jxlp", b"\x80\0\0\1" + data[4:]))
    packed = b"".join((8 + len(payload)).to_bytes(4, "big") + kind + payload for kind, payload in boxes)
    assert jxl_size(jxl.CONTAINER + packed) == (90_000, 100_000)


@pytest.mark.skipif(not jxl.readable, reason="pillow-jxl-plugin is not installed")
def test_xmp_and_exif_of_a_container_are_read() -> None:
    exif = piexif.dump({"0th": {piexif.ImageIFD.Make: b"Canon"}, "Exif": {}, "GPS": {}, "1st": {}})
    found = decode(encoded(photo()[:80, :80], "JXL", xmp=b"<x:xmpmeta/>", exif=exif))
    assert found.metadata.xmp == b"<x:xmpmeta/>"
    assert b"Canon" in found.metadata.exif


@pytest.mark.parametrize("data", [BARE, jxl.CONTAINER, jxl.CONTAINER + bytes(40)])
def test_without_a_header_there_is_no_size(data: bytes) -> None:
    with pytest.raises(DecodeFailedError):
        jxl_size(data)


def test_a_size_too_large_is_refused_before_the_plugin_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jxl, "readable", True)
    with pytest.raises(TooManyPixelsError, match="100000"):
        decode(header((0, 1), (3, 2), (99_999, 30), (0, 3), (3, 2), (89_999, 30)))


def test_without_the_plugin_the_kind_is_named_and_the_way_to_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jxl, "readable", False)
    with pytest.raises(NotAnImageError, match=r"This is a JPEG XL file.*Install pillow-jxl-plugin"):
        sniff.media_type_of(BARE + bytes(40))


@pytest.mark.skipif(not jxl.readable, reason="pillow-jxl-plugin is not installed")
def test_a_picture_is_read_whole() -> None:
    picture = photo()[100:200, 150:230]
    found = decode(encoded(picture, "JXL", lossless=True))
    assert found.media_type == "image/jxl"
    assert (found.pixels == picture).all()
    with pytest.raises(TooManyPixelsError):
        decode(encoded(picture, "JXL"), DecodeLimits(7999))
