"""The power spectrum in rings and sectors, and its peaks where upsampling repeats itself (Durall et al., 2020)."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.forensic.numbers import LEAST_POWER, Numbers
from forensics.residual import luminance
from forensics.types import Pixels

RINGS, SECTORS = 20, 12
# Cycles a pixel from which on a sector counts: below, the picture itself decides.
HIGH = 0.2
# Periods of a grid that upsampling may leave, in pixels.
PERIODS = (2, 4, 8)


def spectrum(pixels: Pixels) -> Numbers:
    """Log power by ring against their mean, by sector of the high frequencies against theirs, and of the peaks."""
    power = _log_power(luminance(pixels))
    ring, sector = _places(*power.shape)
    return {
        **_against_mean("ring", _means(power, ring, RINGS)),
        **_against_mean("sector", _means(power, sector, SECTORS)),
        "sector_spread": float(_means(power, sector, SECTORS).std()),
        **{f"peak_{period}": _peak(power, period) for period in PERIODS},
    }


def _log_power(light: NDArray[np.float32]) -> NDArray[np.float64]:
    """The logarithm of the power at each frequency, the constant in the middle; sides made even."""
    light = light[: light.shape[0] // 8 * 8, : light.shape[1] // 8 * 8]
    window = np.outer(*(np.hanning(length) for length in light.shape))
    found = np.fft.fftshift(np.fft.fft2((light - light.mean()) * window))
    return np.asarray(np.log(np.square(np.abs(found)) / np.square(window).sum() + LEAST_POWER))


@lru_cache(maxsize=64)
def _places(height: int, width: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The ring and the sector of each frequency; one beyond the last for those that count in none."""
    down, right = (np.fft.fftshift(np.fft.fftfreq(length)) for length in (height, width))
    radius = np.hypot(down[:, None], right[None])
    angle = np.arctan2(down[:, None], right[None]) % np.pi / np.pi
    ring = np.minimum((radius / 0.5 * RINGS).astype(np.intp), RINGS)
    # Sectors lie around the axes, not beside them.
    sector = np.round(angle * SECTORS).astype(np.intp) % SECTORS
    return ring, np.where((radius >= HIGH) & (radius < 0.5), sector, SECTORS)


def _means(power: NDArray[np.float64], place: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    total = np.bincount(place.ravel(), weights=power.ravel(), minlength=count + 1)[:count]
    return np.asarray(total / np.bincount(place.ravel(), minlength=count + 1)[:count])


def _against_mean(kind: str, values: NDArray[np.float64]) -> Numbers:
    return {f"{kind}_{place}": float(value) for place, value in enumerate(values - values.mean())}


def _peak(power: NDArray[np.float64], period: int) -> float:
    """How far the frequencies of that period, along either axis and both, stand out of what is around them."""
    height, width = power.shape
    middle = height // 2, width // 2
    steps = height // period, width // period
    found = []
    for down, right in ((steps[0], 0), (0, steps[1]), (steps[0], steps[1])):
        y, x = (middle[0] - down) % height, (middle[1] - right) % width
        around = np.take(np.take(power, range(y - 4, y + 5), 0, mode="wrap"), range(x - 4, x + 5), 1, mode="wrap")
        found.append(power[y, x] - np.median(around))
    return float(np.mean(found))
