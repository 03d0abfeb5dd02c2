"""Real photographs out of installed packages, and the files tests make of them."""

import io

import numpy as np
from PIL import Image
from skimage import data

from forensics.reading.decode import decode
from forensics.types import ImageSample, Pixels


def photo(name: str = "astronaut") -> Pixels:
    """A photograph that comes inside scikit-image: astronaut, coffee or chelsea."""
    return np.ascontiguousarray(getattr(data, name)())


def encoded(pixels: Pixels, image_format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, image_format, **options)
    return buffer.getvalue()


def sample_of(pixels: Pixels, image_format: str = "PNG", **options: object) -> ImageSample:
    return decode(encoded(pixels, image_format, **options))


def resized(pixels: Pixels, factor: float) -> Pixels:
    image = Image.fromarray(pixels)
    size = (round(image.width * factor), round(image.height * factor))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))
