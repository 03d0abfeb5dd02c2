"""Views: the ways an image is shown to the detectors in training and evaluation, the same for both classes."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from forensics.crops import CROP
from forensics.reading.strip import strip_metadata
from forensics.types import ImageSample, Pixels
from img_ml.data.dataset import Row

Encoder = Literal["none", "strip", "jpeg", "webp", "png"]
ORIENTATION_TAG = 0x0112
# Raise it when the same view gives other bytes: what is cached under the old number is then measured again.
RENDERER = 1


@dataclass(frozen=True, slots=True)
class View:
    """One way to show an image; the defaults are the file as it is.

    `encoder` "none" keeps the bytes, "strip" takes only the metadata out; the others encode the pixels anew, after
    cropping to at most `crop` px a side (0: the whole; `top` and `left` in [0, 1] say where), scaling by `scale` and
    down to `longest_side` px (0: no limit), blurring by `blur` px, and the rest. `exif` keeps the EXIF block.
    """

    encoder: Encoder = "none"
    quality: int = 0
    subsampling: Literal[0, 2] = 0
    crop: int = 0
    top: float = 0.5
    left: float = 0.5
    scale: float = 1.0
    longest_side: int = 0
    blur: float = 0.0
    grey: bool = False
    margin: float = 0.0
    exif: bool = False

    @property
    def name(self) -> str:
        """What sets this view apart from the file as it is, in one line; the key it is cached under."""
        parts = [
            f"{field}={value:.6g}" if isinstance(value, float) else f"{field}={value}"
            for field, value in asdict(self).items()
            if value != getattr(AS_IT_IS, field)
        ]
        return f"v{RENDERER} {' '.join(parts)}" if parts else "as it is"


AS_IT_IS = View()


def draw_view(sha256: str, index: int, seed: int) -> View:
    """The training view of that index of an image: one seeded draw that never looks at label, format or metadata.

    A crop of at most CROP px; 3 of 10 are scaled down to 60 to 100 %, 1 of 10 blurred by 0.3 to 1.2 px, 1 of 10 grey;
    7 of 10 are JPEG of quality 70 to 95, 2 of 10 WebP of quality 70 to 95, 1 of 10 is lossless; half keep their EXIF.
    """
    digest = hashlib.sha256(f"{seed}:{index}:{sha256}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    kind = random.random()
    encoder: Encoder = "jpeg" if kind < 0.7 else "webp" if kind < 0.9 else "png"
    return View(
        encoder=encoder,
        crop=CROP,
        top=random.random(),
        left=random.random(),
        scale=float(random.uniform(0.6, 1.0)) if random.random() < 0.3 else 1.0,
        quality=int(random.integers(70, 96)),
        subsampling=2 if random.random() < 0.5 else 0,
        blur=float(random.uniform(0.3, 1.2)) if random.random() < 0.1 else 0.0,
        exif=bool(random.random() < 0.5),
        grey=bool(random.random() < 0.1),
    )


def training_views(count: int, seed: int) -> Callable[[Row, str], tuple[View, ...]]:
    """What training asks for: `count` random views of each image to learn from, and the test images as they are."""

    def views(row: Row, sha256: str) -> tuple[View, ...]:
        return (AS_IT_IS,) if row.split == "test" else tuple(draw_view(sha256, i, seed) for i in range(count))

    return views


def render_view(sample: ImageSample, view: View) -> bytes:
    """The file bytes of a view."""
    if view.encoder == "none":
        return sample.data
    if view.encoder == "strip":
        return strip_metadata(sample.data)
    return _encoded(_drawn(sample.pixels, view), view, _exif(sample) if view.exif else b"")


def _drawn(pixels: Pixels, view: View) -> Image.Image:
    image = Image.fromarray(_crop(pixels, view) if view.crop else pixels)
    scale = min(view.scale, view.longest_side / max(image.size)) if view.longest_side else view.scale
    if scale < 1:
        size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
        image = image.resize(size, Image.Resampling.LANCZOS)
    if view.blur:
        image = image.filter(ImageFilter.GaussianBlur(view.blur))
    if view.grey:
        image = image.convert("L").convert("RGB")
    if view.margin:
        edge = max(round(max(image.size) * view.margin), 1)
        page = Image.new("RGB", (image.width + 2 * edge, image.height + 2 * edge), "white")
        page.paste(image, (edge, edge))
        image = page
    return image


def _crop(pixels: Pixels, view: View) -> Pixels:
    height, width = pixels.shape[:2]
    top, left = int(max(height - view.crop, 0) * view.top), int(max(width - view.crop, 0) * view.left)
    return pixels[top : top + view.crop, left : left + view.crop]


def _encoded(image: Image.Image, view: View, exif: bytes) -> bytes:
    buffer = io.BytesIO()
    if view.encoder == "jpeg":
        image.save(buffer, "JPEG", quality=view.quality, subsampling=view.subsampling, exif=exif)
    elif view.encoder == "webp":
        image.save(buffer, "WEBP", quality=view.quality, exif=exif)
    else:
        image.save(buffer, "PNG", compress_level=1, exif=exif)
    return buffer.getvalue()


# A JPEG segment holds no more; an EXIF block beyond it comes from a file that could carry it elsewhere.
_MOST_EXIF = 65_000


def _exif(sample: ImageSample) -> bytes:
    """The EXIF block with the orientation taken out, for the pixels are upright; empty where it cannot be written."""
    if not sample.metadata.exif:
        return b""
    exif = Image.Exif()
    try:
        exif.load(b"Exif\0\0" + sample.metadata.exif)
        exif.pop(ORIENTATION_TAG, None)
        block = exif.tobytes()
    except Exception:  # noqa: BLE001 - damaged EXIF raises whatever it likes; such a view goes without
        return b""
    return block if len(block) <= _MOST_EXIF else b""
