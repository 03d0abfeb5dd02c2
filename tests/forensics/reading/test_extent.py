"""Where an image ends in its file: trailing bytes and further frames are told."""

import io

import pytest
from PIL import Image

from forensics.reading.decode import decode
from forensics.reading.extent import extent_of
from tests.forensics.pictures import encoded, photo

PICTURE = photo()[:120, :160]
FORMATS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}


@pytest.mark.parametrize("image_format", FORMATS)
def test_bytes_after_the_image_are_counted(image_format: str) -> None:
    whole = encoded(PICTURE, image_format)
    assert extent_of(whole, FORMATS[image_format]).end == len(whole)
    assert decode(whole + b"PK\x03\x04 an archive").reading.trailing_bytes == 15
    assert decode(whole + bytes(100)).reading.trailing_bytes == 0


def test_a_thumbnail_inside_exif_does_not_end_the_picture() -> None:
    import piexif

    small = encoded(PICTURE[:40, :40], "JPEG")
    tags = {"0th": {}, "Exif": {}, "GPS": {}, "1st": {piexif.ImageIFD.Compression: 6}, "thumbnail": small}
    whole = encoded(PICTURE, "JPEG", exif=piexif.dump(tags))
    assert extent_of(whole, "image/jpeg").end == len(whole)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}])
def test_scans_and_restart_markers_do_not_end_a_jpeg(options: dict) -> None:
    whole = encoded(PICTURE, "JPEG", **options)
    assert extent_of(whole, "image/jpeg").end == len(whole)
    assert extent_of(whole[:-2], "image/jpeg").end is None


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "AVIF"])
def test_the_frames_of_an_animation_are_counted(image_format: str) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue", "green")]
    buffer = io.BytesIO()
    frames[0].save(buffer, image_format, save_all=True, append_images=frames[1:])
    assert decode(buffer.getvalue()).reading.frames == 3


def test_a_last_box_may_go_on_to_the_end_of_the_file() -> None:
    boxes = b"\0\0\0\x10ftypheic\0\0\0\0"
    assert extent_of(boxes + b"\0\0\0\0mdat" + bytes(40), "image/heic").end == 64
    assert extent_of(boxes + b"\0\0\0\1mdat" + (24).to_bytes(8, "big") + bytes(8) + b"more", "image/heic").end == 40


@pytest.mark.parametrize("media_type", FORMATS.values())
def test_any_bytes_have_some_extent(media_type: str) -> None:
    for data in (b"", b"\xff\xd8", b"GIF89a", bytes(64), b"\xff" * 64, encoded(PICTURE, "GIF")[:40]):
        assert extent_of(data, media_type).frames == 1
