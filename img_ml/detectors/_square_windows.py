"""Square windows of an image at native resolution, all of one size, for an encoder that takes no other."""

import numpy as np
from numpy.typing import NDArray

from forensics.types import Pixels
from img_ml.detectors._members import LEFT_OUT, spread_windows

# Pixels a side of what the encoder sees.
SIDE = 224
# A JPEG's block grid stays where it was.
_BLOCK = 8


def square_windows(pixels: Pixels, most: int) -> NDArray[np.uint8]:
    """At most `most` windows n x SIDE x SIDE x 3, spread evenly; where an image is smaller, it goes on mirrored."""
    height, width = pixels.shape[:2]
    return np.stack([_square(pixels[place]) for place in spread_windows(height, width, most, LEFT_OUT)])


def _square(window: Pixels) -> Pixels:
    top, left = (max(length - SIDE, 0) // 2 // _BLOCK * _BLOCK for length in window.shape[:2])
    inner = window[top : top + SIDE, left : left + SIDE]
    lacking = [(0, SIDE - length) for length in inner.shape[:2]]
    return np.pad(inner, (*lacking, (0, 0)), mode="symmetric")
