"""Random crops of decoded images for training, drawn alike for both classes: scaled, blurred, encoded, turned."""

import io
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from forensics.types import Pixels
from img_ml.data.dataset import Row
from img_ml.train.examples import View
from img_ml.train.pixel_store import PixelStore

# The smallest and the largest factor an image is scaled by, and the filters that do it.
SCALES = (0.58, 1.4)
_FILTERS = (
    Image.Resampling.BILINEAR,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
    Image.Resampling.BOX,
)
# JPEG and WebP of training, JPEG of the validation images.
_QUALITIES, _WATCHED_QUALITIES = (50, 98), (70, 95)


def augmented(store: PixelStore, side: int) -> View:
    """Views of `side` x `side` pixels, another one under each index from 1 on.

    Index 0 is what early stopping watches: the middle of the image, half as large again, as JPEG.
    """

    def view(row: Row, index: int, seed: int) -> Pixels:
        pixels = store.pixels(row.path)
        if index == 0:
            return validation_view(pixels, side * 3 // 2)
        return random_view(pixels, side, np.random.default_rng([seed, index]))

    return view


def validation_view(pixels: Pixels, side: int) -> Pixels:
    """The middle `side` x `side` pixels as JPEG of quality 70 to 95, which follows from the pixels alone."""
    pixels = _at_least(pixels, side)
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    middle = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    lowest, highest = _WATCHED_QUALITIES
    quality = lowest + zlib.crc32(middle.tobytes()) % (highest - lowest + 1)
    return np.asarray(_through(Image.fromarray(middle), "JPEG", quality=quality, subsampling=0))


def random_view(pixels: Pixels, side: int, random: np.random.Generator) -> Pixels:
    """One random crop: scaled with probability 1/2, changed a little, encoded up to twice, mirrored and turned."""
    image = _encoded(_changed(_crop(_at_least(pixels, side), side, random), random), random)
    if random.random() < 0.12:
        image = _encoded(image, random)
    shown = np.asarray(image)
    if random.random() < 0.5:
        shown = shown[:, ::-1]
    if random.random() < 0.2:
        shown = np.rot90(shown, int(random.integers(1, 4)))
    return shown


def _at_least(pixels: Pixels, side: int) -> Pixels:
    """The pixels, mirrored on where a side is shorter."""
    missing = [(0, max(side - length, 0)) for length in pixels.shape[:2]]
    return np.pad(pixels, (*missing, (0, 0)), mode="symmetric") if any(m for _, m in missing) else pixels


def _crop(pixels: Pixels, side: int, random: np.random.Generator) -> Image.Image:
    shortest = min(pixels.shape[:2])
    scale = 1.0
    if random.random() < 0.5:
        low, high = max(SCALES[0], side / shortest), SCALES[1]
        scale = float(np.exp(random.uniform(np.log(low), np.log(high))))
    cut = min(shortest, int(np.ceil(side / scale)))
    top, left = (int(random.integers(0, length - cut + 1)) for length in pixels.shape[:2])
    image = Image.fromarray(np.ascontiguousarray(pixels[top : top + cut, left : left + cut]))
    return image if cut == side else image.resize((side, side), _FILTERS[int(random.integers(len(_FILTERS)))])


def _changed(image: Image.Image, random: np.random.Generator) -> Image.Image:
    if random.random() < 0.12:
        image = image.filter(ImageFilter.GaussianBlur(float(random.uniform(0.3, 1.3))))
    if random.random() < 0.1:
        image = image.convert("L").convert("RGB")
    if random.random() < 0.1:
        values = np.asarray(image, dtype=np.float32)
        image = _rounded(values + random.normal(0, random.uniform(1, 6), values.shape))
    if random.random() < 0.1:
        values = np.asarray(image, dtype=np.float32)
        mean = values.mean()
        image = _rounded((values - mean) * random.uniform(0.75, 1.25) + mean + random.uniform(-15, 15))
    return image


def _rounded(values: NDArray[np.floating]) -> Image.Image:
    return Image.fromarray(np.clip(values + 0.5, 0, 255).astype(np.uint8))


def _encoded(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """JPEG in 65 of 100 cases, WebP in 20, else the image as it is."""
    kind = random.random()
    if kind >= 0.85:
        return image
    quality = int(random.integers(_QUALITIES[0], _QUALITIES[1] + 1))
    if kind >= 0.65:
        return _through(image, "WEBP", quality=quality, method=2)
    return _through(image, "JPEG", quality=quality, subsampling=2 if random.random() < 0.5 else 0)


def _through(image: Image.Image, encoder: str, **options: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, encoder, **options)
    return Image.open(buffer).convert("RGB")
