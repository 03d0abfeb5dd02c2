"""Statistics of Haar wavelet bands: spread, tails, and how bands hang together (after Farid and Lyu, 2003)."""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.forensic.numbers import Numbers, correlation, log_kurtosis, log_power
from forensics.residual import luminance
from forensics.types import Pixels

LEVELS = 3
Plane = NDArray[np.floating[Any]]


def wavelets(pixels: Pixels) -> Numbers:
    """For three levels and three orientations log power, log kurtosis, the sizes' correlation with other bands."""
    numbers: Numbers = {}
    smooth, finer = luminance(pixels), dict[str, Plane]()
    for level in range(1, LEVELS + 1):
        smooth, bands = haar(smooth)
        for name, band in bands.items():
            numbers[f"power_{name}{level}"] = log_power(band)
            numbers[f"kurtosis_{name}{level}"] = log_kurtosis(band)
        size = {name: np.abs(band) for name, band in bands.items()}
        for first, second in itertools.combinations(size, 2):
            numbers[f"with_{first}_{second}{level}"] = correlation(size[first], size[second])
        for name, below in finer.items():
            numbers[f"with_finer_{name}{level}"] = correlation(size[name], _halved(below))
        finer = size
    return numbers


def haar(plane: Plane) -> tuple[Plane, dict[str, Plane]]:
    """One level of the orthonormal Haar transform: the smooth half and the bands across, down and diagonal.

    An odd last row or column is dropped.
    """
    plane = plane[: plane.shape[0] // 2 * 2, : plane.shape[1] // 2 * 2]
    a, b, c, d = plane[::2, ::2], plane[::2, 1::2], plane[1::2, ::2], plane[1::2, 1::2]
    bands: dict[str, Plane] = {
        "across": (a - b + c - d) / 2,
        "down": (a + b - c - d) / 2,
        "diagonal": (a - b - c + d) / 2,
    }
    return np.asarray((a + b + c + d) / 2), bands


def _halved(size: Plane) -> Plane:
    """The mean of each 2 x 2 places."""
    return haar(size)[0] / 2
