"""The colours of maps: equal steps of a value are equal steps of lightness, for every eye and in print."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from forensics.types import Heatmap, Pixels

# Lightness, green to red, blue to yellow in OKLab (Ottosson, 2020): near black, violet, red, orange, pale yellow.
# The lightness rises in even steps; hue and chroma only help.
_STOPS = np.array(
    [[0.16, 0.01, -0.06], [0.36, 0.10, -0.09], [0.56, 0.16, 0.05], [0.76, 0.08, 0.13], [0.96, -0.02, 0.09]]
)
_STEPS = 256
_OKLAB_TO_LMS = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
_LMS_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def coloured(heatmap: Heatmap) -> Pixels:
    """The map (values in [0, 1]) in colour, H x W x 3 uint8."""
    return palette()[np.rint(np.clip(heatmap, 0, 1) * (_STEPS - 1)).astype(np.intp)]


@cache
def palette() -> Pixels:
    """The 256 colours from low to high, 256 x 3 uint8."""
    place = np.linspace(0, len(_STOPS) - 1, _STEPS)
    oklab = np.stack([np.interp(place, np.arange(len(_STOPS)), column) for column in _STOPS.T], axis=-1)
    linear: NDArray[np.float64] = np.clip((oklab @ _OKLAB_TO_LMS.T) ** 3 @ _LMS_TO_RGB.T, 0, 1)
    encoded: NDArray[np.float64] = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    colours: Pixels = np.rint(encoded * 255).astype(np.uint8)
    return colours
