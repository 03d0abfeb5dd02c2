"""From a stranger's bytes to an ImageSample, safely: allow-listed formats, pixels capped before decoding."""

import contextlib
import hashlib
import io
import warnings
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pillow_heif
from PIL import Image, ImageChops, UnidentifiedImageError
from PIL.JpegImagePlugin import jpeg_factory

from forensics.errors import DecodeFailedError, JobError, TooManyPixelsError
from forensics.reading.avif import coded_size
from forensics.reading.containers import png_without_damaged_extras
from forensics.reading.extent import extent_of, trailing_bytes
from forensics.reading.jxl import jxl_size
from forensics.reading.metadata import read_metadata
from forensics.reading.partial import Check, Load, rows_there
from forensics.reading.progressive import scans_of
from forensics.reading.sniff import PLUGINS, media_type_of, webp_size
from forensics.types import ImageSample, Pixels, Reading

Image.init()
pillow_heif.register_heif_opener()

ORIENTATION_TAG = 0x0112
REDUCED = "reduced by"
STRIP_ROWS, STRIP_PIXELS = 32, 1_000_000
# Their plugins allocate the whole picture on opening, so its size is looked at first.
HEADER_SIZES = {"image/webp": webp_size, "image/jxl": jxl_size}
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


# What libjpeg can divide each side by while it decodes, and the largest JPEG that is decoded so: the coefficients of
# a progressive one lie in memory whole.
REDUCTIONS = (2, 4, 8)
MOST_JPEG_PIXELS = 300_000_000
# A JPEG takes at least a bit for each block of 8 x 8 px; a header that announces more than that is a bomb.
MOST_PIXELS_PER_BYTE = 512
MOST_SCANS, USUAL_SCANS, MOST_SCANNED_PIXELS = 100, 32, 1_000_000_000
LONGEST_COMPLAINT = 80
SALVAGED = ("image/jpeg", "image/png", "image/webp")


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What the decoder refuses: `max_pixels` is width x height as the header announces it.

    A larger JPEG of up to 300 million pixels is decoded at a half, a quarter or an eighth of its sides instead.
    `as_published`: pixels are what Pillow's `convert("RGB")` makes of the file, as the authors of published detectors
    read it: not turned, what is transparent in its stored colours, 16-bit grey however Pillow cuts it.
    """

    max_pixels: int = 64_000_000
    as_published: bool = False


def decode(data: bytes, limits: DecodeLimits = DecodeLimits(), frame: int = 1) -> ImageSample:
    """The sample in `data`; NotAnImageError, TooManyPixelsError or DecodeFailedError where there is none.

    `frame` is the frame of an animation, counted from 1. Colour profiles are kept but not applied: the analyzers look
    at values as the encoder wrote them, and stripping a profile must not move them.
    """
    media_type = media_type_of(data)
    try:
        # Pillow warns about damaged metadata and large images; both have their own answers here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image, reading = _readable(data, media_type, limits, frame)
            pixels, alpha = (_frozen(_rgb(image.convert("RGB"))), None) if limits.as_published else _upright(image)
    except JobError:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise TooManyPixelsError("The image has too many pixels to be decoded.") from error
    except UnidentifiedImageError as error:
        raise DecodeFailedError(f"The {media_type} file is damaged: its header cannot be read.") from error
    except Exception as error:
        # Decoders raise whatever they like on hostile bytes; all of it means the same to the caller.
        raise DecodeFailedError(f"The {media_type} file {_told(error)}.") from error
    metadata = read_metadata(data, media_type)
    return ImageSample(data, hashlib.sha256(data).hexdigest(), media_type, pixels, metadata, alpha, reading)


def _upright(image: Image.Image) -> tuple[Pixels, Pixels | None]:
    """The pixels as a person is shown them, and the opacity where there is any transparency."""
    turn = TURNS.get(_orientation(image))
    shown = _eight_bit(image)
    return _split_alpha(shown.transpose(turn) if turn is not None else shown)


def _readable(data: bytes, media_type: str, limits: DecodeLimits, frame: int) -> tuple[Image.Image, Reading]:
    """The loaded image, not turned yet, and how it was read."""
    load = partial(_loaded, media_type=media_type, limits=limits, frame=frame)
    extent = extent_of(data, media_type)
    reading = Reading(damaged=extent.end is None, trailing_bytes=trailing_bytes(data, extent), frames=extent.frames)
    try:
        image, missing, coarse = load(data), 0.0, False
    except (JobError, Image.DecompressionBombError, MemoryError):
        raise
    except Exception as error:
        if frame > 1:
            raise
        image, missing, coarse = _salvaged(data, media_type, load, partial(_check_size, limits=limits), error)
        reading = replace(reading, damaged=True)
    frames = max(reading.frames, int(getattr(image, "n_frames", 1))) if media_type == "image/avif" else reading.frames
    read = replace(reading, missing=missing, coarse=coarse, frames=frames, frame=frame, reduced_by=_reduction(image))
    return image, read


def _salvaged(
    data: bytes, media_type: str, load: Load, check: Check, error: Exception
) -> tuple[Image.Image, float, bool]:
    """What is left of a damaged file, the share of rows that is missing, and whether it is coarse."""
    # Pillow gives a PNG up for a text whose checksum is wrong, as hand-edited ones have; browsers show it.
    sound = png_without_damaged_extras(data) if media_type == "image/png" else data
    if sound != data:
        with contextlib.suppress(OSError, ValueError, SyntaxError):
            return load(sound), 0.0, False
    if media_type not in SALVAGED:
        raise error
    left = rows_there(sound, media_type, load, check)
    return left.image, left.missing, left.coarse


def _loaded(data: bytes, media_type: str, limits: DecodeLimits, frame: int = 1) -> Image.Image:
    size = HEADER_SIZES.get(media_type)
    if size is not None:
        _check_size(size(data), limits)
    if media_type == "image/avif" and (real := coded_size(data)) != (0, 0):
        _check_size(real, limits)
    image = _opened(data, media_type)
    full = image.size
    if media_type == "image/jpeg" and image.width * image.height <= min(
        MOST_JPEG_PIXELS, len(data) * MOST_PIXELS_PER_BYTE
    ):
        _reduce(image, limits)
    _check_size(image.size, limits)
    if media_type == "image/jpeg":
        _check_scans(data, full)
    if frame > 1:
        # EOFError where the file has fewer.
        image.seek(frame - 1)
    image.load()
    return image


def _opened(data: bytes, media_type: str) -> Image.Image:
    if media_type == "image/jpeg":
        # Image.open refuses by a limit of its own, before the size of a JPEG can be reduced.
        try:
            return jpeg_factory(io.BytesIO(data))
        except SyntaxError as error:
            raise UnidentifiedImageError(str(error)) from error
    return Image.open(io.BytesIO(data), formats=PLUGINS[media_type])


def _reduce(image: Image.Image, limits: DecodeLimits) -> None:
    """Have a JPEG decoded at the largest fraction of its size that the limit allows; as it is where none fits."""
    width, height = image.size
    if width * height <= limits.max_pixels:
        return
    for factor in REDUCTIONS:
        if -(-width // factor) * -(-height // factor) <= limits.max_pixels:
            # Pillow takes the largest factor that leaves both sides at least this long.
            image.draft(None, (width // factor, height // factor))
            image.info[REDUCED] = factor
            return


def _reduction(image: Image.Image) -> int:
    return int(image.info.get(REDUCED, 1))


def _check_scans(data: bytes, size: tuple[int, int]) -> None:
    """Refuse a JPEG whose many scans would each pass over all of its pixels; encoders write ten or so."""
    scans = scans_of(data)
    if scans > MOST_SCANS or (scans > USUAL_SCANS and scans * size[0] * size[1] > MOST_SCANNED_PIXELS):
        raise DecodeFailedError(f"The JPEG has {scans} scans, too many for one of its size.")


def _check_size(size: tuple[int, int], limits: DecodeLimits) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise DecodeFailedError("The image has no pixels.")
    if width * height > limits.max_pixels:
        raise TooManyPixelsError(
            f"The image is {width} x {height}, {width * height / 1e6:.3g} million pixels; "
            f"FETCH_MAX_PIXELS allows {limits.max_pixels / 1e6:.3g} million."
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
    rows = max(STRIP_ROWS, STRIP_PIXELS // width)  # a thin image would be millions of strips
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return pixels


def _frozen(array: Pixels) -> Pixels:
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


def _told(error: Exception) -> str:
    """What the decoder's complaint means, short and printable."""
    text = "".join(c if c.isprintable() else " " for c in str(error)).strip()
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "ends before its picture does"
    # Some complain in paragraphs and advise those who build them.
    told = text if len(text) <= LONGEST_COMPLAINT else "it cannot be decoded"
    return f"is damaged or truncated: {told.rstrip('.') or type(error).__name__}"
