"""How a file is written, apart from what it shows: its JPEG tables, sampling, metadata sizes, bytes per pixel."""

import io
import warnings
from collections.abc import Mapping

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile, get_sampling

from forensics.types import ImageSample

TABLE_CELLS = 64


def encoding_of(sample: ImageSample) -> Mapping[str, float]:
    """Numbers by name; those of JPEG (`quantisation_*`, `sampling`) are there for JPEG files only."""
    metadata = sample.metadata
    return {
        "width": sample.width,
        "height": sample.height,
        "bytes_per_pixel": len(sample.data) / (sample.width * sample.height),
        "exif_bytes": len(metadata.exif),
        "xmp_bytes": len(metadata.xmp),
        "iptc_bytes": len(metadata.iptc),
        "icc_bytes": len(metadata.icc),
        "text_length": sum(len(key) + len(text) for key, text in metadata.text.items()),
        **(_jpeg(sample.data) if sample.media_type == "image/jpeg" else {}),
    }


def _jpeg(data: bytes) -> Mapping[str, float]:
    """Luma and chroma quantisation tables in zigzag order, and Pillow's number of the chroma subsampling."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            if not isinstance(image, JpegImageFile):
                return {}
            tables = list(image.quantization.values())
            sampling = get_sampling(image)
    cells = {
        f"quantisation_{name}_{cell}": float(value)
        for name, table in zip(("luma", "chroma"), tables, strict=False)
        for cell, value in enumerate(table[:TABLE_CELLS])
    }
    return {**cells, "sampling": float(sampling)}
