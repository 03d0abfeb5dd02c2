"""Files of every allowed format made from photographs that scikit-image carries, and headers announcing anything."""

import io
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
import pillow_heif
import skimage.data
from PIL import Image

pillow_heif.register_heif_opener()

# How each media type is written here: Pillow's format name and its options.
WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    "image/jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    "image/png": ("PNG", {}),
    "image/webp": ("WEBP", {"lossless": True}),
    "image/gif": ("GIF", {}),
    "image/bmp": ("BMP", {}),
    "image/tiff": ("TIFF", {}),
    "image/avif": ("AVIF", {"quality": 95}),
    "image/heic": ("HEIF", {"quality": 95}),
}


@cache
def photo(name: str = "chelsea", size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A photograph at the given width and height; callers must not change it."""
    return Image.fromarray(getattr(skimage.data, name)()).resize(size, Image.Resampling.LANCZOS)


def file_of(image: Image.Image, media_type: str = "image/png", **options: Any) -> bytes:
    """The bytes of a file of that type holding the image."""
    name, standard = WRITERS[media_type]
    out = io.BytesIO()
    image.save(out, name, **{**standard, **options})
    return out.getvalue()


def pixels_of(image: Image.Image) -> np.ndarray:
    """The RGB values of the image."""
    return np.asarray(image.convert("RGB"))


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_announcing(width: int, height: int, compressed: bytes = b"", *extra: bytes) -> bytes:
    """A greyscale PNG with that size in its header, extra chunks, and the given compressed image data."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + png_chunk(b"IDAT", compressed) + png_chunk(b"IEND", b"")


def packed_zeros(length: int) -> bytes:
    """A zlib stream of that many zeros, made without holding them; about a thousandth of the length."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    parts = [packer.compress(block) for _ in range(length >> 20)]
    parts.append(packer.compress(bytes(length & (1 << 20) - 1)))
    return b"".join(parts) + packer.flush()


def oversized(media_type: str, side: int) -> bytes:
    """A small file of that type whose header announces side x side pixels (at most 16383 for WebP)."""
    image = photo()
    if media_type == "image/png":
        return png_announcing(side, side, packed_zeros(1000))
    data = bytearray(file_of(image, media_type))
    if media_type == "image/jpeg":
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", side, side)
    elif media_type == "image/gif":
        data[6:10] = struct.pack("<HH", side, side)
    elif media_type == "image/bmp":
        data[18:26] = struct.pack("<ii", side, side)
    elif media_type == "image/webp":
        return _oversized_webp(side)
    elif media_type == "image/tiff":
        return _tiff_with_size(bytes(data), side)
    elif media_type in ("image/avif", "image/heic"):
        at = data.index(b"ispe")
        data[at + 8 : at + 16] = struct.pack(">II", side, side)
    return bytes(data)


def _oversized_webp(side: int) -> bytes:
    canvas = (side - 1).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas
    body += b"ANIM" + struct.pack("<I", 6) + bytes(6)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _tiff_with_size(data: bytes, side: int) -> bytes:
    """The little-endian TIFF with ImageWidth and ImageLength (tags 256 and 257) replaced."""
    changed = bytearray(data)
    start = struct.unpack_from("<I", data, 4)[0]
    for index in range(struct.unpack_from("<H", data, start)[0]):
        at = start + 2 + 12 * index
        if struct.unpack_from("<H", data, at)[0] in (256, 257):
            struct.pack_into("<HII", changed, at + 2, 4, 1, side)
    return bytes(changed)
