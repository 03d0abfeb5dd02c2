"""Metadata as found in the file, uninterpreted."""

import io
import warnings

from PIL import Image

from forensics.types import Metadata


def read_metadata(data: bytes, media_type: str) -> Metadata:
    """The metadata of the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            info = Image.open(io.BytesIO(data)).info
        except Exception:  # noqa: BLE001 - unreadable metadata is absent metadata
            return Metadata()
    return Metadata(exif=info.get("exif", b"").removeprefix(b"Exif\0\0"))
