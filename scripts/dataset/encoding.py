"""How a file is written, apart from what it shows: bytes per pixel, metadata sizes, JPEG tables and sampling."""

import io
import warnings
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile, get_sampling

from forensics.types import ImageSample

_CELLS = 64


@dataclass(frozen=True, slots=True)
class Encoding:
    """Traces of one file's writing.

    `metadata_sizes` are those of EXIF, XMP, IPTC and ICC in bytes and of texts in characters. `quantisation` holds the
    luma and the chroma table of a JPEG, (128,) float32 in zigzag order, NaN for a table that is not there;
    `subsampling` Pillow's number of the chroma subsampling. Both are None for other formats.
    """

    bytes_per_pixel: float
    metadata_sizes: tuple[int, int, int, int, int]
    quantisation: NDArray[np.float32] | None = field(default=None, repr=False)
    subsampling: int | None = None


def encoding_of(sample: ImageSample) -> Encoding:
    """The traces of a decoded file."""
    metadata = sample.metadata
    text = sum(len(key) + len(value) for key, value in metadata.text.items())
    sizes = (len(metadata.exif), len(metadata.xmp), len(metadata.iptc), len(metadata.icc), text)
    bytes_per_pixel = len(sample.data) / (sample.width * sample.height)
    if sample.media_type != "image/jpeg":
        return Encoding(bytes_per_pixel, sizes)
    return Encoding(bytes_per_pixel, sizes, *_jpeg(sample.data))


def _jpeg(data: bytes) -> tuple[NDArray[np.float32], int | None]:
    cells = np.full(2 * _CELLS, np.nan, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            if not isinstance(image, JpegImageFile):
                return cells, None
            for index, table in enumerate(list(image.quantization.values())[:2]):
                cells[index * _CELLS : (index + 1) * _CELLS] = table
            return cells, get_sampling(image)
