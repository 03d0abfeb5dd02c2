"""The three high-pass kernels of the steganalysis rich model (SRM) that forensic networks start with."""

import numpy as np
from numpy.typing import NDArray

# Fridrich and Kodovsky, Rich Models for Steganalysis of Digital Images, 2012: the square residuals of 3 x 3 and of
# 5 x 5 pixels, and the second difference along a row.
_SQUARE_3 = [[0, 0, 0, 0, 0], [0, -1, 2, -1, 0], [0, 2, -4, 2, 0], [0, -1, 2, -1, 0], [0, 0, 0, 0, 0]]
_SQUARE_5 = [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]]
_ROW = [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 1, -2, 1, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]


def srm_kernels() -> NDArray[np.float64]:
    """The kernels 3 x 5 x 5, each divided by the size of its middle weight."""
    return np.stack([np.array(_SQUARE_3) / 4, np.array(_SQUARE_5) / 12, np.array(_ROW) / 2])


def srm_filters() -> NDArray[np.float64]:
    """Nine filters 9 x 3 x 5 x 5 over RGB: each kernel on the red, the green and the blue plane, kernel by kernel."""
    filters = np.zeros((9, 3, 5, 5))
    for place, kernel in enumerate(srm_kernels()):
        for channel in range(3):
            filters[3 * place + channel, channel] = kernel
    return filters
