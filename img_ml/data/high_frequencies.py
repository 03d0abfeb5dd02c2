"""What is left of a picture without its blurred self: its grain and its edges."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from forensics.types import Pixels

# Of Pillow's Gaussian blur, which is made of three box blurs; beyond the reach nothing changes a pixel.
RADIUS, REACH = 3, 12
# Raise it when networks that were trained on the high frequencies have to be trained anew.
VERSION = 2
Differences = NDArray[np.int16]


def high_frequencies(pixels: Pixels) -> Differences:
    """The picture minus its Gaussian blur, H x W x 3 from -255 to 255, as the contest's resnet_hf sees it."""
    blurred = Image.fromarray(np.ascontiguousarray(pixels)).filter(ImageFilter.GaussianBlur(RADIUS))
    return pixels.astype(np.int16) - np.asarray(blurred, dtype=np.int16)
