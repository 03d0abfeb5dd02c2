"""Good small files of every allowed format and of the kinds within it; what the fuzzer damages."""

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
import piexif
import pillow_heif
from PIL import Image, ImageCms, PngImagePlugin

from tests.forensics.images import photo, png_chunk
from tests.forensics.provenance.files import xmp
from tests.forensics.provenance.press import Press

pillow_heif.register_heif_opener()

_SIZE = (96, 72)
_AI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
# Where each pass of an interlaced PNG starts and how far it steps: column, row, column step, row step.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def _picture(mode: str = "RGB") -> Image.Image:
    return photo(size=_SIZE).convert(mode)


def _saved(image: Image.Image, image_format: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, image_format, **options)
    return target.getvalue()


def _translucent() -> Image.Image:
    image = _picture("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(_SIZE))
    return image


def _frames() -> list[Image.Image]:
    return [_picture().rotate(20 * n) for n in range(3)]


def _sixteen_bit() -> Image.Image:
    return Image.fromarray(np.asarray(_picture("L")).astype(np.uint16) * 257)


def _exif() -> bytes:
    return piexif.dump(
        {
            "0th": {piexif.ImageIFD.Make: b"Maker", piexif.ImageIFD.Orientation: 6, piexif.ImageIFD.Software: b"GIMP"},
            "Exif": {
                piexif.ExifIFD.DateTimeOriginal: b"2020:02:03 04:05:06",
                piexif.ExifIFD.ExposureTime: (1, 60),
                piexif.ExifIFD.UserComment: b"UNICODE\0" + "Steps: 20, Sampler: Euler".encode("utf-16-be"),
            },
            "GPS": {piexif.GPSIFD.GPSLatitude: ((48, 1), (8, 1), (0, 1))},
            "1st": {},
        }
    )


def _rich() -> dict[str, object]:
    """EXIF, a colour profile and XMP, for writers that take them."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    namespace = 'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    packet = xmp(f'{namespace} Iptc4xmpExt:DigitalSourceType="{_AI}"/>')
    return {"exif": _exif(), "icc_profile": profile, "xmp": packet}


def _png_with_texts() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 96x72")
    info.add_text("workflow", '{"nodes": []}', zip=True)
    info.add_itxt("XML:com.adobe.xmp", xmp("/>").decode(), zip=True)
    rich = _rich()
    return _saved(_picture(), "PNG", pnginfo=info, exif=rich["exif"], icc_profile=rich["icc_profile"])


def _interlaced_png() -> bytes:
    pixels = np.asarray(_picture())
    rows = b"".join(
        b"\0" + row.tobytes()
        for column, line, step, stride in _ADAM7
        for row in np.ascontiguousarray(pixels[line::stride, column::step])
    )
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *_SIZE, 8, 2, 0, 0, 1))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")


@cache
def _press() -> Press:
    return Press()


def _signed(image_format: str, media_type: str) -> bytes:
    actions = [{"action": "c2pa.created", "digitalSourceType": _AI}]
    return _press().sign(_saved(_picture(), image_format), media_type, actions)


def _animation(image_format: str, **options: object) -> bytes:
    first, *others = _frames()
    return _saved(first, image_format, save_all=True, append_images=others, **options)


_MAKERS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: _saved(_picture(), "JPEG", quality=90),
    "jpeg progressive": lambda: _saved(_picture(), "JPEG", quality=80, progressive=True),
    "jpeg with metadata": lambda: _saved(_picture(), "JPEG", **_rich(), comment=b"made by hand"),
    "jpeg grey": lambda: _saved(_picture("L"), "JPEG"),
    "jpeg cmyk": lambda: _saved(_picture("CMYK"), "JPEG"),
    "jpeg restarts": lambda: _saved(_picture(), "JPEG", restart_marker_rows=1),
    "jpeg of several pictures": lambda: _animation("MPO"),
    "jpeg signed": lambda: _signed("JPEG", "image/jpeg"),
    "png": lambda: _saved(_picture(), "PNG"),
    "png alpha": lambda: _saved(_translucent(), "PNG"),
    "png palette": lambda: _saved(_picture("P"), "PNG", transparency=3, bits=8),
    "png one bit": lambda: _saved(_picture("1"), "PNG"),
    "png sixteen bit": lambda: _saved(_sixteen_bit(), "PNG"),
    "png interlaced": _interlaced_png,
    "png with texts": _png_with_texts,
    "png animated": lambda: _animation("PNG"),
    "png signed": lambda: _signed("PNG", "image/png"),
    "webp lossy": lambda: _saved(_picture(), "WEBP", quality=80),
    "webp lossless": lambda: _saved(_picture(), "WEBP", lossless=True),
    "webp with metadata": lambda: _saved(_translucent(), "WEBP", **_rich()),
    "webp animated": lambda: _animation("WEBP"),
    "gif": lambda: _saved(_picture("P"), "GIF"),
    "gif animated": lambda: _animation("GIF", transparency=0, disposal=2, comment=b"three frames"),
    "bmp": lambda: _saved(_picture(), "BMP"),
    "bmp palette": lambda: _saved(_picture("P"), "BMP"),
    "bmp one bit": lambda: _saved(_picture("1"), "BMP"),
    "tiff": lambda: _saved(_picture(), "TIFF", exif=_exif().removeprefix(b"Exif\0\0")),
    "tiff lzw": lambda: _saved(_picture(), "TIFF", compression="tiff_lzw"),
    "tiff deflate": lambda: _saved(_picture(), "TIFF", compression="tiff_adobe_deflate"),
    "tiff jpeg": lambda: _saved(_picture(), "TIFF", compression="jpeg"),
    "tiff fax": lambda: _saved(_picture("1"), "TIFF", compression="group4"),
    "tiff sixteen bit": lambda: _saved(_sixteen_bit(), "TIFF"),
    "tiff float": lambda: _saved(_picture("F"), "TIFF"),
    "tiff pages": lambda: _animation("TIFF"),
    "avif": lambda: _saved(_picture(), "AVIF", quality=80, speed=10),
    "avif with metadata": lambda: _saved(_translucent(), "AVIF", speed=10, **_rich()),
    "avif animated": lambda: _animation("AVIF", speed=10),
    "heic": lambda: _saved(_picture(), "HEIF", quality=80),
    "heic with metadata": lambda: _saved(_picture(), "HEIF", exif=_exif(), xmp=_rich()["xmp"]),
}


@cache
def seed_files() -> dict[str, bytes]:
    """Each file by its name; the first word is the format. All but the signed ones are the same in every run."""
    return {name: make() for name, make in _MAKERS.items()}
