"""Small image files that carry given metadata, written the way generators write them."""

import io
import struct
import zlib
from collections.abc import Mapping

import numpy as np
import piexif
from PIL import Image, PngImagePlugin

from forensics.reading.decode import decode
from forensics.types import ImageSample


def picture() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def png(text: Mapping[str, str] | None = None, *, compressed: bool = False, **options: object) -> bytes:
    info = PngImagePlugin.PngInfo()
    for keyword, value in (text or {}).items():
        info.add_text(keyword, value, zip=compressed)
    return saved("PNG", pnginfo=info, **options)


def saved(image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture().save(buffer, image_format, **options)
    return buffer.getvalue()


def with_exif(image_format: str, zeroth: dict[int, object] | None = None, comment: bytes = b"") -> bytes:
    exif = {ifd: {} for ifd in ("0th", "Exif", "GPS", "1st")} | {"0th": zeroth or {}}
    if comment:
        exif["Exif"] = {piexif.ExifIFD.UserComment: comment}
    return saved(image_format, exif=piexif.dump(exif))


def unicode_comment(text: str) -> bytes:
    return b"UNICODE\0" + text.encode("utf-16-be")


def chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png_with_late_chunk(kind: bytes, payload: bytes) -> bytes:
    """A PNG whose chunk comes after the pixel data, where Pillow's header parsing does not look."""
    data = png()
    return data[:-12] + chunk(kind, payload) + data[-12:]


def xmp(properties: str) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {properties}</rdf:RDF></x:xmpmeta>'
    ).encode()


def late_xmp(packet: bytes) -> bytes:
    return png_with_late_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)


def sample(data: bytes) -> ImageSample:
    return decode(data)
