"""Training views: crop, rescale and re-encode an image, the same for both classes, seeded by its bytes."""

import hashlib
import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from forensics.crops import CROP
from forensics.types import ImageSample, Pixels

Format = Literal["JPEG", "WEBP", "PNG"]


@dataclass(frozen=True, slots=True)
class View:
    """One way to encode an image again; drawn without looking at the label, the format or the metadata."""

    top: float
    left: float
    scale: float
    format: Format
    quality: int
    subsampling: Literal[0, 2]


def draw_view(sha256: str, index: int, seed: int) -> View:
    """The view of that index of an image: crop place, scale, format and quality, all from one seeded draw.

    7 of 10 are JPEG of quality 70 to 95, 2 of 10 WebP of quality 70 to 95, 1 of 10 is lossless; 3 of 10 are scaled
    down to 60 to 100 % before.
    """
    digest = hashlib.sha256(f"{seed}:{index}:{sha256}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    kind = random.random()
    return View(
        top=random.random(),
        left=random.random(),
        scale=float(random.uniform(0.6, 1.0)) if random.random() < 0.3 else 1.0,
        format="JPEG" if kind < 0.7 else "WEBP" if kind < 0.9 else "PNG",
        quality=int(random.integers(70, 96)),
        subsampling=2 if random.random() < 0.5 else 0,
    )


def render_view(sample: ImageSample, view: View) -> bytes:
    """The file bytes of a view: a crop of at most CROP x CROP without any metadata."""
    image = Image.fromarray(_crop(sample.pixels, view))
    if view.scale < 1:
        size = (max(round(image.width * view.scale), 1), max(round(image.height * view.scale), 1))
        image = image.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if view.format == "JPEG":
        image.save(buffer, "JPEG", quality=view.quality, subsampling=view.subsampling)
    elif view.format == "WEBP":
        image.save(buffer, "WEBP", quality=view.quality)
    else:
        image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _crop(pixels: Pixels, view: View) -> Pixels:
    height, width = pixels.shape[:2]
    top, left = int(max(height - CROP, 0) * view.top), int(max(width - CROP, 0) * view.left)
    return pixels[top : top + CROP, left : left + CROP]
