"""From a stranger's bytes to an ImageSample, safely: allow-listed formats, pixels capped before decoding."""

import hashlib
import io
import warnings
from dataclasses import dataclass

import numpy as np
import pillow_heif
from PIL import Image, ImageChops, UnidentifiedImageError

from forensics.errors import DecodeFailedError, JobError, TooManyPixelsError
from forensics.reading.containers import png_without_damaged_extras
from forensics.reading.metadata import read_metadata
from forensics.reading.sniff import PLUGINS, media_type_of, webp_size
from forensics.types import ImageSample, Pixels

Image.init()
pillow_heif.register_heif_opener()

ORIENTATION_TAG = 0x0112
STRIP_ROWS = 32
# What undoes each EXIF orientation (TIFF 6.0, tag Orientation).
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What the decoder refuses: `max_pixels` is width x height as the header announces it.

    Pillow's own bomb limit of 179 million pixels stays in force above it.
    """

    max_pixels: int = 50_000_000


def decode(data: bytes, limits: DecodeLimits = DecodeLimits()) -> ImageSample:
    """The sample in `data`; NotAnImageError, TooManyPixelsError or DecodeFailedError where there is none.

    The first frame of an animation is taken. Colour profiles are kept but not applied: the analyzers look at values
    as the encoder wrote them, and stripping a profile must not move them.
    """
    media_type = media_type_of(data)
    try:
        # Pillow warns about damaged metadata and large images; both have their own answers here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels, alpha = _readable(data, media_type, limits)
    except JobError:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise TooManyPixelsError("The image has too many pixels to be decoded.") from error
    except UnidentifiedImageError as error:
        raise DecodeFailedError(f"The {media_type} file is damaged: its header cannot be read.") from error
    except Exception as error:
        # Decoders raise whatever they like on hostile bytes; all of it means the same to the caller.
        raise DecodeFailedError(f"The {media_type} file is damaged or truncated: {_told(error)}") from error
    metadata = read_metadata(data, media_type)
    return ImageSample(data, hashlib.sha256(data).hexdigest(), media_type, pixels, metadata, alpha)


def _readable(data: bytes, media_type: str, limits: DecodeLimits) -> tuple[Pixels, Pixels | None]:
    try:
        return _pixels(data, media_type, limits)
    except (JobError, Image.DecompressionBombError, MemoryError):
        raise
    except Exception:
        # Pillow gives a PNG up for a text whose checksum is wrong, as hand-edited ones have; browsers show it.
        sound = png_without_damaged_extras(data) if media_type == "image/png" else data
        if sound == data:
            raise
        return _pixels(sound, media_type, limits)


def _pixels(data: bytes, media_type: str, limits: DecodeLimits) -> tuple[Pixels, Pixels | None]:
    if media_type == "image/webp":
        # Pillow's WebP plugin allocates the canvas on opening, so its size is looked at first.
        _check_size(webp_size(data), limits)
    with Image.open(io.BytesIO(data), formats=PLUGINS[media_type]) as image:
        _check_size(image.size, limits)
        image.load()
        turn = TURNS.get(_orientation(image))
        upright = _eight_bit(image)
        upright = upright.transpose(turn) if turn is not None else upright
        return _split_alpha(upright)


def _check_size(size: tuple[int, int], limits: DecodeLimits) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise DecodeFailedError("The image has no pixels.")
    if width * height > limits.max_pixels:
        raise TooManyPixelsError(
            f"The image is {width} x {height}, {width * height / 1e6:.0f} million pixels; "
            f"the limit is {limits.max_pixels / 1e6:.0f} million."
        )


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - damaged EXIF says nothing about the orientation
        return 1


def _eight_bit(image: Image.Image) -> Image.Image:
    """The image as RGB, or RGBA where it has any transparency."""
    if image.mode.startswith("I;16"):
        return _grey(np.asarray(image).astype(np.float64) / 257)
    if image.mode == "I":
        values = np.asarray(image).astype(np.float64)
        # Pillow reads 16-bit files into this mode too; only larger values need the 32-bit scale.
        return _grey(values / 257 if values.max() <= 65535 else values / 2**24)
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image).astype(np.float64), nan=0, posinf=0, neginf=0)
        top = values.max()
        return _grey(values * 255 / (1 if top <= 1 else 255 if top <= 255 else top))
    if image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        # Pillow takes every CMYK JPEG for Adobe's inverted kind; without Adobe's marker it is not.
        return ImageChops.invert(image).convert("RGB")
    if image.has_transparency_data:
        return image.convert("RGBA")
    # Converting into the same mode would copy all pixels.
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8)).convert("RGB")


def _split_alpha(image: Image.Image) -> tuple[Pixels, Pixels | None]:
    if image.mode == "RGB":
        return _frozen(_rgb(image)), None
    white = Image.new("RGBA", image.size, "white")
    laid = Image.alpha_composite(white, image).convert("RGB")
    return _frozen(_rgb(laid)), _frozen(np.array(image.getchannel("A")))


def _rgb(image: Image.Image) -> Pixels:
    """The pixels of an RGB image, strip by strip: in one go Pillow and numpy would copy all of them twice."""
    width, height = image.size
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    for top in range(0, height, STRIP_ROWS):
        bottom = min(top + STRIP_ROWS, height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return pixels


def _frozen(array: Pixels) -> Pixels:
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


def _told(error: Exception) -> str:
    """The decoder's complaint, short and printable."""
    text = "".join(c if c.isprintable() else " " for c in str(error))[:120].strip()
    return text or type(error).__name__
