"""How the noise of red, green and blue hangs together, over three scales, in flat and in busy parts."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.forensic.numbers import Numbers, correlation, log_power
from benchmarks.support.forensic.wavelets import haar
from forensics.residual import square_residual
from forensics.types import Pixels

SCALES = 3
Planes = dict[str, NDArray[np.float32]]


def channels(pixels: Pixels) -> Numbers:
    """Correlations between the channels' residuals and between colour differences and green; their powers' ratios."""
    planes: Planes = {name: pixels[:, :, place].astype(np.float32) for place, name in enumerate("rgb")}
    numbers: Numbers = {}
    for scale in range(1, SCALES + 1):
        residuals = {name: square_residual(plane) for name, plane in planes.items()}
        numbers |= {f"{name}_{scale}": value for name, value in _together(residuals).items()}
        if scale == 1:
            numbers |= _by_busyness(residuals)
        planes = {name: np.asarray(haar(plane)[0] / 2, dtype=np.float32) for name, plane in planes.items()}
    return numbers


def _together(residuals: Planes) -> Numbers:
    red, green, blue = (residuals[name] for name in "rgb")
    redder, bluer = red - green, blue - green
    power = log_power(green)
    return {
        "red_green": correlation(red, green),
        "green_blue": correlation(green, blue),
        "red_blue": correlation(red, blue),
        "redder_green": correlation(redder, green),
        "bluer_green": correlation(bluer, green),
        "redder_bluer": correlation(redder, bluer),
        "red_power": log_power(red) - power,
        "blue_power": log_power(blue) - power,
        "redder_power": log_power(redder) - power,
        "bluer_power": log_power(bluer) - power,
    }


def _by_busyness(residuals: Planes) -> Numbers:
    """The same at the half of the places with the weaker residual, and at the others, NaN where there are none."""
    size = np.sum([np.abs(residual) for residual in residuals.values()], axis=0)
    flat = size <= np.median(size)
    return {
        f"{name}_{part}": value
        for part, chosen in (("flat", flat), ("busy", ~flat))
        for name, value in _together({name: residual[chosen] for name, residual in residuals.items()}).items()
    }
