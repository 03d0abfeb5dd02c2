"""Traces of demosaicing: interpolated pixels are foretold better than sensed ones, in a rhythm of two pixels.

Popescu and Farid 2005 (linear prediction), Gallagher and Chen 2008 (second differences along diagonals).
"""

import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.forensic.numbers import Numbers
from forensics.types import Pixels

Plane = NDArray[np.float32]
# Grey levels: errors under this are rounding.
ROUNDING = 0.05
# The places around one, of which the mirrored ones share a weight: beside, above, on either diagonal.
_WEIGHTS = 4


def mosaic(pixels: Pixels) -> Numbers:
    """For the channels and the colour differences: contrasts of the prediction error over Bayer phases, and peaks."""
    red, green, blue = (pixels[:, :, place].astype(np.float32) for place in range(3))
    planes = {"red": red, "green": green, "blue": blue, "redder": red - green, "bluer": blue - green}
    return {f"{name}_{told}": value for name, plane in planes.items() for told, value in _of_plane(plane).items()}


def _of_plane(plane: Plane) -> Numbers:
    error = np.abs(prediction_error(plane))
    error = error[: error.shape[0] // 2 * 2, : error.shape[1] // 2 * 2]
    return {**_phases(error), **_peaks(error), "diagonals": _diagonals(plane)}


def prediction_error(plane: Plane) -> Plane:
    """What is left of the inner pixels after the best linear prediction from their eight neighbours.

    The second fit trusts pixels that the first foretold well, so that interpolated ones decide.
    """
    inner, (up, down) = plane[1:-1, 1:-1], (plane[:-2], plane[2:])
    around = np.stack(
        [
            plane[1:-1, :-2] + plane[1:-1, 2:],
            up[:, 1:-1] + down[:, 1:-1],
            up[:, :-2] + down[:, 2:],
            up[:, 2:] + down[:, :-2],
        ]
    ).reshape(_WEIGHTS, -1)
    wanted = inner.ravel()
    trust = np.ones_like(wanted)
    for _ in range(2):
        trusted = around * trust
        normal = (trusted @ around.T).astype(np.float64) + np.eye(_WEIGHTS)
        left = wanted - np.linalg.solve(normal, (trusted @ wanted).astype(np.float64)).astype(np.float32) @ around
        trust = 1 / (1 + np.square(left / (np.abs(left).mean() + ROUNDING)))
    return np.asarray(left.reshape(inner.shape), dtype=np.float32)


def _phases(error: Plane) -> Numbers:
    """Log ratios of the mean errors: of odd rows to even ones, of columns, of diagonals, of the worst to the best.

    Without signs, for nobody knows where the mosaic began.
    """
    means = np.array([[error[i::2, j::2].mean() for j in (0, 1)] for i in (0, 1)], dtype=np.float64) + ROUNDING
    (a, b), (c, d) = np.log(means)
    return {
        "rows": abs(a + b - c - d) / 2,
        "columns": abs(a - b + c - d) / 2,
        "checkers": abs(a - b - c + d) / 2,
        "worst_to_best": float(np.ptp([a, b, c, d])),
    }


def _peaks(error: Plane) -> Numbers:
    """How far the frequencies of period two stand out of the error's other high ones (log)."""
    power = np.abs(np.fft.rfft2(np.minimum(error, 4 * error.mean()) - error.mean()))
    height, width = power.shape[0], power.shape[1] - 1
    usual = float(np.median(power[height // 4 : 3 * height // 4, width // 2 :])) + ROUNDING
    places = {"peak_down": (height // 2, 0), "peak_across": (0, width), "peak_both": (height // 2, width)}
    return {name: math.log((float(power[place]) + ROUNDING) / usual) for name, place in places.items()}


def _diagonals(plane: Plane) -> float:
    """The peak of period two in the strength of second differences along diagonals, averaged over each (log)."""
    strength = np.abs(plane[1:-1, :-2] + plane[1:-1, 2:] - 2 * plane[1:-1, 1:-1])
    height, width = strength.shape
    place = np.add.outer(np.arange(height), np.arange(width)).ravel()
    means = np.bincount(place, weights=strength.ravel()) / np.bincount(place)
    # The corners' diagonals are short and tell little.
    means = means[len(means) // 8 : -len(means) // 8]
    means = means[: len(means) // 2 * 2]
    power = np.abs(np.fft.rfft(means - means.mean()))
    return math.log((float(power[-1]) + ROUNDING) / (float(np.median(power[len(power) // 2 :])) + ROUNDING))
