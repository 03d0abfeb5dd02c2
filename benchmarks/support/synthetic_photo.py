"""A photograph that nobody took: shapes over shapes, soft shading, fine texture and a sensor's noise, as JPEG."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

_SHAPES = 3000
_SMALLEST, _LARGEST = 0.01, 0.25
_SHADING, _TEXTURE, _SHOT = 18.0, 6.0, 0.35


def synthetic_photo(side: int, *, quality: int = 92, seed: int = 0) -> bytes:
    """A JPEG of side x side pixels, the same for the same seed; of 1000 x 1000 pixels it has about 430 KB.

    Shapes that cover each other in all sizes have the edges and the spectrum of photographs (dead leaves).
    """
    random = np.random.default_rng(seed)
    scene = np.asarray(_leaves(side, random), dtype=np.float32)
    scene += _SHADING * _coloured(side, 1.6, random)[..., None]
    scene += _TEXTURE * _coloured(side, 0.8, random)[..., None]
    scene += random.normal(0, 1, scene.shape).astype(np.float32) * np.sqrt(np.maximum(scene, 1)) * _SHOT
    target = io.BytesIO()
    Image.fromarray(np.clip(np.rint(scene), 0, 255).astype(np.uint8)).save(target, "JPEG", quality=quality)
    return target.getvalue()


def _leaves(side: int, random: np.random.Generator) -> Image.Image:
    """Ellipses of many sizes and colours, drawn twice as large and halved, so that their edges are as soft as real."""
    large = Image.new("RGB", (2 * side, 2 * side), (110, 105, 100))
    draw = ImageDraw.Draw(large)
    for _ in range(_SHAPES):
        # Sizes by an inverse cube law, which gives every scale its share of the picture.
        share = (random.uniform(_LARGEST**-2, _SMALLEST**-2)) ** -0.5
        width, height = share * random.uniform(0.6, 1.6, 2) * 2 * side
        left, top = random.uniform(-0.1, 1.0, 2) * 2 * side
        red, green, blue = np.clip(random.uniform(30, 220) + random.normal(0, 25, 3), 0, 255).astype(int).tolist()
        draw.ellipse((left, top, left + width, top + height), fill=(red, green, blue))
    return large.resize((side, side), Image.Resampling.BOX)


def _coloured(side: int, fall: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Noise of unit spread whose amplitude falls with that power of the frequency."""
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    radius[0, 0] = np.inf
    noise = np.fft.irfft2(np.fft.rfft2(random.normal(0, 1, (side, side))) * radius**-fall, s=(side, side))
    return np.asarray(noise / noise.std(), dtype=np.float32)
