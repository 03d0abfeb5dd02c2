"""Small pictures for the tests of the dataset commands: each number another scene."""

from pathlib import Path

import numpy as np
from PIL import Image


def scene(number: int, width: int = 96, height: int = 96) -> Image.Image:
    """A cloud of colours with some grain; no two numbers look alike."""
    random = np.random.default_rng(number)
    cloud = Image.fromarray(random.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    pixels = np.asarray(cloud.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    return Image.fromarray(np.clip(pixels + random.integers(-6, 7, pixels.shape), 0, 255).astype(np.uint8))


def save(path: Path, number: int, width: int = 96, height: int = 96, **options: object) -> Path:
    """The scene in a file of the format its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scene(number, width, height).save(path, **options)
    return path
